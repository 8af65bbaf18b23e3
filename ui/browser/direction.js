// From which side a text is read: what people and models write, from the side of its own letters; all
// else, from that of the page's language. Gradio says left to right of everything.
(() => {
  "use strict";

  const { dir } = document.documentElement;

  function set(element, direction) {
    if (element.dir !== direction) element.dir = direction;
  }

  function direct() {
    for (const message of document.querySelectorAll("#chat .message [data-testid]")) {
      set(message, message.querySelector(".foot, .thought-group") ? dir : "auto");
    }
    for (const trace of document.querySelectorAll("#chat .thought-group .content")) set(trace, "auto");
  }

  document.addEventListener("input", ({ target }) => {
    if (target.matches("textarea, input[type=text], input:not([type])")) set(target, "auto");
  });

  window.medicalgpt.drawn(direct);
})();
