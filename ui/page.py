"""The page: its layout, and what each act of a visitor sets off."""

# Gradio's own annotations are partial.
# pyright: reportUnknownMemberType=false, reportPrivateImportUsage=false

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from html import escape
from pathlib import Path
from typing import Any, cast

import gradio as gr

from backend.base import Backend
from backend.why import Why
from chat.conversation import QuestionError
from chat.conversation import question as checked
from safety import markdown
from settings import Settings
from ui import asked, asking, choices, drawer, frame, panels
from ui.asking import KEEP, Asking, NotAsked, Started, Wanted
from ui.limits import QUEUE
from ui.panels import Message
from ui.resuming import Place, Resuming
from ui.run import snapshots
from ui.runs import Runs
from ui.words import Words

BROWSER = Path(__file__).parent / "browser"
BEGUN = "(shown) => (window.medicalgpt.alternatives.begun(shown), window.medicalgpt.begun(shown))"
SETTLED = (
    "(shown) => (window.medicalgpt.alternatives.settled(shown), window.medicalgpt.settled(shown))"
)
BEFORE = "(...inputs) => window.medicalgpt.alternatives.before(...inputs)"
EDITED = "(...inputs) => window.medicalgpt.alternatives.edited(...inputs)"
STOPPED = "() => window.medicalgpt.stopped()"
KEEP_TURN = "(shown) => window.medicalgpt.keep(shown)"
CAPTURED = "(shown) => window.medicalgpt.captured(shown)"
CARRIED = "() => window.medicalgpt.carried()"
RESUMING = "(shown) => window.medicalgpt.resuming(shown)"
OPENED = "() => window.medicalgpt.opened()"
LOOKED = "(shown) => window.medicalgpt.looked(shown)"
SCRIPTS = (
    "page.js",
    "naming.js",
    "direction.js",
    "viewport.js",
    "resuming.js",
    "alternatives.js",
    "filled.js",
    "disarming.js",
    "hearing.js",
    "focus.js",
    "kept_schema.js",
    "conversations.js",
    "exporting.js",
    "copying.js",
    "drawer.js",
)
STYLES = ("tokens.css", "style.css", "feedback.css", "drawer.css", "touch.css", "print.css")
"""Both in this order: each may use, or overrule, what stands before it."""
Asked = tuple[list[Message], Any, Any]
"""The conversation, and the notices of an emergency and a crisis: one that stands stays."""


class Page:
    """What the page's events do. One instance serves every visitor and holds nothing of theirs."""

    def __init__(
        self, words: Words, backend: Backend, runs: Runs, resuming: Resuming, settings: Settings
    ) -> None:
        self._words = words
        self._backend = backend
        self._resuming = resuming
        self.asking = Asking(words, backend, runs)
        self._show_reasoning = settings.show_reasoning
        self._wake_on_load = settings.wake_on_load

    async def begin(
        self, text: str, shown: object, request: gr.Request
    ) -> tuple[Any, Any, Any, Any, Any]:
        """Put what was typed into the conversation. With a fault it stays in the box.

        Whatever becomes of the question, a red flag in it is answered by its notice.
        """
        words, history = self._words, panels.history(shown)
        finding = await asking.look(history, text)
        banners = self.asking.banners(finding)
        if self.asking.busy(request):
            return KEEP, KEEP, frame.notice(words.STILL_ANSWERING), *banners
        try:
            question = panels.question(checked(text))
        except QuestionError as fault:
            return KEEP, KEEP, frame.notice(words.cannot_ask(fault)), *banners
        history = [*history, question]
        return self.asking.fixed(finding, history) or history, "", frame.notice(""), *banners

    async def example(self, shown: object, picked: gr.SelectData) -> Asked:
        texts = [text for text in self._words.EXAMPLES if picked.value == {"text": text}]
        return await self._again([*panels.history(shown), *map(panels.question, texts)])

    async def retry(self, shown: object, picked: gr.RetryData) -> Asked:
        return await self._again(_up_to_question(panels.history(shown), _index(picked.index)))

    async def choose(
        self, shown: object, length: float, effort: str, picked: gr.SelectData
    ) -> tuple[list[Message], Any, str, Any, Any]:
        """The buttons under a reply: ask again, with more room or another effort; have it gone on
        with; or something else. The effort is for this one reply, and not a setting."""
        if picked.value == choices.OTHER:
            return [], KEEP, effort, "", ""
        # They are always those of the last reply; the index counts the buttons.
        history = panels.history(shown)
        going_on = picked.value == choices.CONTINUE
        history = (
            asked.to_go_on(self._words, history)
            if going_on
            else _up_to_question(history, len(history))
        )
        shown_now, *banners = await self._again(history)
        more = min(2 * length, self._backend.info.max_new_tokens)
        length = more if picked.value == choices.RETRY_WITH_MORE else KEEP
        return shown_now, length, choices.effort_of(picked.value) or effort, *banners

    async def edit(
        self, shown: object, typed: str, edited: gr.EditData, request: gr.Request
    ) -> tuple[Any, Any, Any, Any, Any]:
        """Ask the edited question in the place of the old one; what came after it goes.

        With a fault the old question stands there again, and the new text is in the box, unless
        there is something in it.
        """
        words, history = self._words, panels.history(shown)
        index, text = _index(edited.index), str(edited.value)
        finding = await asking.look(history[:index], text)
        banners = self.asking.banners(finding)
        kept = text if text.strip() and not typed.strip() else KEEP
        if self.asking.busy(request):
            return KEEP, kept, frame.notice(words.STILL_ANSWERING), *banners
        try:
            question = panels.question(checked(text))
        except QuestionError as fault:
            history[index : index + 1] = [panels.question(str(edited.previous_value))]
            return history, kept, frame.notice(words.cannot_ask(fault)), *banners
        history = [*history[:index], question]
        return self.asking.fixed(finding, history) or history, KEEP, frame.notice(""), *banners

    async def _again(self, history: list[Message]) -> Asked:
        """`history`, which asks something, with what a red flag anywhere in it calls for."""
        posed = asked.read(history)
        if posed is None:
            return history, KEEP, KEEP
        finding = await asking.look(posed.before, posed.question)
        return self.asking.fixed(finding, posed.so_far) or history, *self.asking.banners(finding)

    async def answer(
        self, shown: object, effort: str, length: float, temperature: float, request: gr.Request
    ) -> AsyncGenerator[list[Message], None]:
        """Answer the last question in the conversation, as a growing conversation."""
        history, wanted = panels.history(shown), Wanted(effort, length, temperature)
        try:
            # Over a bad connection the page posts a question twice, if it heard nothing of it.
            started = self._held(history, request) if asked.read(history) else None
            started = started or await self.asking.start(history, wanted, request)
        except NotAsked as instead:
            yield instead.shown  # a generator that says nothing would empty the conversation
            return
        async with aclosing(self._watched(started, request)) as growing:
            async for conversation in growing:
                yield conversation

    async def resume(
        self, shown: object, request: gr.Request
    ) -> AsyncGenerator[list[Message], None]:
        """Go on with the answer to the last question, whose connection was lost.

        Whose token it is not, or who comes too late, gets what the page has, marked as cut off.
        """
        history = panels.history(shown)
        started = self._held(history, request)
        if started is None:
            words = self._words
            yield panels.cut(words, history, words.LOST_CUT, self._backend.info)
            return
        async with aclosing(self._watched(started, request)) as growing:
            async for conversation in growing:
                yield conversation

    def _held(self, history: list[Message], request: gr.Request) -> Started | None:
        """What is going on already for the last question of `history`, by the page's token."""
        watch = self._resuming.held(asking.token(request))
        if watch is None or watch.place is None:
            return None
        above = len(_up_to_question(history, len(history))) + watch.place.extra
        return Started(watch.runs, history[:above], watch.place.terms)

    async def _watched(
        self, started: Started, request: gr.Request
    ) -> AsyncGenerator[list[Message], None]:
        """The conversation and the reply in it, until it has ended or the connection is lost."""
        words, [run], above = self._words, started.runs, started.above
        extra = len(above) - len(_up_to_question(above, len(above)))
        place = Place(extra, started.terms)
        token, visitor = asking.token(request), asking.visitor(request)
        with self._resuming.watching(token, [run], visitor, place) as watch:
            async with aclosing(snapshots(run)) as seen:
                async for [snapshot] in seen:
                    now, info = time.monotonic(), self._backend.info
                    turn = panels.turn(
                        words, snapshot, now, info, self._show_reasoning, started.terms
                    )
                    if watch.over:  # most likely nobody is left to read this
                        shown = [*above, *turn]
                        yield panels.cut(words, shown, words.ELSEWHERE, info, panels.ELSEWHERE)
                        return
                    yield [*above, *turn]

    async def stop(self, request: gr.Request) -> None:
        """End the answer that this page shows, also where its connection has just come back."""
        watch = self._resuming.held(asking.token(request))
        if watch is None:
            return await self.asking.stop(request)
        for run in watch.runs:
            run.cancel()

    async def opened(self) -> tuple[Any, Any, Any]:
        """The settings with the bounds and defaults of the model as it is now."""
        if self._wake_on_load:
            self._backend.wake()
        effort, length, temperature = frame.bounds(self._backend.info)
        return gr.update(**effort), gr.update(**length), gr.update(**temperature)


def build_page(
    words: Words, backend: Backend, why: Why, runs: Runs, resuming: Resuming, settings: Settings
) -> gr.Blocks:
    """The whole page, its queue set up. `why` says why it is this backend."""
    page = Page(words, backend, runs, resuming, settings)
    info = backend.info
    with gr.Blocks(title=words.TITLE, analytics_enabled=False, fill_width=True) as demo:
        alarms = frame.alarms()
        frame.masthead(words, backend)
        chat = _transcript(words)
        notice = frame.told()
        gr.HTML('<p id="filled"></p>', elem_id="fill", padding=False)
        box, send, stop = frame.composer(words)
        with gr.Row(elem_id="tools"):
            with gr.Accordion(words.SETTINGS, open=False, elem_id="settings"):
                effort, length, temperature = frame.controls(words, info)
                reason = f"<p>{escape(words.why(why))}</p>"
                gr.HTML(reason + _compare(words), elem_id="why", padding=False)
                once = gr.Textbox(visible=False)
            drawer.entries(words)
            new = gr.Button(words.NEW, size="sm", elem_id="new", scale=0)
        frame.disclaimer(words)
        kept, look = drawer.dialogs(words)
        # What a page does for itself when its connection was lost: the script presses these.
        capture, resume = (gr.Button(elem_id=each) for each in _UNSEEN)
        streamed: dict[str, Any] = {
            "concurrency_limit": None,
            # What `panels` makes is what the browser takes; Gradio would check and copy all
            # of it in another thread, about a quarter of the CPU of a streamed answer.
            "postprocess": False,
            "show_progress": "hidden",
        }

        def ended(answer: Any) -> None:
            answer.then(None, [chat], js=SETTLED).then(None, [chat], js=KEEP_TURN)

        def answered(event: Any, effort: gr.Component = effort) -> None:
            """After `event` put a question at the end of the conversation, answer it."""
            inputs = [chat, effort, length, temperature]
            begun = event.then(None, [chat], js=BEGUN)
            ended(begun.then(page.answer, inputs, [chat], **streamed))

        # Several: the connection may be lost again before Gradio has taken note of the first end.
        several: dict[str, Any] = {**streamed, "trigger_mode": "multiple"}
        ended(resume.click(page.resume, [chat], [chat], js=RESUMING, **several))
        capture.click(None, [chat], None, js=CAPTURED)
        now: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
        typed = [box.submit, send.click]
        answered(gr.on(typed, page.begin, [box, chat], [chat, box, notice, *alarms], **now))
        answered(chat.example_select(page.example, [chat], [chat, *alarms], **now))
        answered(chat.retry(page.retry, [chat], [chat, *alarms], js=BEFORE, **now))
        inputs, outputs = [chat, length, effort], [chat, length, once, *alarms]
        chosen = chat.option_select(page.choose, inputs, outputs, js=BEFORE, **now)
        answered(chosen, once)
        edit = [chat, box], [chat, box, notice, *alarms]
        answered(chat.edit(page.edit, *edit, js=EDITED, **now))
        # Which of several replies to one question is shown is the browser's alone to say.
        other = gr.Button(elem_id="other-reply")
        switch = "(shown) => window.medicalgpt.alternatives.switched(shown)"
        other.click(None, [chat], [chat], js=switch).then(None, [chat], js=KEEP_TURN)
        stop.click(page.stop, None, None, **now).then(None, js=STOPPED)
        # A model that is loaded may allow more than could be known of it when the page was built.
        demo.load(page.opened, None, [effort, length, temperature], **now)
        afresh = [chat, box, notice, *alarms]
        renewed = new.click(lambda: ([], "", frame.notice(""), "", ""), None, afresh, **now)
        # In the browser alone: what is kept is never sent for keeping's sake.
        renewed.then(
            None,
            js="() => (window.medicalgpt.alternatives.clear(), window.medicalgpt.renewed())",
        )
        restored = demo.load(None, None, [chat], js="() => window.medicalgpt.restored()")
        restored.then(None, None, [chat], js=CARRIED)
        kept.click(None, None, [chat, notice, *alarms], js=OPENED)
        look.click(None, [chat], None, js=LOOKED)
    return _queued(demo, settings.max_concurrent_chats)


def mount_options(words: Words, feedback: bool = False) -> dict[str, Any]:
    """The looks, as keyword arguments of `gradio.mount_gradio_app`. `feedback`: with thumbs."""
    said = json.dumps(words.said_by_script()).replace("<", "\\u003c")
    markup = json.dumps(markdown.for_a_script()).replace("<", "\\u003c")
    scripts = (*SCRIPTS, *(["feedback.js"] if feedback else []))
    script = "".join((BROWSER / name).read_text("utf-8") for name in scripts)
    # Not Gradio's `css`: that is confined to the inside of its container, and the class that
    # tells whether an answer is being written is on the body.
    style = "".join((BROWSER / name).read_text("utf-8") for name in STYLES)
    return {
        "theme": _theme(),
        "head": (
            f"<style>{style}</style><script>Object.assign(window.medicalgpt, {{words: {said}, "
            f"markup: {markup}}});{script}</script>"
        ),
        "footer_links": [],
    }


def _transcript(words: Words) -> gr.Chatbot:
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


# In sight where the state says that there is something to compare with.
def _compare(words: Words) -> str:
    return (
        '<p class="compare"><a href="compare" target="_blank" rel="noopener">'
        f"{escape(words.COMPARE)}</a></p>"
    )


_UNSEEN = ("capture", "resume")


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


def _up_to_question(history: list[Message], index: int) -> list[Message]:
    """The conversation up to the question at or before `index`."""
    asked = [i for i, m in enumerate(history[: index + 1]) if m["role"] == "user"]
    return history[: asked[-1] + 1] if asked else history


def _index(index: object) -> int:
    """Of the message that an event names; 0 where a forged one names none."""
    if isinstance(index, list | tuple):
        index = cast("list[object]", [*index, None])[0]
    return index if isinstance(index, int) else 0
