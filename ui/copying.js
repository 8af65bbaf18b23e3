// The copy button of an answer: an answer that is not whole takes its mark along.
(() => {
  "use strict";

  const clipboard = navigator.clipboard;
  if (!clipboard) return;
  const copy = clipboard.writeText.bind(clipboard);
  let mark = "";

  function markOf(row) {
    const notes = [...(row?.nextElementSibling?.querySelectorAll(".foot .note") ?? [])];
    return notes.map((note) => note.textContent).join(" ");
  }

  clipboard.writeText = (text) => copy(mark ? `${text.trimEnd()}\n\n[${mark}]` : text);

  document.addEventListener("click", (event) => {
    const button = event.target.closest('#chat [aria-label="Copy message"]');
    mark = button ? markOf(button.closest(".message-row")) : "";
  }, true);
})();
