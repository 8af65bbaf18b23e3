// Text from storage or from a file, made harmless again: what was shown once is shown the same way.
// The patterns are the server's own (safety/markdown.py).
(() => {
  "use strict";

  const { active, shown, commands } = window.medicalgpt.markup;
  const NIL = "\u200b";
  const UNSEEN = /[\0-\x08\x0b-\x1f\x7f-\x9f\ufeff\u202a-\u202e\u2066-\u2069]/g;
  const ACTIVE = new RegExp(active, "gi");
  const EITHER = new RegExp(`${shown}|${active}`, "gi");
  const SETS_TYPE = new Set(commands);
  const ESCAPED = /([<!\[\]:@&\\`])\u200b/g; // of these Markdown takes an escape

  function disarm(text, ...found) {
    const { command } = found.at(-1);
    return SETS_TYPE.has(command) ? text : text + NIL;
  }

  function either(text, ...found) {
    const { label, to, bare } = found.at(-1);
    if (bare) return text;
    return label ? `[${label.replace(ACTIVE, disarm)}]${to}` : disarm(text, ...found);
  }

  // What a person typed holds no link, what a model wrote may hold those that were let through.
  const typed = (text) => text.replace(UNSEEN, "").replace(ACTIVE, disarm);
  const written = (text) => text.replace(UNSEEN, "").replace(EITHER, either);

  // For other programs: plain, or as Markdown in which it does as little as here.
  const plain = (text) => text.replaceAll(NIL, "");
  const escaped = (text) => plain(text.replace(ESCAPED, "\\$1"));

  window.medicalgpt.disarming = { typed, written, plain, escaped };
})();
