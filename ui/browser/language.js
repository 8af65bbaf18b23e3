// Before anything else of the page: in which language it is to be shown. At the address of the first
// language the browser decides, unless the visitor has chosen; each other address is a choice itself.
(() => {
  "use strict";

  const CHOSEN = "medicalgpt.language";
  const page = document.documentElement.lang;
  const languages = document.currentScript.dataset.languages.split(" ");
  const spoken = [...navigator.languages];
  const primary = (tag) => tag.toLowerCase().split("-")[0];

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

  const wanted = [chosen() ?? "", ...spoken].map(primary).find((tag) => languages.includes(tag));
  if (page === languages[0] && wanted && wanted !== page) {
    const view = location.pathname.split("/").at(-1);
    location.replace(`${wanted}/${view}${location.search}${location.hash}`);
  }

  // Gradio's own words follow the browser's language; here they follow the page's.
  for (const [name, value] of [["language", page], ["languages", [page]]]) {
    Object.defineProperty(navigator, name, { configurable: true, value });
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.language");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    choose(link.hreflang);
    event.preventDefault();
    window.medicalgpt.leave(link.href);
  });

  // How the visitor writes dates: in the page's language, by the region of their own.
  const locale = spoken.find((tag) => primary(tag) === page) ?? page;
  window.medicalgpt = { locale };
})();
