// The conversation on the page, taken along: as Markdown, as JSON, on paper. Made in the browser
// alone. Both readable forms are written from the same blocks, so that neither leaves a mark out.
(() => {
  "use strict";

  const { words, schema, disarming } = window.medicalgpt;
  const MARKDOWN = {
    title: (text) => `# ${text}`,
    heading: (text) => `## ${text}`,
    part: (text) => `### ${text}`,
    question: quoted,
    notice: (text) => quoted(text, "**"),
    mark: (text) => `> **${text}**`,
    note: (text) => `> ${text}`,
    fact: (text) => `- ${text}`,
    said: (text) => text,
    plain: (text) => text,
  };

  const fill = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  function date(iso) {
    const form = { dateStyle: "long", timeStyle: "short" };
    return new Intl.DateTimeFormat(window.medicalgpt.locale, form).format(new Date(iso));
  }

  // The page as a conversation of the schema, with the notices that stand above it.
  function onPage(shown, reasoning) {
    const turns = schema.turns(shown, reasoning);
    const now = new Date().toISOString();
    const kept = window.medicalgpt.conversations.current();
    return {
      id: kept?.id ?? schema.newId(),
      title: kept?.title ?? schema.titleOf(turns),
      begun: kept?.begun ?? turns.find(({ asked }) => asked)?.asked ?? now,
      changed: kept?.changed ?? now,
      turns,
      notices: notices(turns),
    };
  }

  // Fixed text of ours. It holds from the first turn with a fixed reply on, or from the last one.
  function notices(turns) {
    const fixed = turns.findIndex(({ replies }) => replies.some(({ ended }) => ended === "fixed"));
    const turn = fixed < 0 ? Math.max(0, turns.length - 1) : fixed;
    return [...document.querySelectorAll("#alarms .alarm")].map((alarm) => {
      const copy = alarm.cloneNode(true);
      copy.querySelectorAll("[hidden], .short, .where").forEach((each) => each.remove());
      const said = [...copy.querySelectorAll("h2, p, li")].map((each) => schema.line(each.textContent, 2000));
      return { turn, level: alarm.classList.contains("alarm-crisis") ? "crisis" : "emergency", text: said.join("\n") };
    });
  }

  // Blocks: each a kind, its text, and for what a model said where it stands on the page.

  function blocks(conversation) {
    const { title, begun, turns } = conversation;
    const facts = [fill(words.begun_on, { date: date(begun) }), fill(words.exported_on, { date: date(Date.now()) })];
    return [
      { kind: "title", text: title },
      ...facts.map((text) => ({ kind: "fact", text })),
      { kind: "mark", text: words.disclaimer },
      ...conversation.notices.flatMap(({ text }) => [
        { kind: "part", text: words.safety_notice },
        { kind: "notice", text },
      ]),
      ...turns.flatMap(turnBlocks),
      { kind: "mark", text: words.disclaimer },
    ];
  }

  function turnBlocks({ question, asked, replies, shown }, turn) {
    const head = asked ? fill(words.asked_on, { date: date(asked) }) : words.asked;
    const each = (one, at) => [
      { kind: "part", text: heading(one, at, replies.length) },
      ...replyBlocks(one, at === shown ? turn : null),
    ];
    return [
      { kind: "heading", text: head },
      { kind: "question", text: question },
      ...(replies.length ? replies.flatMap(each) : [{ kind: "mark", text: words.ended_unfinished }]),
    ];
  }

  function heading(one, at, count) {
    if (one.ended === "fixed") return words.fixed_reply;
    return count === 1 ? words.answer : fill(words.answer_of, { n: at + 1, count });
  }

  // A mark stands before what it marks: nothing that is cut off within can swallow it.
  function replyBlocks(one, turn) {
    const ending = words[`ended_${one.ended}`] ?? words.ended_unfinished;
    const whole = one.whole || one.ended === "fixed";
    const said = schema.marks(one);
    const marks = said.length || whole ? said : [one.answer === null ? ending : words.unfinished];
    const notes = (one.foot?.lines ?? []).filter(([name]) => /^(caveat|caution)$/.test(name));
    return [
      ...marks.map((text) => ({ kind: "mark", text })),
      ...(one.answer === null ? [] : [{ kind: "said", text: one.answer, turn }]),
      ...notes.map(([, text]) => ({ kind: "note", text: disarming.plain(text) })),
      ...facts(one, ending).map((text) => ({ kind: "fact", text })),
      ...(one.reasoning ? [{ kind: "part", text: words.reasoning }, { kind: "said", text: one.reasoning }] : []),
    ];
  }

  function facts(one, ending) {
    const known = ["model", "revision", "adapter", "effort", "length", "temperature"];
    const number = new Intl.NumberFormat(window.medicalgpt.locale, { useGrouping: false });
    const value = (name) => {
      if (name === "effort") return words[`effort_${one.effort}`] ?? one.effort;
      return typeof one[name] === "number" ? number.format(one[name]) : one[name];
    };
    const told = known.filter((name) => one[name] !== null);
    return [
      fill(words.how_ended, { ending }),
      ...told.map((name) => fill(words[`fact_${name}`], { value: value(name) })),
    ];
  }

  // As Markdown.

  function quoted(text, strong = "") {
    return text.split("\n").map((line) => `> ${line && strong + line + strong}`.trim()).join("\n");
  }

  function markdown(all) {
    let written = "";
    let before = "";
    for (const { kind, text } of all) {
      const safe = kind === "said" || kind === "question" ? closed(disarming.escaped(text)) : literal(text);
      written += (kind === "fact" && before === "fact" ? "\n" : "\n\n") + MARKDOWN[kind](safe);
      before = kind;
    }
    return `${written.trim()}\n`;
  }

  const literal = (text) => disarming.plain(text).replace(/[\\`*_[\]<>#|!]/g, "\\$&");

  // A block of code that was cut off would take in all that follows.
  function closed(text) {
    let fence = "";
    for (const line of text.split("\n")) {
      const [, marks, rest] = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(line) ?? [];
      if (!marks) continue;
      if (!fence) fence = marks[0] === "`" && rest.includes("`") ? "" : marks;
      else if (marks.startsWith(fence) && !rest.trim()) fence = "";
    }
    return fence ? `${text}\n${fence}` : text;
  }

  // On paper: what Gradio has rendered of an answer that is on the page, else its text.

  function paper(all, name) {
    document.getElementById("print")?.remove();
    const sheet = document.createElement("section");
    sheet.id = "print";
    const tags = { title: "h1", heading: "h2", part: "h3" };
    for (const { kind, text, turn } of all) {
      const made = document.createElement(tags[kind] ?? "div");
      made.className = kind;
      const rendered = kind === "said" && Number.isInteger(turn) ? answerOf(turn) : null;
      made.classList.toggle("rendered", rendered !== null);
      if (rendered) made.append(...copied(rendered).childNodes);
      else made.textContent = disarming.plain(text);
      sheet.append(made);
    }
    document.body.append(sheet);
    const { title } = document;
    const done = () => ((document.title = title), setTimeout(() => sheet.remove(), 1000));
    window.addEventListener("afterprint", done, { once: true });
    document.title = name; // what browsers call the PDF
    window.print();
  }

  function copied(rendered) {
    const copy = rendered.cloneNode(true);
    const texts = document.createTreeWalker(copy, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) texts.currentNode.data = disarming.plain(texts.currentNode.data);
    return copy;
  }

  function answerOf(turn) {
    const rows = [...document.querySelectorAll("#chat .message-row")];
    const asked = rows.filter((row) => row.matches(".user-row"))[turn];
    let row = asked?.nextElementSibling;
    while (row?.matches(".bot-row") && row.querySelector(".thought-group, .foot")) row = row.nextElementSibling;
    return row?.matches(".bot-row") ? row.querySelector(".prose") : null;
  }

  // Given to the visitor.

  function nameOf({ begun, title }) {
    const day = new Date(begun).toLocaleDateString("sv"); // 2026-11-26
    const first = title.toLocaleLowerCase(document.documentElement.lang).replace(/[^\p{L}\p{M}\p{N}]+/gu, "-").slice(0, 40);
    return ["medicalgpt", day, first.replace(/^-+|-+$/g, "")].filter(Boolean).join("-");
  }

  function save(conversation, kind, text, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = `${nameOf(conversation)}.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  const json = (conversations) => JSON.stringify(schema.file(conversations), null, 2);

  const FORMS = {
    markdown: (one) => save(one, "md", markdown(blocks(one)), "text/markdown;charset=utf-8"),
    json: (one) => save(one, "json", json([one]), "application/json"),
    print: (one) => paper(blocks(one), nameOf(one)),
  };

  function take(form, shown, reasoning) {
    FORMS[form](onPage(shown, reasoning));
  }

  function takeAll(conversations) {
    const begun = new Date().toISOString();
    save({ begun, title: "" }, "json", json(conversations), "application/json");
  }

  window.medicalgpt.exporting = { take, takeAll };
})();
