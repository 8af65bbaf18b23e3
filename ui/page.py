"""The page: its layout, and what each act of a visitor sets off."""

# Gradio's own annotations are partial.
# pyright: reportUnknownMemberType=false, reportPrivateImportUsage=false

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from html import escape
from pathlib import Path
from typing import Any, cast

import gradio as gr

from backend.base import MIN_NEW_TOKENS, Backend, BackendInfo, Busy, Effort, Option, Options
from chat.conversation import Conversation, QuestionError, QuestionTooLong
from chat.conversation import question as checked
from safety.finding import Finding
from settings import Settings
from ui import alarm, panels, words
from ui.limits import QUEUE, NotNow
from ui.panels import Message
from ui.runs import Runs

log = logging.getLogger("medicalgpt.run")

HERE = Path(__file__).parent
BEGUN = "(shown) => window.medicalgpt.begun(shown)"
SETTLED = "(shown) => window.medicalgpt.settled(shown)"
STOPPED = "() => window.medicalgpt.stopped()"
KEEP_TURN = "(shown) => window.medicalgpt.keep(shown)"
KEEP = cast(Any, gr.skip())
"""An output that stays as it is."""
Asked = tuple[list[Message], Any, Any]
"""The conversation, and the notices of an emergency and a crisis: one that stands stays."""


class Page:
    """What the page's events do. One instance serves every visitor and holds nothing of theirs."""

    def __init__(self, backend: Backend, runs: Runs, settings: Settings) -> None:
        self._backend = backend
        self._runs = runs
        self._show_reasoning = settings.show_reasoning
        self._wake_on_load = settings.wake_on_load

    async def begin(
        self, text: str, shown: object, request: gr.Request
    ) -> tuple[Any, Any, Any, Any, Any]:
        """Put what was typed into the conversation. With a fault it stays in the box.

        Whatever becomes of the question, a red flag in it is answered by its notice.
        """
        history = panels.history(shown)
        finding = await _look(history, text)
        banners = _banners(finding)
        if self._runs.of(_visitor(request)) is not None:
            return KEEP, KEEP, _notice(words.STILL_ANSWERING), *banners
        try:
            question = panels.question(checked(text))
        except QuestionError as fault:
            return KEEP, KEEP, _notice(_cannot_ask(fault)), *banners
        history = [*history, question]
        return self._fixed(finding, history) or history, "", _notice(""), *banners

    async def example(self, shown: object, picked: gr.SelectData) -> Asked:
        texts = [text for text in words.EXAMPLES if picked.value == {"text": text}]
        return await self._again([*panels.history(shown), *map(panels.question, texts)])

    async def retry(self, shown: object, picked: gr.RetryData) -> Asked:
        return await self._again(_up_to_question(panels.history(shown), _index(picked.index)))

    async def choose(
        self, shown: object, length: float, picked: gr.SelectData
    ) -> tuple[list[Message], Any, Any, Any]:
        """The buttons under a reply: ask again, again with more room, or something else."""
        if picked.value == panels.OTHER:
            return [], KEEP, "", ""
        history = _up_to_question(panels.history(shown), _index(picked.index))
        asked, *banners = await self._again(history)
        if picked.value != panels.RETRY_WITH_MORE:
            return asked, KEEP, *banners
        return asked, min(2 * length, self._backend.info.max_new_tokens), *banners

    async def edit(self, shown: object, edited: gr.EditData) -> tuple[Any, Any, Any, Any]:
        """Ask the edited question in the place of the old one; what came after it goes."""
        history, index, text = panels.history(shown), _index(edited.index), str(edited.value)
        finding = await _look(history[:index], text)
        banners = _banners(finding)
        try:
            question = panels.question(checked(text))
        except QuestionError as fault:
            return history, _notice(_cannot_ask(fault)), *banners
        history = [*history[:index], question]
        return self._fixed(finding, history) or history, _notice(""), *banners

    async def _again(self, history: list[Message]) -> Asked:
        """`history`, which ends with a question, with what a red flag anywhere in it calls for."""
        if not history or history[-1]["role"] != "user":
            return history, KEEP, KEEP
        finding = await _look(history[:-1], history[-1]["content"][0]["text"])
        return self._fixed(finding, history) or history, *_banners(finding)

    def _fixed(self, finding: Finding, history: list[Message]) -> list[Message] | None:
        """`history` with the reply that no model is asked for; None where one may be."""
        replied = alarm.reply(finding, history, self._backend.info.unreliable)
        if replied is not None:
            self._runs.counted.found(finding)
            kind, rules = finding.level.value, ",".join(finding.rules) or "earlier"
            log.info("run ref=%s ended=%s rules=%s", secrets.token_hex(4), kind, rules)
        return replied

    async def answer(
        self, shown: object, effort: str, length: float, temperature: float, request: gr.Request
    ) -> AsyncGenerator[list[Message], None]:
        """Answer the last question in the conversation, as a growing conversation."""
        history = panels.history(shown)
        visitor = _visitor(request)
        if not history or history[-1]["role"] != "user" or self._runs.of(visitor) is not None:
            yield KEEP  # a generator that says nothing at all would empty the conversation
            return
        asked = history[-1]["content"][0]["text"]
        try:
            conversation = await asyncio.to_thread(_conversation, history[:-1], asked)
            finding = await _look(history[:-1], asked)
            # The page's own acts have put it there already; whoever posts to this one has not.
            if replied := self._fixed(finding, history):
                yield replied
                return
            self._runs.counted.found(finding)
            options = _options(effort, length, temperature).within(self._backend.info)
            run = self._runs.start(
                visitor,
                lambda: self._backend.stream(conversation, options),
                finding.rules,
                key=_key(request),
            )
        except QuestionError as fault:
            yield [*history, panels.refused(_cannot_ask(fault))]
            return
        except (NotNow, Busy) as refusal:
            if self._runs.of(visitor) is not None:
                yield KEEP  # a second click, come while the first question was being read
                return
            yield [*history, panels.refused(words.refusal(refusal), again=True)]
            return
        except (ValueError, OverflowError):
            yield [*history, panels.refused(words.BAD_REQUEST)]
            return
        try:
            async with aclosing(run.snapshots()) as snapshots:
                async for snapshot in snapshots:
                    turn = panels.turn(
                        snapshot, time.monotonic(), self._backend.info, self._show_reasoning
                    )
                    yield [*history, *turn]
        finally:
            # The tab was closed, or the reply has ended and there is nothing to cancel.
            run.cancel()

    async def stop(self, request: gr.Request) -> None:
        """End this visitor's run. The page shows the end by itself."""
        for _ in range(5):  # the click may come before the run it means
            run = self._runs.of(_visitor(request))
            if run is not None:
                return run.cancel()
            await asyncio.sleep(0.1)

    async def opened(self) -> tuple[Any, Any, Any]:
        """The settings with the bounds and defaults of the model as it is now."""
        if self._wake_on_load:
            self._backend.wake()
        effort, length, temperature = _bounds(self._backend.info)
        return gr.update(**effort), gr.update(**length), gr.update(**temperature)


def build_page(backend: Backend, why: str, runs: Runs, settings: Settings) -> gr.Blocks:
    """The whole page, its queue set up. `why` says why it is this backend."""
    page = Page(backend, runs, settings)
    info = backend.info
    with gr.Blocks(title=words.TITLE, analytics_enabled=False, fill_width=True) as demo:
        with gr.Column(elem_id="alarms"):
            emergency = gr.HTML("", elem_id="emergency", padding=False)
            crisis = gr.HTML("", elem_id="crisis", padding=False)
        gr.HTML(_header(backend), elem_id="masthead", padding=False)
        chat = _transcript()
        # What the script says has a place of its own: it may not touch what Gradio renders.
        gr.HTML('<div id="told" role="alert"></div>', elem_id="lost", padding=False)
        notice = gr.HTML(_notice(""), elem_id="notice", padding=False)
        with gr.Row(elem_id="composer"):
            box = gr.Textbox(
                label=words.PLACEHOLDER,
                placeholder=words.PLACEHOLDER,
                show_label=False,
                container=False,
                lines=1,
                max_lines=8,
                autofocus=True,
                elem_id="question",
                scale=1,
            )
            send = gr.Button(words.SEND, variant="primary", elem_id="send", scale=0, min_width=72)
            stop = gr.Button(words.STOP, elem_id="stop", scale=0, min_width=72)
        with gr.Row(elem_id="tools"):
            with gr.Accordion(words.SETTINGS, open=False, elem_id="settings"):
                effort, length, temperature = _controls(info)
                keep, delete = _keeping()
                gr.HTML(f"<p>{escape(why)}</p>", elem_id="why", padding=False)
            new = gr.Button(words.NEW, size="sm", elem_id="new", scale=0)
        gr.HTML(_disclaimer(), elem_id="disclaimer", padding=False)

        def answered(event: Any) -> None:
            """After `event` put a question at the end of the conversation, answer it."""
            event.then(None, [chat], js=BEGUN).then(
                page.answer,
                [chat, effort, length, temperature],
                [chat],
                concurrency_limit=None,
                # What `panels` makes is what the browser takes; Gradio would check and copy all
                # of it in another thread, about a quarter of the CPU of a streamed answer.
                postprocess=False,
                show_progress="hidden",
            ).then(None, [chat], js=SETTLED).then(None, [chat], js=KEEP_TURN)

        now: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
        alarms = [emergency, crisis]
        typed = [box.submit, send.click]
        answered(gr.on(typed, page.begin, [box, chat], [chat, box, notice, *alarms], **now))
        answered(chat.example_select(page.example, [chat], [chat, *alarms], **now))
        answered(chat.retry(page.retry, [chat], [chat, *alarms], **now))
        answered(chat.option_select(page.choose, [chat, length], [chat, length, *alarms], **now))
        answered(chat.edit(page.edit, [chat], [chat, notice, *alarms], **now))
        stop.click(page.stop, None, None, **now).then(None, js=STOPPED)
        # A model that is loaded may allow more than could be known of it when the page was built.
        demo.load(page.opened, None, [effort, length, temperature], **now)
        afresh = [chat, box, notice, *alarms]
        renewed = new.click(lambda: ([], "", _notice(""), "", ""), None, afresh, **now)
        # In the browser alone: what is kept is never sent for keeping's sake.
        renewed.then(None, js="() => window.medicalgpt.renewed()")
        demo.load(None, None, [chat, keep], js="() => window.medicalgpt.restored()")
        switched = "(on, shown) => window.medicalgpt.switched(on, shown)"
        keep.input(None, [keep, chat], [keep], js=switched)
        delete.click(None, None, [keep], js="() => window.medicalgpt.deleteKept()")
    return _queued(demo, settings.max_concurrent_chats)


def mount_options() -> dict[str, Any]:
    """The looks, as keyword arguments of `gradio.mount_gradio_app`."""
    said = json.dumps(words.SAID_BY_SCRIPT).replace("<", "\\u003c")
    script = "".join((HERE / name).read_text("utf-8") for name in ("page.js", "keeping.js"))
    # Not Gradio's `css`: that is confined to the inside of its container, and the class that
    # tells whether an answer is being written is on the body.
    style = (HERE / "style.css").read_text("utf-8")
    return {
        "theme": _theme(),
        "head": (
            f"<style>{style}</style><script>window.medicalgpt = {{words: {said}}};{script}</script>"
        ),
        "footer_links": [],
    }


def _transcript() -> gr.Chatbot:
    intro = f'<div class="intro"><h2>{escape(words.TAGLINE)}</h2><p>{escape(words.INTRO)}</p></div>'
    return gr.Chatbot(
        elem_id="chat",
        label=words.TITLE,
        show_label=False,
        container=False,
        height="100%",
        layout="panel",
        group_consecutive_messages=False,
        buttons=["copy"],
        editable="user",
        allow_tags=False,
        feedback_options=None,
        placeholder=intro,
        examples=[{"text": text} for text in words.EXAMPLES],
    )


def _controls(info: BackendInfo) -> tuple[gr.Radio, gr.Slider, gr.Slider]:
    effort, length, temperature = _bounds(info)
    return (
        gr.Radio(list(words.EFFORTS), label=words.EFFORT, info=words.EFFORT_INFO, **effort),
        gr.Slider(MIN_NEW_TOKENS, step=64, label=words.LENGTH, info=words.LENGTH_INFO, **length),
        gr.Slider(
            0, 1.5, step=0.1, label=words.TEMPERATURE, info=words.TEMPERATURE_INFO, **temperature
        ),
    )


def _keeping() -> tuple[gr.Checkbox, gr.Button]:
    return (
        gr.Checkbox(False, label=words.KEEP, info=words.KEEP_INFO, elem_id="keep"),
        gr.Button(words.DELETE_KEPT, size="sm", elem_id="delete-kept"),
    )


def _bounds(info: BackendInfo) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Of each setting, what depends on the backend: one that it does not honour is not offered."""
    defaults, honours = info.defaults, info.honours
    return (
        {"value": defaults.effort.value, "visible": Option.EFFORT in honours},
        {
            "value": defaults.max_new_tokens,
            "maximum": info.max_new_tokens,
            "visible": Option.MAX_NEW_TOKENS in honours,
        },
        {"value": defaults.temperature, "visible": Option.TEMPERATURE in honours},
    )


def _queued(demo: gr.Blocks, chats: int) -> gr.Blocks:
    # 40 threads would cap all events at once, those of async functions too; the bound that
    # holds is `Runs`, which answers with a sentence instead of silence.
    events = chats + QUEUE + 20
    demo.max_threads = events
    demo.queue(max_size=events, default_concurrency_limit=None, api_open=False)
    # Gradio looks at its queue every 1 ms, 5 % of a core while idle. These two are private
    # names of the pinned version; a test holds that they exist.
    queue: Any = demo._queue  # pyright: ignore[reportPrivateUsage]
    queue.sleep_when_free = 0.02
    queue.progress_update_sleep_when_free = 0.1
    return demo


def _theme() -> gr.themes.Base:
    sans = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
    mono = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]
    return gr.themes.Base(
        primary_hue="teal", neutral_hue="stone", font=tuple(sans), font_mono=tuple(mono)
    )


def _header(backend: Backend) -> str:
    line = panels.state(backend.info, backend.status())
    return (
        f'<header><h1 class="wordmark">{words.TITLE}</h1>'
        f'<span id="state" data-state="{line["state"]}"><span class="dot" aria-hidden="true">'
        f'</span><span class="text">{escape(line["text"])}</span></span></header>'
        '<div id="announcer" class="sr-only" role="status" aria-live="polite"></div>'
    )


def _disclaimer() -> str:
    return (
        f"<p>{escape(words.DISCLAIMER)} "
        f'<a href="disclaimer" target="_blank" rel="noopener">'
        f"{escape(words.DISCLAIMER_LINK)}</a> · "
        f'<a href="privacy" target="_blank" rel="noopener">{escape(words.PRIVACY_LINK)}</a></p>'
    )


def _notice(sentence: str) -> str:
    return f'<div role="alert">{escape(sentence)}</div>' if sentence else ""


def _conversation(history: list[Message], text: str) -> Conversation:
    """What a model is asked. Raises `QuestionError`."""
    return Conversation.from_untrusted(panels.said(history), text)


async def _look(history: list[Message], text: str) -> Finding:
    # In a thread: of the longest conversations nobody else has to wait for the end.
    return await asyncio.to_thread(alarm.look, history, text)


def _banners(finding: Finding) -> tuple[Any, Any]:
    """The two notices as outputs: what was not found takes nothing away that stands there."""
    emergency, crisis = alarm.banners(finding)
    return emergency or KEEP, crisis or KEEP


def _cannot_ask(fault: QuestionError) -> str:
    if isinstance(fault, QuestionTooLong):
        return words.LONG.format(n=fault.length, max=fault.limit)
    return words.EMPTY


def _options(effort: str, length: float, temperature: float) -> Options:
    return Options(
        effort=Effort(effort), max_new_tokens=int(length), temperature=float(temperature)
    )


def _up_to_question(history: list[Message], index: int) -> list[Message]:
    """The conversation up to the question at or before `index`."""
    asked = [i for i, m in enumerate(history[: index + 1]) if m["role"] == "user"]
    return history[: asked[-1] + 1] if asked else history


def _index(index: object) -> int:
    """Of the message that an event names; 0 where a forged one names none."""
    if isinstance(index, list | tuple):
        index = cast("list[object]", [*index, None])[0]
    return index if isinstance(index, int) else 0


def _key(request: gr.Request) -> str:
    # Set by the guard: no address.
    return str(cast(Any, request).client.host)


def _visitor(request: gr.Request) -> str:
    # Gradio's own name for one open page: random, made in the browser, told to nobody else.
    return str(request.session_hash)
