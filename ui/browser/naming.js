// What Gradio's parts are called, for who hears the page: our words in the place of its own, what is
// open and what is not, and nothing of the transcript spoken by itself.
(() => {
  "use strict";

  const { words } = window.medicalgpt;
  const LOGS = { asked: words.name_asked, adapted: words.name_adapted, plain: words.name_plain };

  function call(element, name) {
    if (element.ariaLabel !== name) element.ariaLabel = name;
    if (element.title) element.title = name;
  }

  // Of a message Gradio makes a label that repeats all of its markup, and makes it again with every
  // word. A reference has precedence over it, and stays.
  function callMessage(message) {
    const kind = message.matches("[data-testid=user]")
      ? "question"
      : message.querySelector(".thought-group")
        ? "reasoning"
        : message.querySelector(".foot")
          ? "foot"
          : "reply";
    const name = `name-${kind}`;
    if (message.getAttribute("aria-labelledby") === name) return;
    message.role = "group";
    message.setAttribute("aria-labelledby", name);
  }

  // Which button it is, Gradio says in the browser's language only; but their order is fixed.
  function callButtons(row) {
    const [first, second] = row.querySelectorAll(".message-buttons .icon-button");
    const editing = row.querySelector("textarea");
    const other = row.matches(".user-row") ? words.edit : words.retry;
    if (first) call(first, editing ? words.submit : words.copy);
    if (second) call(second, editing ? words.cancel : other);
    if (editing) call(editing, words.edit);
  }

  function silence() {
    for (const log of document.querySelectorAll("#chat [role=log]:not([aria-live=off])")) {
      log.ariaLive = "off";
    }
  }

  function name() {
    silence();
    for (const log of document.querySelectorAll("#chat [role=log]")) {
      call(log, LOGS[log.closest("[id]").id] ?? words.name_conversation);
    }
    document.querySelectorAll("#chat .message [data-testid]").forEach(callMessage);
    document.querySelectorAll("#chat .message-row").forEach(callButtons);
    for (const title of document.querySelectorAll("#chat .thought-group [role=button]")) {
      title.ariaExpanded = String(title.classList.contains("expanded"));
    }
    for (const copy of document.querySelectorAll("#chat .copy_code_button")) call(copy, words.copy_code);
    const down = document.querySelector("#chat .scroll-down-button-container button");
    if (down) call(down, words.scroll_down);
    nameExamples();
  }

  // A list that has no items, in an aside that is none; each is called what it asks.
  function nameExamples() {
    for (const each of document.querySelectorAll("#chat :is(.placeholder-content, .examples)[role]")) {
      each.removeAttribute("role");
    }
    for (const each of document.querySelectorAll("#chat .example[aria-label]")) {
      each.removeAttribute("aria-label");
    }
  }

  function nameSettings() {
    const head = document.querySelector("#settings .label-wrap");
    if (!head) return;
    head.ariaExpanded = String(head.classList.contains("open"));
    head.querySelector(".icon").ariaHidden = "true";
    for (const block of document.querySelectorAll("#settings .block:has([data-testid=block-info])")) {
      const title = block.querySelector("[data-testid=block-info]").textContent.trim();
      if (block.matches("fieldset")) call(block, title);
      for (const input of block.querySelectorAll("input:is([type=range], [type=number])")) call(input, title);
      const reset = block.querySelector(".reset-button");
      if (reset) call(reset, words.reset.replace("{title}", title));
      // One group, which the arrow keys go through: Gradio gives each choice a name of its own.
      for (const choice of block.querySelectorAll("input[type=radio]")) choice.name = title;
    }
  }

  function begin() {
    const names = document.createElement("div");
    names.hidden = true;
    for (const kind of ["question", "reasoning", "reply", "foot"]) {
      const each = document.createElement("span");
      each.id = `name-${kind}`;
      each.textContent = words[`name_${kind}`];
      names.append(each);
    }
    document.body.append(names);
    watchSettings();
  }

  function watchSettings() {
    const settings = document.getElementById("settings");
    if (!settings) return void setTimeout(watchSettings, 100);
    const changes = { childList: true, subtree: true, attributeFilter: ["class"] };
    new MutationObserver(nameSettings).observe(settings, changes);
    nameSettings();
  }

  window.medicalgpt.drawn(name);
  Object.assign(window.medicalgpt, { naming: { begin, silence } });
})();
