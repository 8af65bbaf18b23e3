// What only the browser can do: the state line, what a screen reader hears, the Escape key, and
// what happens when the server is gone. It holds no prose: its sentences come from the server.
(() => {
  "use strict";

  const SOON = 1000; // milliseconds between two looks at the state while it may change
  const LATER = 20000; // and while it will not change by itself
  const KEPT = "medicalgpt.lost"; // where a question waits out the reload that follows a loss
  const { words } = window.medicalgpt;
  let answering = 0;
  let lost = false;
  let timer = 0;

  const byId = (id) => document.getElementById(id);
  const box = () => document.querySelector("#question textarea");

  function announce(sentence) {
    const announcer = byId("announcer");
    if (announcer) announcer.textContent = sentence;
  }

  function begun() {
    answering += 1;
    document.body.classList.add("answering");
    announce(words.thinking);
    document.querySelector("#notice .told")?.remove();
    look();
  }

  function settled() {
    answering = Math.max(0, answering - 1);
    if (answering > 0) return;
    document.body.classList.remove("answering");
    const feet = document.querySelectorAll("#chat .foot");
    const finished = feet.length && feet[feet.length - 1].matches(".foot-finished");
    announce(finished ? words.done : words.ended);
    box()?.focus({ preventScroll: true });
  }

  async function look() {
    clearTimeout(timer);
    let next = SOON;
    try {
      const response = await fetch("state", { cache: "no-store" });
      const state = await response.json();
      show(state.state, state.text);
      lost = false;
      if (!answering && (state.state === "ready" || state.state === "failed")) next = LATER;
    } catch {
      show("failed", words.gone);
      if (!lost) lose();
    }
    clearTimeout(timer);
    timer = setTimeout(look, document.hidden ? LATER : next);
  }

  function show(kind, text) {
    const line = byId("state");
    if (!line) return;
    line.dataset.state = kind;
    line.querySelector(".text").textContent = text;
  }

  // The server is gone. What was asked and not answered goes back into the box, and stays for
  // the reload that Gradio does once the server is there again; nothing else is ever kept.
  function lose() {
    lost = true;
    if (!answering) return;
    const asked = [...document.querySelectorAll("#chat [data-testid=user]")].pop();
    const text = box()?.value || asked?.innerText.replaceAll("\u200b", "").trim() || "";
    sessionStorage.setItem(KEPT, text);
    answering = 0;
    document.body.classList.remove("answering");
    giveBack(text);
  }

  function giveBack(text) {
    const field = box();
    if (!field) return void setTimeout(giveBack, 100, text);
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    tell(words.lost);
  }

  function tell(sentence) {
    const notice = document.createElement("div");
    notice.setAttribute("role", "alert");
    notice.className = "told";
    notice.textContent = sentence;
    byId("notice")?.querySelector(".html-container, .prose")?.replaceChildren(notice);
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && answering) byId("stop")?.click();
  });

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) look();
  });

  // Gradio's transcript speaks every update aloud, calls its examples a list that has no items,
  // and does not say whether a panel is open.
  function tidy() {
    for (const log of document.querySelectorAll("#chat [role=log]")) log.ariaLive = "off";
    document.querySelector("#chat .examples[role=list]")?.removeAttribute("role");
    for (const title of document.querySelectorAll("#chat .thought-group [role=button]")) {
      title.ariaExpanded = String(title.classList.contains("expanded"));
    }
  }

  function watch() {
    const chat = byId("chat");
    if (!chat) return void setTimeout(watch, 100);
    let due = false;
    new MutationObserver(() => {
      if (due) return;
      due = true;
      setTimeout(() => ((due = false), tidy()), 250);
    }).observe(chat, { childList: true, subtree: true });
    tidy();
    look();
    const kept = sessionStorage.getItem(KEPT);
    sessionStorage.removeItem(KEPT);
    if (kept) giveBack(kept);
  }

  Object.assign(window.medicalgpt, { begun, settled });
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
})();
