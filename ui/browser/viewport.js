// The keyboard on the screen: where the browser lets it cover the page, the page ends above it.
(() => {
  "use strict";

  const view = window.visualViewport;
  document.querySelector("meta[name=viewport]").content += ", interactive-widget=resizes-content";

  // A browser that does not know that tells only how much is in sight. It is less for somebody who
  // has zoomed in, too; for them nothing may move.
  function fit() {
    const covered = view.scale < 1.01 && innerHeight - view.height > 1;
    document.documentElement.style.setProperty("--in-sight", covered ? `${view.height}px` : "100dvh");
    if (covered) scrollTo(0, 0);
  }

  view.addEventListener("resize", fit);
})();
