// Thumbs under a whole answer. What is sent is a verdict and a reason of a list: no text, and not
// which answer it is about. Each answer is judged once.
(() => {
  "use strict";

  const REASONS = ["wrong", "unclear", "unsafe", "unanswered", "long", "other"];
  const PLACES = "#chat:not(.comparison) .foot-finished .feedback";
  const THUMB =
    "M7 11v9H3.5v-9zM7 11l4-8c1.5 0 2.5 1 2.5 2.6V9h5.2c1.2 0 2 1 1.8 2.2l-1.3 7.1c-.2 1-1 1.7-2 1.7H7";
  const { words } = window.medicalgpt;
  const judged = new Map(); // which thumb, by the answer's own text: a redrawn one is still judged

  function element(name, properties, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  function thumb(verdict) {
    const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    icon.setAttribute("viewBox", "0 0 24 24");
    icon.setAttribute("aria-hidden", "true");
    icon.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
    icon.firstChild.setAttribute("d", THUMB);
    const made = element("button", { type: "button", className: `thumb ${verdict}` }, icon);
    made.title = made.ariaLabel = words[verdict];
    made.ariaPressed = "false";
    return made;
  }

  function fill(place) {
    const good = thumb("good");
    const bad = thumb("bad");
    const reasons = element("div", { className: "reasons", hidden: true });
    const said = element("span", { className: "said" });
    const widget = { place, good, bad, reasons, said };
    place.role = "group";
    place.ariaLabel = words.judge;
    reasons.role = "group";
    reasons.ariaLabel = words.why;
    bad.ariaExpanded = "false";
    good.onclick = () => send(widget, good, { verdict: "good" });
    bad.onclick = () => open(widget, reasons.hidden);
    reasons.append(
      element("span", { className: "why", textContent: words.why, ariaHidden: "true" }),
      ...REASONS.map((reason) => {
        const choice = element("button", { type: "button", textContent: words[`reason_${reason}`] });
        choice.onclick = () => send(widget, bad, { verdict: "bad", reason });
        return choice;
      }),
    );
    place.onkeydown = (event) => {
      if (event.key !== "Escape" || reasons.hidden) return;
      event.stopPropagation();
      open(widget, false);
      bad.focus();
    };
    place.append(good, bad, said, reasons);
    const before = judged.get(key(place));
    if (before) settle(widget, before === "good" ? good : bad);
  }

  function open({ bad, reasons, said, place }, wanted) {
    if (judged.has(key(place))) return;
    reasons.hidden = !wanted;
    bad.ariaExpanded = String(wanted);
    said.textContent = "";
    if (wanted) reasons.scrollIntoView({ block: "nearest" });
  }

  async function send(widget, pressed, body) {
    const name = key(widget.place);
    if (judged.has(name)) return;
    judged.set(name, body.verdict); // a second click, come while the first is on its way
    try {
      const headers = { "content-type": "application/json" };
      const answer = await fetch("feedback", {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error();
    } catch {
      judged.delete(name);
      return say(widget, words.uncounted);
    }
    settle(widget, pressed);
    pressed.focus();
    say(widget, words.thanks);
  }

  function settle({ good, bad, reasons, said }, pressed) {
    reasons.hidden = true;
    bad.ariaExpanded = null;
    pressed.ariaPressed = "true";
    for (const each of [good, bad]) each.ariaDisabled = "true";
    said.textContent = words.thanks;
  }

  function say({ said }, sentence) {
    said.textContent = sentence;
    window.medicalgpt.announce(sentence);
  }

  // The answer, and its figures: two answers in the same words are still two.
  function key(place) {
    const answer = place.closest(".message-row")?.previousElementSibling?.textContent;
    return `${answer}\n${place.parentElement.querySelector(".figures")?.textContent}`;
  }

  function offer() {
    for (const place of document.querySelectorAll(PLACES)) {
      if (!place.firstChild) fill(place);
    }
  }

  window.medicalgpt.drawn(offer);
})();
