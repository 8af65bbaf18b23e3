// Keeping a conversation in this browser, for a visitor who asks for it. The server takes no part:
// what is kept goes from the page into localStorage and back, and is gone when it is deleted there.
(() => {
  "use strict";

  const PLACE = "medicalgpt.kept"; // there is something there only while keeping is switched on
  const VERSION = 1;
  const MOST = 400000; // characters; browsers give a site ten times that
  const TURNS = 100;
  // A turn with any other message in it, such as a safety notice, is not kept.
  const KNOWN = new Set(["question", "analysis", "answer", "partial", "foot"]);
  const ACTIVE = /<(?=[A-Za-z/!?])|!(?=\[)/g; // as in panels.py
  const NAME = /^[a-z][a-z -]{0,40}$/;
  const { words } = window.medicalgpt;
  let on = false;

  function turns(shown) {
    const all = [];
    for (const message of shown ?? []) {
      if (message.role === "user") all.push([message]);
      else all.at(-1)?.push(message);
    }
    return all.filter((turn) => turn.every((each) => KNOWN.has(each.metadata?.id))).map(packed);
  }

  function packed(turn) {
    const of = (...ids) => turn.find((each) => ids.includes(each.metadata.id));
    const answer = of("answer", "partial");
    const foot = of("foot");
    return {
      question: text(turn[0]),
      answer: answer ? text(answer) : null,
      whole: answer?.metadata.id === "answer",
      foot: foot ? lines(text(foot)) : null,
    };
  }

  function text(message) {
    if (typeof message.content === "string") return message.content;
    return message.content.map((part) => part.text ?? "").join("\n");
  }

  // A foot is markup of ours; what is kept is its words and their kinds alone.
  function lines(markup) {
    const foot = new DOMParser().parseFromString(markup, "text/html").querySelector(".foot");
    const said = [...(foot?.children ?? [])].filter((line) => line.className !== "feedback");
    const all = said.map((line) => [line.className, line.textContent]);
    return { kind: foot?.className ?? "foot", lines: all };
  }

  function write(kept) {
    let written = "";
    do {
      written = JSON.stringify({ version: VERSION, turns: kept.slice(-TURNS) });
      kept = kept.slice(1);
    } while (written.length > MOST);
    try {
      localStorage.setItem(PLACE, written);
    } catch {
      forget();
      window.medicalgpt.tell(words.not_kept);
    }
    return on;
  }

  function read() {
    try {
      return localStorage.getItem(PLACE);
    } catch {
      return null; // this browser allows no storage
    }
  }

  function forget() {
    on = false;
    try {
      localStorage.removeItem(PLACE);
    } catch {
      // then nothing is there either
    }
  }

  function messages(written) {
    const { version, turns: kept } = JSON.parse(written);
    if (version !== VERSION || kept.length > TURNS) throw new TypeError();
    return kept.flatMap(unpacked);
  }

  function unpacked({ question, answer, whole, foot }) {
    const turn = [message("user", "question", disarmed(question))];
    if (answer !== null) {
      turn.push(message("assistant", whole === true ? "answer" : "partial", disarmed(answer)));
    }
    if (foot !== null) turn.push(message("assistant", "foot", markup(foot)));
    return turn;
  }

  function message(role, id, content) {
    return { role, content: [{ type: "text", text: content }], metadata: { id }, options: null };
  }

  function disarmed(said) {
    if (typeof said !== "string") throw new TypeError();
    return said.replace(ACTIVE, "$&\u200b");
  }

  function markup({ kind, lines: kept }) {
    const foot = element(kind, "");
    foot.append(...kept.map(([name, said]) => element(name, said)));
    return foot.outerHTML;
  }

  function element(name, said) {
    if (!NAME.test(name) || typeof said !== "string") throw new TypeError();
    const made = document.createElement("div");
    made.className = name;
    made.textContent = said;
    return made;
  }

  // What the page's events call. Each gives what its outputs shall show.

  function restored() {
    const written = read();
    if (written === null) return [[], false];
    try {
      const shown = messages(written);
      on = true;
      return [shown, true];
    } catch {
      forget();
      window.medicalgpt.tell(words.kept_broken);
      return [[], false];
    }
  }

  // A conversation that was loaded again would stand there without its notice.
  const warned = () => document.querySelector("#alarms .alarm") !== null;

  function keep(shown) {
    if (on && read() !== null && !warned()) write(turns(shown));
  }

  function switched(wanted, shown) {
    on = wanted;
    if (on) return write(warned() ? [] : turns(shown));
    forget();
    return false;
  }

  function deleteKept() {
    forget();
    window.medicalgpt.tell(words.deleted);
    return false;
  }

  function renewed() {
    if (on && read() !== null) write([]);
  }

  // Deleted in another tab: deleted here.
  window.addEventListener("storage", ({ key, newValue }) => {
    if (on && newValue === null && (key === PLACE || key === null)) {
      on = false;
      document.querySelector("#keep input:checked")?.click();
    }
  });

  Object.assign(window.medicalgpt, { restored, keep, switched, deleteKept, renewed });
})();
