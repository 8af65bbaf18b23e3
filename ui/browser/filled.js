// How much of what the model can read the conversation fills: said by the last foot, shown near the
// box. It is found there, and read aloud to nobody who did not look for it.
(() => {
  "use strict";

  function show() {
    const place = document.getElementById("filled");
    const feet = document.querySelectorAll("#chat .foot");
    const sentence = feet[feet.length - 1]?.querySelector(".filled")?.textContent ?? "";
    if (place && place.textContent !== sentence) place.textContent = sentence;
  }

  window.medicalgpt.drawn(show);
})();
