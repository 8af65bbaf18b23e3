// What a screen reader hears of an answer: each stage once, and the whole of it once, when it is
// there. Never a word while it is written.
(() => {
  "use strict";

  const LASTS = 10000; // milliseconds that what was said can be found; then it would be in the way
  const { words, disarming } = window.medicalgpt;
  let stage = "";
  let over = 0;

  function announce(sentence) {
    const announcer = document.getElementById("announcer");
    if (!announcer) return;
    clearTimeout(over);
    announcer.textContent = sentence;
    over = setTimeout(() => (announcer.textContent = ""), LASTS);
  }

  const text = (element) => disarming.plain(element?.innerText ?? "").trim();

  // Of the last question: its panels, its replies, its feet.
  function rows() {
    const all = [...document.querySelectorAll("#chat .message-row")];
    const last = all.slice(all.findLastIndex((row) => row.matches(".user-row")) + 1);
    const having = (name) => last.filter((row) => row.querySelector(name));
    const [panels, feet] = [having(".thought-group"), having(".foot")];
    return { panels, feet, replies: last.filter((row) => ![...panels, ...feet].includes(row)) };
  }

  // A title counts the seconds; what it says before that is the stage.
  function now() {
    const { panels, replies } = rows();
    if (replies.some((row) => text(row.querySelector(".message")))) return words.answering;
    const [panel] = panels;
    if (!panel) return "";
    if (panel.querySelector(".title .duration")) return words.thinking;
    const [what] = text(panel.querySelector(".title .prose")).split(" · ");
    return [what, text(panel.querySelector(".content"))].filter(Boolean).join(". ");
  }

  function follow() {
    if (!document.body.classList.contains("answering") || stage === words.answering) return;
    const next = now();
    if (!next || next === stage) return;
    stage = next;
    announce(stage);
  }

  function begun() {
    stage = "";
  }

  // What to think of it is heard before it, as who stops listening has to have heard that.
  function ended() {
    const { feet, replies } = rows();
    const notes = feet.flatMap((row) => [...row.querySelectorAll(".note, .left-out, .caution, .caveat")]).map(text);
    const whole = feet.length && feet.every((row) => row.querySelector(".foot-finished"));
    if (!whole) return announce(notes.join(" ") || words.ended);
    const sides = replies.length > 1 && document.querySelector(".comparison");
    const said = replies.map((row) => [sides && row.closest("[role=log]").ariaLabel, text(row.querySelector(".message"))]);
    announce([sides ? words.compared : words.done, ...new Set(notes), ...said.flat()].filter(Boolean).join("\n"));
  }

  document.addEventListener("click", ({ target }) => {
    const copies = target.closest("#chat :is(.copy_code_button, .message-buttons button)");
    if (copies && [words.copy, words.copy_code].includes(copies.ariaLabel)) announce(words.copied);
  });

  window.medicalgpt.drawn(follow);
  Object.assign(window.medicalgpt, { announce, hears: { begun, ended } });
})();
