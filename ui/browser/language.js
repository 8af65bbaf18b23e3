// Before anything else of the page: in which language it is to be shown. At the address of the first
// language the browser decides, unless the visitor has chosen; each other address is a choice itself.
(() => {
  "use strict";

  const CHOSEN = "medicalgpt.language";
  const page = document.documentElement.lang;
  const languages = document.currentScript.dataset.languages.split(" ");
  const primary = (tag) => tag.toLowerCase().split("-")[0];
  const tags = navigator.languages.filter(known);

  // Some browsers name a language as their system does, `en-US@posix`.
  function known(tag) {
    try {
      return Boolean(new Intl.Locale(tag));
    } catch {
      return false;
    }
  }

  function chosen() {
    try {
      return localStorage.getItem(CHOSEN);
    } catch {
      return null; // storage is switched off
    }
  }

  function choose(tag) {
    try {
      localStorage.setItem(CHOSEN, tag);
    } catch {
      // As above: the choice is the address then.
    }
  }

  // Whether this page is about to give way to that of another language: it takes nothing up, and is
  // not seen.
  const wanted = [chosen() ?? "", ...tags].map(primary).find((tag) => languages.includes(tag));
  const leaving = page === languages[0] && Boolean(wanted) && wanted !== page;
  if (leaving) {
    document.documentElement.style.visibility = "hidden";
    const view = location.pathname.split("/").at(-1);
    location.replace(`${wanted}/${view}${location.search}${location.hash}`);
  }

  // Gradio's own words follow the browser's language; here they follow the page's.
  for (const [name, value] of [["language", page], ["languages", [page]]]) {
    Object.defineProperty(navigator, name, { configurable: true, value });
  }

  // Not a step that leads back: the page that is left has given away what it showed.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.language");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    choose(link.hreflang);
    event.preventDefault();
    const go = () => location.replace(link.href);
    if (window.medicalgpt.leave) window.medicalgpt.leave(go);
    else go();
  });

  // How the visitor writes dates and numbers: in the page's language, as in the region of their own.
  function locale() {
    const region = tags.map((tag) => new Intl.Locale(tag).region).find(Boolean);
    return tags.find((tag) => primary(tag) === page) ?? (region ? `${page}-${region}` : page);
  }

  window.medicalgpt = { leaving, locale: locale() };
})();
