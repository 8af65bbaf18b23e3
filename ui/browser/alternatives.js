// Several replies to one question: those that "try again" left behind, and the way between them.
// They are in this page's memory alone; what is sent is the conversation with the reply that is shown.
// What followed a reply belongs to it: it leaves with it, and comes back with it.
(() => {
  "use strict";

  const REPLY = new Set(["answer", "partial"]); // there is nothing to come back to in any other
  const SETTLES = 500; // milliseconds after which Gradio has rendered, and scrolled to the end
  const FIXED = new Set(["crisis", "emergency"]);
  const { words } = window.medicalgpt;
  let now = []; // the conversation as it was last seen
  let turns = new Map(); // a question's number -> { shown, replies: [{ rest, later }] }
  let wanted = null; // the step that the visitor asked for: { turn, to, by }

  const marked = (message, ids) => ids.has(message.metadata?.id);
  const text = (message) => message?.content.map?.((part) => part.text).join("\n") ?? "";
  const copy = (shown) => JSON.parse(JSON.stringify(shown ?? [])); // what is shown, Gradio changes
  const writing = () => document.body.classList.contains("answering");

  function questions(shown) {
    return shown.flatMap((message, at) => (message.role === "user" ? [at] : []));
  }

  // Of what follows a question: the reply to it, without what was asked after that.
  function own(rest) {
    const next = rest.findIndex((message) => message.role === "user");
    return next < 0 ? rest : rest.slice(0, next);
  }

  const worth = (rest) => own(rest).some((message) => marked(message, REPLY));

  function forget(from) {
    const gone = new Map([...turns].filter(([turn]) => turn >= from));
    for (const turn of gone.keys()) turns.delete(turn);
    return gone;
  }

  // Put what is shown under a question aside, so that something else can stand there.
  function put(turn, rest) {
    const entry = turns.get(turn) ?? { shown: 0, replies: [] };
    const later = forget(turn + 1);
    if (worth(rest)) entry.replies[entry.shown] = { rest, later };
    else entry.replies.splice(entry.shown, 1);
    turns.set(turn, entry);
    return entry;
  }

  function count({ shown, replies }) {
    return Math.max(replies.length, shown + 1);
  }

  // What the page's events call.

  // Before an act that may ask again: what stands there now.
  function before(...inputs) {
    now = copy(inputs[0]);
    return inputs;
  }

  // The same for an edit: Gradio has put the new text into the question's place already.
  function edited(...inputs) {
    now = [];
    return inputs;
  }

  // After it. The same questions, the last of them without its reply: asked again. A question that
  // was not there: what was replied to the one in its place, and to those after that, is gone.
  function begun(shown) {
    const asked = questions(shown);
    if (!asked.length || shown.some((message) => marked(message, FIXED))) return clear();
    if (shown.at(-1).role !== "user") return draw();
    const last = asked.length - 1;
    const old = questions(now)[last];
    if (old === undefined || text(now[old]) !== text(shown.at(-1))) forget(last);
    else {
      const entry = put(last, now.slice(old + 1));
      entry.shown = entry.replies.length;
    }
    draw();
  }

  function settled(shown) {
    now = copy(shown);
    if (shown.some((message) => marked(message, FIXED))) return clear();
    draw();
  }

  function switched(shown) {
    const step = wanted;
    wanted = null;
    const at = questions(shown)[step?.turn];
    if (at === undefined || writing()) return [shown];
    const had = turns.get(step.turn).replies.length;
    const entry = put(step.turn, copy(shown.slice(at + 1)));
    // What was shown may have been nothing to come back to; those after it have moved up then.
    entry.shown = step.to - (entry.replies.length < had && step.to > entry.shown);
    const { rest, later } = entry.replies[entry.shown];
    for (const [turn, each] of later) turns.set(turn, each);
    now = copy([...shown.slice(0, at + 1), ...rest]);
    setTimeout(told, SETTLES, step);
    return [copy(now)];
  }

  function clear() {
    turns = new Map();
    now = [];
    draw();
  }

  // For those who keep or take along a conversation. `replies` has each reply's messages.
  function of(turn) {
    const entry = turns.get(turn);
    if (!entry || count(entry) < 2) return undefined;
    const replies = entry.replies.map(({ rest }) => own(rest));
    const at = questions(now)[turn];
    if (at !== undefined) replies[entry.shown] = own(now.slice(at + 1));
    return { shown: entry.shown, replies };
  }

  function restore(turn, { shown, replies }) {
    const each = replies.map((rest) => ({ rest, later: new Map() }));
    turns.set(turn, { shown, replies: each });
    draw();
  }

  // For a page that is loaded again: all of them as they are, in what JSON can hold.
  const dump = (some = turns) => changed([...some], (later) => dump(later));
  const load = (dumped) => ((turns = loaded(dumped)), draw());
  const loaded = (dumped) => new Map(changed(dumped, loaded));

  function changed(entries, later) {
    const one = (reply) => ({ rest: reply.rest, later: later(reply.later) });
    return entries.map(([turn, { shown, replies }]) => [turn, { shown, replies: replies.map(one) }]);
  }

  // The control under a reply.

  function told({ turn, by }) {
    draw();
    const control = controls().get(turn);
    const [back, on] = control?.querySelectorAll("button") ?? [];
    const button = by < 0 ? back : on;
    (button?.ariaDisabled === "true" ? (by < 0 ? on : back) : button)?.focus();
    control?.scrollIntoView({ block: "nearest" });
    if (control) window.medicalgpt.announce(said(words.reply, turns.get(turn)));
  }

  function said(sentence, entry) {
    return sentence.replace("{n}", entry.shown + 1).replace("{all}", count(entry));
  }

  function controls() {
    const all = [...document.querySelectorAll("#chat .alternatives")];
    return new Map(all.map((each) => [Number(each.dataset.turn), each]));
  }

  // Where in the page the reply to each question ends.
  function places() {
    const ends = [];
    for (const row of document.querySelectorAll("#chat .message-row")) {
      if (row.classList.contains("user-row")) ends.push(null);
      else if (ends.length) ends[ends.length - 1] = row.querySelector(".flex-wrap > div") ?? row;
    }
    return ends;
  }

  function draw() {
    const there = controls();
    const ends = places();
    for (const [turn, control] of there) {
      const entry = turns.get(turn);
      if (!entry || count(entry) < 2 || !ends[turn]) control.remove();
    }
    for (const [turn, entry] of turns) {
      if (count(entry) < 2 || !ends[turn]) continue;
      const control = there.get(turn) ?? made(turn);
      if (control.parentElement !== ends[turn]) ends[turn].append(control);
      fill(control, entry, ends[turn].querySelector(".effort")?.textContent);
    }
  }

  function fill(control, entry, effort) {
    const [back, on] = control.querySelectorAll("button");
    const label = [said(words.count, entry), effort].filter(Boolean).join(" · ");
    const shown = control.querySelector("span");
    if (shown.textContent !== label) shown.textContent = label;
    back.ariaDisabled = String(entry.shown === 0);
    on.ariaDisabled = String(entry.shown + 1 === count(entry));
  }

  function made(turn) {
    const control = document.createElement("div");
    control.className = "alternatives";
    control.dataset.turn = turn;
    control.role = "group";
    control.ariaLabel = words.replies;
    const label = document.createElement("span");
    control.append(button("‹", words.earlier, turn, -1), label, button("›", words.later, turn, 1));
    return control;
  }

  function button(sign, name, turn, by) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = sign;
    made.ariaLabel = name;
    made.addEventListener("click", () => step(turn, by));
    return made;
  }

  function step(turn, by) {
    const entry = turns.get(turn);
    const to = entry.shown + by;
    if (writing() || to < 0 || to >= count(entry)) return;
    wanted = { turn, to, by };
    document.getElementById("other-reply")?.click();
  }

  const alternatives = { before, edited, begun, settled, switched, clear, of, restore, dump, load };
  Object.assign(window.medicalgpt, { alternatives });
  window.medicalgpt.drawn(() => turns.size && draw());
})();
