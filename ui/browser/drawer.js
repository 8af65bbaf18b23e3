// The two dialogs: the conversations that are kept, and taking one along.
(() => {
  "use strict";

  const { words, schema, conversations, exporting } = window.medicalgpt;
  const LARGEST = 5000000; // bytes of a file that is read at all
  const byId = (id) => document.getElementById(id);
  const answering = () => document.body.classList.contains("answering");
  let look = null; // who waits for the conversation on the page
  let asked = null; // what of the list is being renamed or deleted: an id, and which of both

  function withPage(act) {
    look = act;
    byId("look").click();
  }

  function looked(shown) {
    look?.(shown);
    look = null;
  }

  function make(tag, text, attributes = {}) {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  function button(text, act, attributes = {}) {
    const made = make("button", text, { type: "button", ...attributes });
    made.addEventListener("click", act);
    return made;
  }

  const named = (sentence, title) => ({ "aria-label": sentence.replace("{title}", title) });

  // The list, drawn anew whenever something changes; the focus stays where it can.

  function draw(told) {
    byId("temporary")?.setAttribute("aria-pressed", String(conversations.isTemporary()));
    const dialog = byId("conversations");
    if (!dialog?.open) return;
    const all = conversations.all();
    byId("keeping").checked = conversations.on();
    byId("kept-state").textContent = typeof told === "string" ? told : conversations.state();
    byId("kept-none").hidden = all.length > 0 || !conversations.on();
    byId("import-kept").hidden = !conversations.on();
    byId("export-kept").hidden = byId("delete-kept").hidden = all.length === 0;
    byId("kept-list").replaceChildren(...all.map(item));
    if (!dialog.contains(document.activeElement)) dialog.querySelector("[data-close]").focus();
  }

  function item(kept) {
    const made = make("li", "");
    const act = asked?.id === kept.id ? asked.act : null;
    made.append(...(act === "rename" ? renaming(kept) : act === "delete" ? deleting(kept) : row(kept)));
    return made;
  }

  function row(kept) {
    const { id, title, changed } = kept;
    const open = button("", () => opens(id), { class: "open" });
    const form = { dateStyle: "medium", timeStyle: "short" };
    const when = new Intl.DateTimeFormat(window.medicalgpt.locale, form);
    open.append(make("b", title), make("span", when.format(new Date(changed))));
    if (conversations.isHere(id)) open.setAttribute("aria-current", "true");
    return [
      open,
      button(words.rename, () => ask(id, "rename"), named(words.rename_this, title)),
      button(words.delete, () => ask(id, "delete"), named(words.delete_this, title)),
    ];
  }

  function renaming({ id, title }) {
    const field = make("input", "", { value: title, maxlength: schema.MOST.title, ...named(words.rename_this, title) });
    const save = () => (conversations.rename(id, field.value), ask(null));
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // else it would press what gets the focus
      save();
    });
    return [field, button(words.save, save), button(words.cancel, () => ask(null))];
  }

  function deleting({ id, title }) {
    const sentence = words.delete_sure.replace("{title}", title);
    const remove = () => {
      conversations.remove(id);
      ask(null, null, words.deleted);
    };
    return [make("p", sentence), button(words.delete, remove, { class: "danger" }), button(words.cancel, () => ask(null))];
  }

  // Turn a row into what asks for a name or for a yes, or back.
  function ask(id, act, told) {
    const before = asked?.id;
    asked = id && { id, act };
    draw(told);
    const at = conversations.all().findIndex((one) => one.id === (id ?? before));
    const row = byId("kept-list").children[at];
    const target = row?.querySelector(id ? "input, .danger" : ".open") ?? byId("conversations").querySelector("[data-close]");
    target.focus();
    target.select?.();
  }

  function opens(id) {
    if (answering()) return draw(words.still_answering);
    conversations.open(id);
    byId("conversations").close();
  }

  function deleteAll() {
    const sure = byId("delete-kept").dataset.sure;
    sureOf(!sure);
    if (!sure) return;
    conversations.removeAll();
    draw(words.deleted);
  }

  // The first press of the button asks, the second does it.
  function sureOf(now) {
    const pressed = byId("delete-kept");
    pressed.dataset.label ??= pressed.textContent;
    if (now) pressed.dataset.sure = "yes";
    else delete pressed.dataset.sure;
    const count = conversations.all().length;
    pressed.textContent = now ? words.delete_all_sure.replace("{n}", count) : pressed.dataset.label;
  }

  async function importFile(file) {
    byId("import-file").value = "";
    if (!file) return;
    try {
      if (file.size > LARGEST) throw new TypeError();
      const { added, left, full } = conversations.add(await file.text());
      if (full) return draw(words.import_full);
      draw(`${words.imported.replace("{n}", added)}${left ? ` ${words.import_left}` : ""}`);
    } catch (error) {
      draw(error instanceof schema.TooNew ? words.import_new : words.import_broken);
    }
  }

  function take(form) {
    withPage((shown) => {
      if (!shown?.length) return void (byId("export-told").textContent = words.nothing_to_export);
      byId("exporting").close();
      exporting.take(form, shown, byId("export-reasoning").checked);
    });
  }

  function show(name) {
    asked = null;
    byId("export-told").textContent = "";
    byId(name).showModal();
    if (name === "conversations") sureOf(false);
    draw();
  }

  const ACTS = {
    "open-conversations": () => show("conversations"),
    "open-exporting": () => show("exporting"),
    "export-this": () => (byId("conversations").close(), show("exporting")),
    temporary: () => conversations.begin(!conversations.isTemporary()),
    "import-kept": () => byId("import-file").click(),
    "export-kept": () => exporting.takeAll(conversations.all()),
    "delete-kept": deleteAll,
  };

  document.addEventListener("click", ({ target }) => {
    const pressed = target.closest("button");
    if (pressed && pressed.id !== "delete-kept") byId("delete-kept")?.dataset.sure && sureOf(false);
    if (pressed?.dataset.form) take(pressed.dataset.form);
    else if (pressed && Object.hasOwn(ACTS, pressed.id)) ACTS[pressed.id]();
    // A press of Close, or beside the dialog, whose own box is then what was hit.
    if (pressed?.matches("dialog [data-close]")) pressed.closest("dialog").close();
    else if (target.matches("dialog[open]")) target.close();
  });

  document.addEventListener("change", ({ target }) => {
    if (target.id === "import-file") importFile(target.files[0]);
    if (target.id !== "keeping") return;
    if (target.checked) withPage(conversations.switchOn);
    else conversations.switchOff();
  });

  // Escape leaves what is asked, then the dialog; it does not stop an answer, as it does elsewhere.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !document.querySelector("dialog[open]")) return;
    event.stopImmediatePropagation();
    if (!asked) return;
    event.preventDefault();
    ask(null);
  }, true);

  document.addEventListener("medicalgpt:kept", draw);
  Object.assign(window.medicalgpt, { looked });
})();
