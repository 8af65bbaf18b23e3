// What leaves the page by the clipboard: without what disarms it as markup, which is not for other
// programs; and by an answer's button, an answer that is not whole takes its mark along.
(() => {
  "use strict";

  const { plain } = window.medicalgpt.disarming;
  let mark = "";

  document.addEventListener("copy", (event) => {
    event.clipboardData.setData("text/plain", plain(String(getSelection())));
    event.preventDefault();
  });

  const clipboard = navigator.clipboard;
  if (!clipboard) return;
  const copy = clipboard.writeText.bind(clipboard);
  clipboard.writeText = (text) => copy(plain(mark ? `${text.trimEnd()}\n\n[${mark}]` : text));

  function markOf(row) {
    const notes = [...(row.nextElementSibling?.querySelectorAll(".foot .note") ?? [])];
    return notes.map((note) => note.textContent).join(" ");
  }

  // Which button it is, only its label says, in the browser's language; none but one copies.
  document.addEventListener("click", (event) => {
    const row = event.target.closest("button")?.closest("#chat .bot-row");
    mark = row ? markOf(row) : "";
  }, true);
})();
