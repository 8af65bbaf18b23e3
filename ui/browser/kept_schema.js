// The schema of a conversation, version 2: what is kept in the browser, exported and imported. What
// is read is untrusted: each value is checked, all text is disarmed, markup is made anew from words
// and their kinds. What does not hold throws a TypeError.
(() => {
  "use strict";

  const FORMAT = "medicalgpt";
  const VERSION = 2;
  const MOST = { conversations: 200, turns: 100, replies: 20, lines: 20, title: 120, text: 200000 };
  const CHARACTERS = 400000; // of one conversation
  const NAME = /^[a-z][a-z -]{0,40}$/;
  const FACTS = ["model", "revision", "adapter", "effort", "length", "temperature"];
  const ENDED = { finished: "finished", room: "length", stopped: "stopped", cut: "interrupted",
    failed: "failed", withheld: "withheld" }; // of feet that say no more than their kind
  const { words, disarming } = window.medicalgpt;

  class TooNew extends TypeError {}

  // Out of the page: messages, to turns.

  function turns(shown, reasoning = false) {
    const all = [];
    for (const message of shown ?? []) {
      if (message.role === "user") all.push([message]);
      else all.at(-1)?.push(message);
    }
    return all.map(([question, ...messages], index) => {
      const other = window.medicalgpt.alternatives.of(index);
      const replies = (other?.replies ?? [messages]).filter((one) => one.length);
      const packed = replies.map((one) => reply(one, reasoning));
      const asked = packed.find((one) => one.asked)?.asked ?? null;
      packed.forEach((one) => delete one.asked);
      const shown = other?.shown ?? 0;
      // Of very many, those that came last, and always the one in sight.
      const from = Math.max(0, Math.min(shown, packed.length - MOST.replies));
      const last = packed.slice(from, from + MOST.replies);
      return { question: said(question), asked, shown: shown - from, replies: last };
    });
  }

  function reply(messages, reasoning) {
    const of = (...ids) => messages.find((each) => ids.includes(each.metadata?.id));
    const answer = of("answer", "partial");
    const foot = lines(of("foot", "going"));
    const trace = of("analysis");
    // What is of no kind of ours is never taken for a model's.
    const fixed = of("crisis", "emergency") ?? (answer || trace || foot ? undefined : messages[0]);
    const packed = {
      answer: fixed ? said(fixed) : answer ? said(answer) : null,
      ended: fixed ? "fixed" : (foot?.data.ended ?? "unfinished"),
      foot: foot ? { kind: foot.kind, lines: foot.lines } : null,
      whole: Boolean(fixed) || answer?.metadata.id === "answer",
      asked: time(foot?.data.asked),
    };
    if (reasoning && trace && said(trace)) packed.reasoning = said(trace);
    for (const name of FACTS) packed[name] = foot?.data[name] ?? null;
    for (const name of ["length", "temperature"]) packed[name] &&= Number(packed[name]);
    return packed;
  }

  function said(message) {
    if (typeof message.content === "string") return message.content;
    return message.content.map((part) => part.text ?? "").join("\n");
  }

  // A foot is markup of ours; what is taken along is its words, their kinds, and its attributes.
  function lines(message) {
    if (!message) return null;
    const page = new DOMParser().parseFromString(said(message), "text/html");
    const foot = page.querySelector(".foot");
    if (!foot) return null;
    const kind = foot.className;
    const filled = [...foot.children].filter((line) => line.textContent);
    const all = filled.map((line) => [line.className, line.textContent]);
    const ended = foot.dataset.ended ?? ENDED[kind.replace("foot foot-", "")] ?? "unfinished";
    return { kind, lines: all, data: { ...foot.dataset, ended } };
  }

  // Back into the page: turns, to messages.

  function messages(turns) {
    return turns.flatMap(({ question, asked, shown, replies }) => [
      message("user", "question", question),
      ...(replies[shown] ? replyMessages(replies[shown], asked) : []),
    ]);
  }

  function replyMessages(one, asked) {
    const id = one.whole ? "answer" : "partial";
    const foot = markup(one, asked);
    return [
      ...(one.answer === null ? [] : [message("assistant", id, one.answer)]),
      ...(foot === null ? [] : [message("assistant", "foot", foot)]),
    ];
  }

  function message(role, id, text) {
    return { role, content: [{ type: "text", text }], metadata: { id }, options: null };
  }

  function markup(one, asked) {
    const unmarked = one.answer !== null && !one.whole && !marks(one).length;
    if (one.foot === null && !unmarked) return null;
    const foot = element(one.foot?.kind ?? "foot foot-cut", "");
    for (const name of ["ended", ...FACTS]) if (one[name]) foot.dataset[name] = one[name];
    if (one.temperature === 0) foot.dataset.temperature = 0;
    if (asked) foot.dataset.asked = asked;
    if (unmarked) foot.append(element("note note-cut", words.unfinished));
    foot.append(...(one.foot?.lines ?? []).map(([name, text]) => element(name, text)));
    return foot.outerHTML;
  }

  // The sentences that say that, or why, an answer is not whole.
  function marks(one) {
    const notes = (one.foot?.lines ?? []).filter(([name]) => /^note( |$)/.test(name));
    return notes.map(([, text]) => disarming.plain(text)).filter(Boolean);
  }

  function element(name, text) {
    const made = document.createElement("div");
    made.className = name;
    made.textContent = text;
    return made;
  }

  // Read from storage or from a file.

  function fields(value) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError();
    return value;
  }

  function list(value, most) {
    if (!Array.isArray(value) || value.length > most) throw new TypeError();
    return value;
  }

  function text(value, most = MOST.text) {
    if (typeof value !== "string" || value.length > most) throw new TypeError();
    return value;
  }

  const line = (value, most) => disarming.plain(text(value)).replace(/\s+/g, " ").trim().slice(0, most);
  const word = (value) => (typeof value === "string" && value ? line(value, 200) : null);
  const number = (value) => (Number.isFinite(value) ? value : null);

  function time(value) {
    const read = typeof value === "string" ? new Date(value) : null;
    return read && !Number.isNaN(read.getTime()) ? read.toISOString() : null;
  }

  function conversation(value) {
    const { id, title, begun, changed, turns: all, notices } = fields(value);
    const now = new Date().toISOString();
    const read = list(all, 10000).map(turn);
    // From a safety notice on nothing is taken: loaded again, it would stand there without it.
    const from = list(notices ?? [], MOST.turns).map((each) => number(fields(each).turn) ?? 0);
    const fixed = read.findIndex((each) => each.replies.some((one) => one.ended === "fixed"));
    const end = Math.max(0, Math.min(read.length, ...from, fixed < 0 ? Infinity : fixed));
    return {
      id: typeof id === "string" && /^[0-9a-f]{32}$/.test(id) ? id : newId(),
      title: line(title ?? "", MOST.title) || titleOf(read),
      begun: time(begun) ?? now,
      changed: time(changed) ?? now,
      turns: read.slice(0, end),
      left: read.length - end,
    };
  }

  function turn(value) {
    const { question, asked, shown, replies } = fields(value);
    const all = list(replies, MOST.replies).map(readReply);
    const at = Number.isInteger(shown) && all[shown] ? shown : 0;
    return { question: disarming.typed(text(question)), asked: time(asked), shown: at, replies: all };
  }

  function readReply(value) {
    const { answer, ended, whole, foot, ...facts } = fields(value);
    const read = {
      answer: answer === null ? null : disarming.written(text(answer)),
      ended: word(ended) ?? "unfinished",
      foot: foot === null ? null : readFoot(foot),
    };
    const finished = read.ended === "finished" && read.foot?.kind === "foot foot-finished";
    read.whole = whole === true && (finished || read.ended === "fixed");
    for (const name of FACTS) read[name] = word(facts[name]);
    for (const name of ["length", "temperature"]) read[name] = number(facts[name]);
    return read;
  }

  function readFoot(value) {
    const { kind, lines: all } = fields(value);
    const read = list(all, MOST.lines).map((each) => {
      const [name, words] = list(each, 2);
      return [named(name), disarming.typed(line(words, 2000))];
    });
    return { kind: named(kind), lines: read };
  }

  function named(value) {
    if (!NAME.test(text(value))) throw new TypeError();
    return value;
  }

  function read(written) {
    const { format, version, conversations } = fields(JSON.parse(written));
    if (format !== FORMAT) throw new TypeError();
    if (Number.isInteger(version) && version > VERSION) throw new TooNew();
    if (version !== VERSION) throw new TypeError();
    return list(conversations, MOST.conversations).map(conversation);
  }

  // What version 1 kept: one conversation, of one reply a turn.
  function readFirst(written) {
    const { version, turns: all } = fields(JSON.parse(written));
    if (version !== 1) throw new TypeError();
    const replied = list(all, MOST.turns).map((each) => {
      const { question, answer, whole, foot } = fields(each);
      const ended = foot && ENDED[text(foot.kind).replace("foot foot-", "")];
      const replies = answer === null && foot === null ? [] : [{ answer, whole, ended, foot }];
      return { question, asked: null, shown: 0, replies };
    });
    return conversation({ turns: replied });
  }

  // Written.

  function file(conversations) {
    const exported = new Date().toISOString();
    const { disclaimer } = words;
    return { format: FORMAT, version: VERSION, exported, disclaimer, conversations };
  }

  // Without its oldest turns, where it is too long to be kept.
  function fitted(one) {
    const sizes = one.turns.map((each) => JSON.stringify(each).length);
    let room = CHARACTERS;
    let from = sizes.length;
    while (from > 0 && sizes.length - from < MOST.turns && (room -= sizes[from - 1]) > 0) from -= 1;
    return { ...one, turns: one.turns.slice(from) };
  }

  function newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  // The beginning of the first question, to a word's end.
  function titleOf(turns) {
    const whole = line(turns[0]?.question ?? "", MOST.text);
    return whole.length <= 80 ? whole : `${whole.slice(0, 79).replace(/\s+\S*$/, "")}…`;
  }

  window.medicalgpt.schema = { MOST, VERSION, TooNew, turns, messages, replyMessages, marks, line,
    conversation, read, readFirst, file, fitted, newId, titleOf };
})();
