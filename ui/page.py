"""The page: its layout, and what each act of a visitor sets off."""

# Gradio's own annotations are partial.
# pyright: reportUnknownMemberType=false, reportPrivateImportUsage=false

from __future__ import annotations

import asyncio
import json
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
from settings import Settings
from ui import panels, words
from ui.panels import Message
from ui.run import Runs

HERE = Path(__file__).parent
BEGUN = "(shown) => window.medicalgpt.begun(shown)"
SETTLED = "(shown) => window.medicalgpt.settled(shown)"
STOPPED = "() => window.medicalgpt.stopped()"
KEEP = cast(Any, gr.skip())
"""An output that stays as it is."""


class Page:
    """What the page's events do. One instance serves every visitor and holds nothing of theirs."""

    def __init__(self, backend: Backend, runs: Runs, settings: Settings) -> None:
        self._backend = backend
        self._runs = runs
        self._show_reasoning = settings.show_reasoning
        self._wake_on_load = settings.wake_on_load

    async def begin(self, text: str, shown: object, request: gr.Request) -> tuple[Any, Any, Any]:
        """Put what was typed into the conversation. With a fault it stays in the box."""
        if self._runs.of(_visitor(request)) is not None:
            return KEEP, KEEP, _notice(words.STILL_ANSWERING)
        try:
            question = panels.question(checked(text))
        except QuestionError as fault:
            return KEEP, KEEP, _notice(_cannot_ask(fault))
        return [*panels.history(shown), question], "", _notice("")

    async def example(self, shown: object, picked: gr.SelectData) -> list[Message]:
        texts = [text for text in words.EXAMPLES if picked.value == {"text": text}]
        return [*panels.history(shown), *map(panels.question, texts)]

    async def retry(self, shown: object, picked: gr.RetryData) -> list[Message]:
        return _up_to_question(panels.history(shown), _index(picked.index))

    async def choose(
        self, shown: object, length: float, picked: gr.SelectData
    ) -> tuple[list[Message], Any]:
        """The buttons under a reply: ask again, or again with more room."""
        history = _up_to_question(panels.history(shown), _index(picked.index))
        if picked.value != panels.RETRY_WITH_MORE:
            return history, KEEP
        return history, min(2 * length, self._backend.info.max_new_tokens)

    async def edit(self, shown: object, edited: gr.EditData) -> tuple[list[Message], Any]:
        """Ask the edited question in the place of the old one; what came after it goes."""
        history, index = panels.history(shown), _index(edited.index)
        try:
            question = panels.question(checked(str(edited.value)))
        except QuestionError as fault:
            return history, _notice(_cannot_ask(fault))
        return [*history[:index], question], _notice("")

    async def answer(
        self, shown: object, effort: str, length: float, temperature: float, request: gr.Request
    ) -> AsyncGenerator[list[Message], None]:
        """Answer the last question in the conversation, as a growing conversation."""
        history = panels.history(shown)
        visitor = _visitor(request)
        if not history or history[-1]["role"] != "user" or self._runs.of(visitor) is not None:
            return
        asked = history[-1]["content"][0]["text"]
        try:
            conversation = Conversation.from_untrusted(history[:-1], asked)
            options = _options(effort, length, temperature).within(self._backend.info)
            run = self._runs.start(visitor, lambda: self._backend.stream(conversation, options))
        except QuestionError as fault:
            yield [*history, panels.refused(_cannot_ask(fault))]
            return
        except Busy as busy:
            sentence = words.RESTARTING if self._runs.closing else words.error(busy, "", False)
            yield [*history, panels.refused(sentence)]
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
            ).then(None, [chat], js=SETTLED)

        now: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
        asked = gr.on([box.submit, send.click], page.begin, [box, chat], [chat, box, notice], **now)
        answered(asked)
        answered(chat.example_select(page.example, [chat], [chat], **now))
        answered(chat.retry(page.retry, [chat], [chat], **now))
        answered(chat.option_select(page.choose, [chat, length], [chat, length], **now))
        answered(chat.edit(page.edit, [chat], [chat, notice], **now))
        stop.click(page.stop, None, None, **now).then(None, js=STOPPED)
        # A model that is loaded may allow more than could be known of it when the page was built.
        demo.load(page.opened, None, [effort, length, temperature], **now)
        new.click(lambda: ([], "", _notice("")), None, [chat, box, notice], **now)
    return _queued(demo, settings.max_concurrent_chats)


def mount_options() -> dict[str, Any]:
    """The looks, as keyword arguments of `gradio.mount_gradio_app`."""
    said = json.dumps(words.SAID_BY_SCRIPT).replace("<", "\\u003c")
    script = (HERE / "page.js").read_text("utf-8")
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


def disclaimer_page() -> str:
    """The disclaimer as a page of its own: a whole HTML document that needs nothing else."""
    sections = "".join(
        f"<h2>{escape(title)}</h2><p>{escape(text)}</p>"
        for title, text in words.DISCLAIMER_SECTIONS
    )
    style = (HERE / "disclaimer.css").read_text("utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(words.DISCLAIMER_TITLE)}</title><style>{style}</style></head><body>"
        f"<main><h1>{escape(words.DISCLAIMER_TITLE)}</h1>{sections}"
        f'<p><a href="./">{escape(words.BACK)}</a></p></main></body></html>'
    )


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
    demo.max_threads = chats + 20
    demo.queue(max_size=chats + 20, default_concurrency_limit=None, api_open=False)
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
        f"{escape(words.DISCLAIMER_LINK)}</a></p>"
    )


def _notice(sentence: str) -> str:
    return f'<div role="alert">{escape(sentence)}</div>' if sentence else ""


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


def _visitor(request: gr.Request) -> str:
    # Gradio's own name for one open page: random, made in the browser, told to nobody else.
    return str(request.session_hash)
