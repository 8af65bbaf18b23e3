// Where the focus goes when what had it is gone: Ask while an answer is written, the tools of a
// question that was being edited. From nothing a keyboard would begin again at the top of the page.
(() => {
  "use strict";

  const { words } = window.medicalgpt;
  let last = null; // what had it
  let row = null; // the message that it stood in

  document.addEventListener("focusin", ({ target }) => {
    last = target;
    row = target.closest(".message-row");
  });

  const there = (element) => element?.isConnected && element.checkVisibility();

  function keep() {
    const nowhere = !document.activeElement || document.activeElement === document.body;
    if (!nowhere || !last || there(last)) return;
    const edit = row?.querySelector(`[aria-label="${CSS.escape(words.edit)}"]`);
    if (there(edit)) return edit.focus();
    // Under a finger it would open the keyboard over the answer.
    if (matchMedia("(pointer: coarse)").matches) return;
    document.querySelector("#question textarea")?.focus({ preventScroll: true });
  }

  window.medicalgpt.drawn(keep);
})();
