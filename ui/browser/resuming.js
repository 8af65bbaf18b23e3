// A lost connection. Gradio would load the page anew, and the conversation with it. Therefore what it
// asks of the server goes through here: a stream that breaks off and a post that fails are held until
// the server is there again, and then the answer is picked up where it is.
(() => {
  "use strict";

  const KEPT = "medicalgpt.lost"; // the conversation of an answer that is being written, in this tab
  const SILENCE = 10000; // milliseconds; a stream says something twice a second
  const PAUSE = 250; // the first after a second loss, doubled with each
  const LONGEST = 15000;
  const QUIET = 3000; // and so long where the looks at the state fail too
  const ADDRESS = /\/gradio_api\/(queue\/join|queue\/data|run\/predict)$/;
  const GATEWAY = [502, 504]; // the word of a proxy for a server that is not there
  const { words } = window.medicalgpt;
  const send = window.fetch.bind(window);
  const events = new Set(); // Gradio's, that have begun and not ended
  const inFlight = new Set(); // what aborts each request that is being held
  let token = ""; // by which the server knows whose answer it is
  let count = 0; // messages when it was asked
  let renamed = 0; // an old connection may linger, so that Gradio's session gets a new name each time
  let heardAt = 0;
  let lostAt = 0;
  let returnedAt = 0;
  let hasty = 0; // losses one soon after the other: each waits longer than the one before
  let back = null;
  let seconds = 0; // that the server keeps a lost answer for
  let server = ""; // which start of the server the page came from
  let reloading = false;
  let moved = false; // to the page of another language
  let capturing = () => {};

  const byId = (id) => document.getElementById(id);
  const comparing = () => document.querySelector(".comparison") !== null;

  window.fetch = (input, init) => {
    const address = new URL(input.url ?? input, document.baseURI);
    const kind = ADDRESS.exec(address.pathname)?.[1];
    if (!kind) return send(input, init);
    if (comparing()) return send(input, kind === "queue/join" ? tokened(init) : init);
    return kind === "queue/data" ? listen(address, input.signal) : post(address, init, kind);
  };

  function tokened(init) {
    const headers = new Headers(init.headers);
    if (token) headers.set("x-medicalgpt-token", token);
    return { ...init, headers };
  }

  function name(session) {
    return renamed ? `${session}-${renamed}` : session;
  }

  async function post(address, init, kind) {
    const body = JSON.parse(init.body);
    const session = body.session_hash;
    for (;;) {
      body.session_hash = name(session);
      const response = await attempt((signal) =>
        send(address, { ...tokened(init), body: JSON.stringify(body), signal }),
      );
      if (!response || GATEWAY.includes(response.status)) {
        await lose();
        continue;
      }
      const said = kind === "queue/join" && (await response.clone().json().catch(() => null));
      if (said?.event_id) events.add(said.event_id);
      return response;
    }
  }

  // What `ask` gives, or null where it failed or was given up.
  async function attempt(ask) {
    const abort = new AbortController();
    inFlight.add(abort);
    try {
      return await ask(abort.signal);
    } catch {
      return null;
    } finally {
      inFlight.delete(abort);
    }
  }

  function listen(address, unwanted) {
    const start = (out) => void relay(address, unwanted, out);
    const headers = { "content-type": "text/event-stream" };
    return Promise.resolve(new Response(new ReadableStream({ start }), { headers }));
  }

  async function relay(address, unwanted, out) {
    const encoder = new TextEncoder();
    const give = (text) => out.enqueue(encoder.encode(`${text}\n\n`));
    address.searchParams.set("session_hash", name(address.searchParams.get("session_hash")));
    try {
      if (!(await attempt((signal) => passOn(address, signal, give))) && !unwanted.aborted) {
        if (events.size) await lose();
        conclude(give);
      }
      out.close();
    } catch {
      // Gradio has closed it.
    }
  }

  // The stream as it comes; whether it came to its end.
  async function passOn(address, signal, give) {
    const response = await send(address, { signal });
    for await (const text of response.ok ? read(response.body) : []) {
      const message = JSON.parse(text.replace(/^data: /, ""));
      if (message.msg === "unexpected_error") return false;
      heardAt = Date.now();
      if (message.msg === "process_completed") events.delete(message.event_id);
      give(text);
      if (message.msg === "close_stream") return true;
    }
    return false;
  }

  async function* read(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    let patience; // before anything came, a proxy may be gathering
    try {
      for (;;) {
        const { value, done } = await within(patience, reader.read());
        if (done) return;
        const parts = (rest + value).split("\n\n");
        rest = parts.pop();
        yield* parts;
        patience = SILENCE;
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  function within(milliseconds, promise) {
    if (!milliseconds) return promise;
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(reject, milliseconds, new Error("silence"));
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  }

  // Gradio's events end as if they had said nothing more; the answer comes by an event of its own.
  function conclude(give) {
    for (const event_id of events) {
      const output = { data: [] };
      give(`data: ${JSON.stringify({ msg: "process_completed", event_id, output, success: true })}`);
    }
    const cut = events.size > 0;
    events.clear();
    give('data: {"msg": "close_stream"}');
    if (cut && token) byId("resume")?.click();
  }

  // The connection is gone. Gives a promise of its return.
  function lose() {
    if (back) return back.promise;
    lostAt = Date.now();
    hasty = lostAt - returnedAt < SILENCE ? hasty + 1 : 0;
    back = {};
    back.promise = new Promise((resolve) => (back.resolve = resolve));
    for (const each of inFlight) each.abort();
    const { promise } = back;
    capture().then(() => window.medicalgpt.look());
    return promise;
  }

  function say() {
    const over = token && Date.now() - lostAt > seconds * 1000;
    if (over) document.body.classList.remove("answering");
    window.medicalgpt.gone(over ? words.lost_over : token ? words.lost_going : words.lost_sending);
  }

  // What the page tells of its looks at the server.

  function heard(state) {
    server ||= state.server;
    seconds = state.resume;
    if (!back) return;
    if (server !== state.server) return anew();
    const { resolve } = back;
    back = null;
    renamed += 1;
    window.medicalgpt.returned();
    if (!token) forget();
    returnedAt = Date.now();
    // Where only the looks get through, to ask again at once would go round without a pause.
    setTimeout(resolve, hasty && Math.min(LONGEST, PAUSE * 2 ** hasty));
  }

  // Another server, whose functions may be others.
  function anew() {
    reloading = true;
    capture().then(() => location.reload());
  }

  // For the page of another language, which goes on with what this one shows. A comparison ends.
  function leave(go) {
    if (comparing() || !byId("capture")) return go();
    reloading = moved = true;
    setTimeout(() => (reloading = moved = false), LONGEST); // it came to nothing
    capture().then(go);
  }

  function missed(often) {
    if (back) say();
    else if (often && inFlight.size && !hearing()) lose();
  }

  function hearing() {
    return Date.now() - heardAt < QUIET;
  }

  // What is kept in this tab until the answer has ended.

  function asked(shown) {
    if (token && shown.length === count) return; // a second click
    sign();
    token = [...crypto.getRandomValues(new Uint8Array(32))]
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join("");
    count = shown.length;
    if (!comparing()) store(shown);
  }

  function answered() {
    sign();
    token = "";
    forget();
  }

  // Another tab has it, a copy of this one: nothing is to be said of it any more.
  function released() {
    token = "";
  }

  // The server need not keep the answer any longer. Said as often as one likes.
  function sign() {
    if (token) navigator.sendBeacon("gone", token);
  }

  function store(shown) {
    const typed = document.querySelector("#question textarea")?.value ?? "";
    const kept = { shown, token, count, typed, moved };
    const others = window.medicalgpt.alternatives.dump();
    // No storage, or too much for it: then a page that is loaded again begins afresh.
    if (!put({ ...kept, others })) put(kept);
    window.medicalgpt.stand();
  }

  function put(kept) {
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(kept));
      return true;
    } catch {
      return false;
    }
  }

  function forget() {
    sessionStorage.removeItem(KEPT);
    window.medicalgpt.standDown();
  }

  // Through an event of Gradio's, because only these are told what the page shows.
  function capture() {
    const done = new Promise((resolve) => (capturing = resolve));
    byId("capture")?.click();
    return Promise.race([done, new Promise((resolve) => setTimeout(resolve, 1000))]);
  }

  function captured(shown) {
    if (token || back || reloading) store(shown);
    capturing();
  }

  // A page that was loaded again: the conversation as it was, and the answer that is still written.
  function carried() {
    const written = window.medicalgpt.leaving ? null : sessionStorage.getItem(KEPT);
    if (!written) return [];
    sessionStorage.removeItem(KEPT);
    try {
      const kept = JSON.parse(written);
      if (kept.typed) window.medicalgpt.giveBack(kept.typed, kept.moved ? "" : words.lost);
      ({ token, count } = kept);
      if (token) setTimeout(() => byId("resume").click());
      window.medicalgpt.alternatives.load(kept.others ?? []);
      return [kept.shown];
    } catch {
      return [];
    }
  }

  function resuming(shown) {
    store(shown);
    window.medicalgpt.goesOn();
    return [shown];
  }

  addEventListener("pagehide", () => reloading || sign());
  // Out of the browser's own store of pages: the answer was ended when the page was left.
  addEventListener("pageshow", ({ persisted }) => persisted && token && lose());
  document.addEventListener("visibilitychange", () => {
    if (comparing() || !token) return;
    if (document.hidden) capture(); // it may be thrown out of memory
    else wake();
  });
  addEventListener("online", wake);

  // After a sleep, or in another network, a connection may be dead without having ended.
  function wake() {
    setTimeout(() => events.size && !hearing() && lose(), QUIET / 2);
  }

  Object.assign(window.medicalgpt, { heard, missed, hearing, asked, answered, released });
  Object.assign(window.medicalgpt, { captured, carried, resuming, leave });
})();
