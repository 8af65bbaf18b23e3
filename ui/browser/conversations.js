// The conversations that this browser keeps, for a visitor who asks for it. The server takes no
// part: they go from the page into localStorage and back, each under a name of its own.
(() => {
  "use strict";

  const SWITCH = "medicalgpt.keeping"; // there only while keeping is switched on
  const ONE = "medicalgpt.kept."; // and the id of a conversation
  const FIRST = "medicalgpt.kept"; // where version 1 kept its one conversation
  const HERE = "medicalgpt.here"; // of this tab: the id of the one on the page, or TEMPORARY
  const TEMPORARY = "temporary";
  const { words, schema } = window.medicalgpt;
  let here = null; // the kept conversation that is on the page: its id, and its last change known
  let temporary = false; // whether the one on the page is not to be kept, although others are
  let next = null; // what a press of a button of Gradio's is for

  const tell = (sentence) => window.medicalgpt.tell(sentence);
  const press = (id) => document.getElementById(id)?.click();

  function attempt(act) {
    try {
      return act();
    } catch {
      return null; // this browser allows no storage
    }
  }

  const on = () => attempt(() => localStorage.getItem(SWITCH)) !== null;
  const drop = (name) => attempt(() => localStorage.removeItem(name));
  // A conversation that was loaded again would stand there without its notice.
  const warned = () => document.querySelector("#alarms .alarm") !== null;

  function changed() {
    document.body.classList.toggle("keeping", on());
    document.body.classList.toggle("temporary", on() && temporary);
    document.dispatchEvent(new Event("medicalgpt:kept"));
  }

  function settle(now, isTemporary) {
    here = now;
    temporary = isTemporary;
    const mark = now ? now.id : isTemporary ? TEMPORARY : null;
    attempt(() => (mark ? sessionStorage.setItem(HERE, mark) : sessionStorage.removeItem(HERE)));
    changed();
  }

  // One of them, checked; null where there is none, or one of a later version of this page. One that
  // cannot be read is deleted, with a sentence.
  function one(id) {
    const written = attempt(() => localStorage.getItem(ONE + id));
    if (written === null) return null;
    try {
      const [found] = schema.read(written);
      return { ...found, id };
    } catch (error) {
      if (error instanceof schema.TooNew) return null;
      drop(ONE + id);
      tell(words.kept_broken);
      return null;
    }
  }

  function ids() {
    const names = attempt(() => Object.keys(localStorage)) ?? [];
    return names.filter((name) => name.startsWith(ONE)).map((name) => name.slice(ONE.length));
  }

  // All that are kept, the one that was changed last first.
  function all() {
    const found = ids().map(one).filter(Boolean);
    return found.sort((a, b) => (a.changed < b.changed ? 1 : -1));
  }

  // Throws where there is no room.
  function write({ left, ...conversation }) {
    const written = schema.file([schema.fitted(conversation)]);
    delete written.disclaimer;
    localStorage.setItem(ONE + conversation.id, JSON.stringify(written));
  }

  // Two tabs may go on with one conversation: then there are two.
  function keep(shown) {
    if (!on() || temporary || warned()) return;
    const kept = here && one(here.id);
    if (here && !kept) return settle(null, true); // deleted meanwhile
    const turns = schema.turns(shown).filter(({ replies }) => replies.every(({ ended }) => ended !== "fixed"));
    if (!turns.length || (kept && JSON.stringify(kept.turns) === JSON.stringify(turns))) return;
    const mine = kept && kept.changed === here.changed;
    if (!mine && ids().length >= schema.MOST.conversations) return tell(words.kept_full);
    const now = new Date().toISOString();
    const id = mine ? kept.id : schema.newId();
    const title = kept?.title ?? schema.titleOf(turns);
    try {
      write({ id, title, begun: kept?.begun ?? turns[0].asked ?? now, changed: now, turns });
      settle({ id, changed: now }, false);
    } catch {
      tell(words.kept_full);
    }
  }

  function switchOn(shown) {
    try {
      localStorage.setItem(SWITCH, "on");
    } catch {
      return tell(words.not_kept), changed();
    }
    settle(here, false);
    keep(shown);
  }

  // What is kept stays until it is deleted.
  function switchOff() {
    drop(SWITCH);
    settle(here, false);
  }

  function rename(id, title) {
    const kept = one(id);
    title = schema.line(title, schema.MOST.title);
    if (!kept || !title) return;
    try {
      write({ ...kept, title });
    } catch {
      tell(words.kept_full);
    }
    changed();
  }

  // What is deleted leaves the page too, unless its answer is still being written.
  function remove(id) {
    drop(ONE + id);
    if (here?.id !== id) return changed();
    settle(null, true);
    if (!document.body.classList.contains("answering")) press("new");
  }

  function removeAll() {
    const shown = here;
    ids().forEach((id) => drop(ONE + id));
    if (shown) remove(shown.id);
    changed();
  }

  // All or none of them, under new ids. Throws what cannot be read.
  function add(written) {
    const found = schema.read(written).map((each) => ({ ...each, id: schema.newId() }));
    const fitted = found.map(schema.fitted);
    const left = fitted.some((each, at) => each.left || each.turns.length < found[at].turns.length);
    const read = fitted.filter(({ turns }) => turns.length);
    if (ids().length + read.length > schema.MOST.conversations) return { full: true };
    try {
      read.forEach(write);
    } catch {
      read.forEach(({ id }) => drop(ONE + id));
      return { full: true };
    }
    changed();
    return { added: read.length, left };
  }

  // What was kept by version 1 of this page.
  function migrate() {
    const written = attempt(() => localStorage.getItem(FIRST));
    if (written === null) return;
    try {
      const kept = schema.readFirst(written);
      localStorage.setItem(SWITCH, "on");
      if (kept.turns.length) write(kept), settle({ id: kept.id, changed: kept.changed }, false);
    } catch {
      tell(words.kept_broken);
    }
    drop(FIRST);
  }

  // What the page's events call. Each gives what its outputs shall show.

  function show(kept) {
    window.medicalgpt.alternatives.clear();
    kept.turns.forEach(({ shown, replies, asked }, index) => {
      if (replies.length < 2) return;
      const messages = replies.map((each) => schema.replyMessages(each, asked));
      window.medicalgpt.alternatives.restore(index, { shown, replies: messages });
    });
    return schema.messages(kept.turns);
  }

  function restored() {
    migrate();
    const mark = attempt(() => sessionStorage.getItem(HERE));
    const kept = mark && mark !== TEMPORARY ? one(mark) : null;
    settle(kept && { id: kept.id, changed: kept.changed }, mark === TEMPORARY);
    return [kept ? show(kept) : []];
  }

  function open(id) {
    next = id;
    press("open-kept");
  }

  function opened() {
    const kept = one(next);
    settle(kept && { id: kept.id, changed: kept.changed }, false);
    return [kept ? show(kept) : [], "", "", ""];
  }

  function begin(isTemporary) {
    next = isTemporary ? TEMPORARY : null;
    press("new");
  }

  function renewed() {
    settle(null, next === TEMPORARY);
    next = null;
  }

  function state() {
    if (!on()) return ids().length ? words.keeping_off_some : words.keeping_off;
    if (temporary) return words.keeping_temporary;
    return warned() ? words.keeping_warned : words.keeping_on;
  }

  // What happens in another tab happens here.
  window.addEventListener("storage", ({ key }) => {
    if (key !== null && key !== SWITCH && !key.startsWith(ONE)) return;
    if (here && attempt(() => localStorage.getItem(ONE + here.id)) === null) settle(null, true);
    else changed();
  });

  const current = () => (here ? one(here.id) : null);
  window.medicalgpt.conversations = { on, all, current, isHere: (id) => here?.id === id, state,
    isTemporary: () => temporary, switchOn, switchOff, rename, remove, removeAll, add, open, begin };
  Object.assign(window.medicalgpt, { restored, keep, opened, renewed });
})();
