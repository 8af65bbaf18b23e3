// What only the browser can do: the state line, the beginning and the end of an answer, the Escape
// key, and what happens when the server is gone. It holds no prose: its sentences come from the server.
(() => {
  "use strict";

  const SOON = 1000; // milliseconds between two looks at the state while it may change
  const LATER = 20000; // and while it will not change by itself
  const PATIENCE = 5000; // for one look to be answered
  const MISSES = 3; // looks without an answer in a row that mean the server is gone
  const REGION = "medicalgpt.region"; // where the visitor said to be, for the notices' numbers
  const STOOD = "medicalgpt.alarms"; // the notices that stood, our own fixed text, over such a reload
  const SEPARATOR = " · "; // between the model's name and whether it is ready
  const REDRAW = 100; // after a change of the transcript, several of which come at once
  const SUBMIT = "#chat .message-row:has(textarea) button:first-child"; // of an edited question
  const { words } = window.medicalgpt;
  let answering = false;
  let misses = 0;
  let given = ""; // the question of a comparison that a lost connection put back into the box
  let timer = 0;
  let stopping = 0; // the timer of a stop
  let region = null; // what the visitor chose on this page
  const redraws = [];

  const byId = (id) => document.getElementById(id);
  const box = () => document.querySelector("#question textarea");

  // Each of the two gets the conversation as it is, and looks at its last message: an act that
  // asked nothing begins nothing, and ends no answer that is still being written.
  function begun(shown) {
    const last = shown.at(-1);
    if (!last) return emptied();
    if (last.role !== "user" && last.metadata?.id !== "going") return supported(shown);
    write(true);
    window.medicalgpt.asked(shown);
    window.medicalgpt.hears.begun();
    tell("");
    look();
  }

  // What comes now is another conversation, as after the button for a new one.
  function emptied() {
    byId("stood")?.remove();
    if (!comparing()) window.medicalgpt.renewed();
  }

  // The answer to it is picked up.
  function goesOn() {
    write(true);
    look();
  }

  // A reply that no model wrote is there at once; the notice above it was heard before it.
  function supported(shown) {
    if (fixed(shown)) window.medicalgpt.announce(shown.at(-1).content[0].text);
  }

  function fixed(shown) {
    return ["crisis", "emergency"].includes(shown.at(-1)?.metadata?.id);
  }

  function settled(shown) {
    const last = shown.at(-1);
    if (elsewhere(last)) window.medicalgpt.released();
    // Gradio goes to the end of a conversation; this is to be read from its beginning.
    if (fixed(shown)) setTimeout(() => questions().at(-1)?.scrollIntoView(), 500);
    if (answering && (!last || ended(last) || fixed(shown))) end();
  }

  // A caution may stand under an answer that is still being written, as its foot does later.
  function ended(message) {
    return message.metadata?.id === "foot" && !message.content[0].text.includes("foot-going");
  }

  function elsewhere(message) {
    return message?.content[0].text.includes("foot-elsewhere") && message.metadata?.id === "foot";
  }

  // Of a comparison: what decides is the side that is still being written, if one is.
  function compared(asked, adapted, plain) {
    settled([...asked, ...(!adapted.length || ended(adapted.at(-1)) ? plain : adapted)]);
  }

  function comparing() {
    return document.querySelector(".comparison") !== null;
  }

  function end() {
    clearTimeout(stopping); // the next question is not meant by it
    write(false);
    takeBack();
    window.medicalgpt.answered();
    window.medicalgpt.hears.ended();
  }

  function write(now) {
    answering = now;
    // Ask disappears now, and may be back before anything is drawn; under a finger the box would open
    // the keyboard.
    const left = now && document.activeElement === byId("send");
    document.body.classList.toggle("answering", now);
    if (left && !matchMedia("(pointer: coarse)").matches) box()?.focus({ preventScroll: true });
  }

  async function look() {
    clearTimeout(timer);
    let next = SOON;
    try {
      const signal = AbortSignal.timeout(PATIENCE);
      const response = await fetch("state", { cache: "no-store", signal });
      const state = await response.json();
      show(state.state, state.text);
      document.body.classList.toggle("comparable", state.compare);
      if (misses && comparing()) returned();
      misses = 0;
      window.medicalgpt.heard(state);
      if (!answering && (state.state === "ready" || state.state === "failed")) next = LATER;
    } catch {
      miss();
    }
    clearTimeout(timer);
    timer = setTimeout(look, document.hidden ? LATER : next);
  }

  function show(kind, text) {
    const line = byId("state");
    if (!line) return;
    line.dataset.state = kind;
    // Apart, so that where there is no room the model's name can give way.
    const name = text.includes(SEPARATOR) ? text.slice(0, text.indexOf(SEPARATOR)) : "";
    const parts = { model: name, now: text.slice(name.length) };
    const spans = Object.entries(parts).map(([part, said]) => {
      const span = document.createElement("span");
      span.className = part;
      span.textContent = said;
      return span;
    });
    line.querySelector(".text").replaceChildren(...spans);
  }

  // The server may be gone. A comparison is not picked up again, and nothing of it is kept for the
  // reload that Gradio does then: its question goes back into the box.
  function miss() {
    misses += 1;
    if (!comparing()) window.medicalgpt.missed(misses >= MISSES);
    if (misses !== MISSES || window.medicalgpt.hearing()) return;
    show("failed", words.gone);
    if (!answering || !comparing()) return;
    document.body.classList.remove("answering");
    given = box()?.value || asked();
    giveBack(given);
  }

  function gone(sentence) {
    document.body.classList.add("lost");
    show("failed", words.gone);
    tell(sentence);
  }

  function returned() {
    if (document.body.classList.contains("lost")) window.medicalgpt.announce(words.returned);
    document.body.classList.remove("lost");
    if (answering) write(true);
    takeBack();
  }

  function stand() {
    const standing = [...document.querySelectorAll("#alarms .alarm")].map((one) => one.outerHTML);
    if (standing.length) sessionStorage.setItem(STOOD, standing.join(""));
  }

  function standDown() {
    sessionStorage.removeItem(STOOD);
  }

  // Gradio's own notices are gone with the page; these stand in a place that it does not render.
  function standAgain() {
    const stood = sessionStorage.getItem(STOOD);
    standDown();
    if (!stood) return;
    const again = document.createElement("div");
    again.id = "stood";
    again.innerHTML = stood;
    byId("alarms").prepend(again);
    place();
  }

  // One that came anew takes the place of the one that stood.
  function once() {
    for (const level of ["alarm-emergency", "alarm-crisis"]) {
      const [old, anew] = document.querySelectorAll(`#alarms .${level}`);
      if (anew && old.closest("#stood")) old.remove();
    }
    place();
  }

  function takeBack() {
    if (given && given === asked() && box()?.value === given) type("");
    given = "";
    tell("");
  }

  function questions() {
    return [...document.querySelectorAll("#chat [data-testid=user]")];
  }

  function asked() {
    return window.medicalgpt.disarming.plain(questions().at(-1)?.innerText ?? "").trim();
  }

  // What was typed, back into the box, and why. A page that is still being built empties it again.
  function giveBack(text, sentence = words.lost) {
    if (!box()) return void setTimeout(giveBack, 100, text, sentence);
    type(text);
    tell(sentence);
    const still = setInterval(() => box()?.value || type(text), 200);
    const done = () => clearInterval(still);
    setTimeout(done, 3000);
    for (const act of ["keydown", "pointerdown"]) addEventListener(act, done, { once: true });
  }

  function type(text) {
    const field = box();
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function tell(sentence) {
    const told = byId("told");
    if (told) told.textContent = sentence;
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && answering) byId("stop")?.click();
  });

  // Gradio puts an edited question into its transcript before anybody is asked, and a running answer
  // does not take it out again. Until that has ended, the text stays where it was typed.
  document.addEventListener(
    "click",
    (event) => {
      if (!answering || !event.target.closest(SUBMIT)) return;
      event.stopPropagation();
      tell(words.still_answering);
    },
    true,
  );

  // A stop that found nothing to stop must not leave the page waiting.
  function stopped() {
    clearTimeout(stopping);
    stopping = setTimeout(() => answering && end(), 1500);
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) look();
  });

  // The notices hold each region's numbers; in sight are those of the region that was chosen here,
  // or else of the one whose time zone this device is in. Neither leaves the browser.
  function place() {
    let code = region;
    try {
      code ??= localStorage.getItem(REGION);
    } catch {
      // Storage is switched off: the choice lasts as long as the notice.
    }
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    for (const select of document.querySelectorAll("#alarms select")) {
      const options = [...select.options];
      const here = ({ dataset }) => dataset.zones.split(" ").includes(timeZone);
      const chosen = options.find((option) => option.value === code) ?? options.find(here);
      showRegion(select, chosen?.value ?? select.value);
    }
  }

  function showRegion(select, code) {
    select.value = code;
    for (const part of select.closest(".alarm").querySelectorAll("[data-region]")) {
      part.hidden = part.dataset.region !== code;
    }
  }

  document.addEventListener("change", (event) => {
    if (!event.target.matches("#alarms select")) return;
    const code = (region = event.target.value);
    try {
      localStorage.setItem(REGION, code);
    } catch {
      // As above.
    }
    for (const select of document.querySelectorAll("#alarms select")) showRegion(select, code);
  });

  // Gradio renders its transcript anew as it likes; what others put there is put there again.
  function drawn(again) {
    redraws.push(again);
  }

  function watch() {
    const chat = byId("chat");
    if (!chat) return void setTimeout(watch, 100);
    let due = false;
    new MutationObserver(() => {
      window.medicalgpt.naming.silence();
      if (due) return;
      due = true;
      setTimeout(() => ((due = false), redraw()), REDRAW);
    }).observe(chat, { childList: true, subtree: true });
    new MutationObserver(once).observe(byId("alarms"), { childList: true, subtree: true });
    document.addEventListener("click", (event) => {
      if (event.target.closest("#new, #open-kept")) byId("stood")?.remove();
    });
    window.medicalgpt.naming.begin();
    standAgain();
    redraw();
    look();
  }

  function redraw() {
    for (const again of redraws) again();
  }

  Object.assign(window.medicalgpt, { begun, settled, compared, stopped, tell, drawn });
  Object.assign(window.medicalgpt, { look, gone, returned, goesOn, stand, standDown, giveBack });
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
})();
