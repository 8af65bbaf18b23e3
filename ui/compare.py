"""The second view: one question, asked of the model with its adapter and without, side by side.

It keeps nothing: there is no history, a new question takes the place of the old one, and each model
is told that question alone.
"""

# Gradio's own annotations are partial.
# pyright: reportUnknownMemberType=false, reportPrivateImportUsage=false

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from html import escape
from typing import Any

import gradio as gr

from backend.base import Backend, BackendInfo
from chat.conversation import QuestionError
from chat.conversation import question as checked
from settings import Settings
from ui import asking, choices, frame, panels
from ui.asking import KEEP, Asking, NotAsked, Wanted
from ui.resuming import Resuming
from ui.run import snapshots
from ui.runs import Runs
from ui.words import Words

BEGUN = "(asked) => window.medicalgpt.begun(asked)"
SETTLED = "(...panels) => window.medicalgpt.compared(...panels)"
STOPPED = "() => window.medicalgpt.stopped()"

Shown = tuple[Any, Any, Any]
"""Three transcripts: the question, with what no model says to it, and the reply of each model."""


class Compare:
    """What the view's events do. One instance serves every visitor and holds nothing of theirs."""

    def __init__(
        self, words: Words, backend: Backend, runs: Runs, resuming: Resuming, settings: Settings
    ) -> None:
        self._words = words
        self._backend = backend
        self._resuming = resuming
        self.asking = Asking(words, backend, runs)
        self._show_reasoning = "off" if settings.show_reasoning == "off" else "folded"

    async def begin(
        self, text: str, shown: object, request: gr.Request
    ) -> tuple[Any, Any, Any, Any, Any, Any, Any]:
        """Put what was typed in the place of the old question. With a fault it stays in the box.

        The old one is still read: as in the chat, a notice and a fixed reply hold until the visitor
        begins afresh.
        """
        words, history = self._words, panels.history(shown)
        finding = await asking.look(history, text)
        banners = self.asking.banners(finding)
        fault = words.alone(self._backend.info, self._backend.status())
        if self.asking.busy(request):
            fault = words.STILL_ANSWERING
        try:
            question = panels.question(checked(text))
        except QuestionError as error:
            fault = fault or words.cannot_ask(error)
        else:
            if not fault:
                asked = (self.asking.fixed(finding, [*history, question]) or [question])[-2:]
                return asked, [], [], "", frame.notice(""), *banners
        return KEEP, KEEP, KEEP, KEEP, frame.notice(fault), *banners

    async def choose(
        self, shown: object, length: float, picked: gr.SelectData
    ) -> tuple[Any, Any, Any, Any, Any, Any]:
        """The buttons under a reply: ask both again, again with more room, or something else."""
        history = panels.history(shown)
        if picked.value == choices.OTHER or not history:
            return [], [], [], KEEP, "", ""
        question = history[0]
        finding = await asking.look(history, question["content"][0]["text"])
        asked = (self.asking.fixed(finding, [*history, question]) or [question])[-2:]
        more = min(2 * length, self._backend.info.max_new_tokens)
        length = more if picked.value == choices.RETRY_WITH_MORE else KEEP
        return asked, [], [], length, *self.asking.banners(finding)

    async def compare(
        self, shown: object, effort: str, length: float, temperature: float, request: gr.Request
    ) -> AsyncGenerator[Shown, None]:
        """Have both answer the question, as two growing replies."""
        words, history = self._words, panels.history(shown)
        wanted = Wanted(effort, length, temperature)
        try:
            if alone := words.alone(self._backend.info, self._backend.status()):
                raise NotAsked([*history, panels.refused(words, alone)])
            infos = _both(self._backend.info)
            started = await self.asking.start(history, wanted, request, both=True)
        except NotAsked as instead:
            yield (KEEP, KEEP, KEEP) if instead.shown is KEEP else (instead.shown, [], [])
            return
        runs, token, visitor = started.runs, asking.token(request), asking.visitor(request)
        # With a token, so that a tab that is closed can say so; it is not picked up again.
        with self._resuming.watching(token, runs, visitor):
            async with aclosing(snapshots(*runs)) as seen:
                async for pair in seen:
                    now = time.monotonic()
                    adapted, plain = (
                        panels.turn(words, snapshot, now, info, self._show_reasoning, started.terms)
                        for snapshot, info in zip(pair, infos, strict=True)
                    )
                    yield history, adapted, plain

    async def opened(self) -> tuple[Any, ...]:
        """The names, or why there is nothing to compare, and the settings of the model as it is."""
        info = self._backend.info
        bounds = (gr.update(**each) for each in frame.bounds(info))
        return _alone(self._words, self._backend), *_names(self._words, info), *bounds


def add_comparison(
    demo: gr.Blocks,
    words: Words,
    backend: Backend,
    runs: Runs,
    resuming: Resuming,
    settings: Settings,
) -> None:
    """Give `demo` the view, at an address of its own and in the same queue."""
    view = Compare(words, backend, runs, resuming, settings)
    with demo.route(words.COMPARE, "/compare", show_in_navbar=False):
        alarms = frame.alarms()
        frame.masthead(words, backend)
        alone = gr.HTML(_alone(words, backend), elem_id="alone", padding=False)
        with gr.Column(elem_id="chat", elem_classes="comparison"):
            asked = _transcript("asked", words.QUESTION_ASKED, _intro(words))
            with gr.Row(elem_id="sides"):
                names, sides = zip(
                    *map(_side, ("adapted", "plain"), _kinds(words), _names(words, backend.info)),
                    strict=True,
                )
        notice = frame.told()
        box, send, stop = frame.composer(words)
        with gr.Row(elem_id="tools"):
            with gr.Accordion(words.SETTINGS, open=False, elem_id="settings"):
                settings_ = effort, length, temperature = frame.controls(words, backend.info)
            new = gr.Button(words.NEW_QUESTION, size="sm", elem_id="new", scale=0)
        frame.disclaimer(words, "compare")
        shown = [asked, *sides]

        def answered(event: Any) -> None:
            """After `event` put a question there, have it answered."""
            event.then(None, [asked], js=BEGUN).then(
                view.compare,
                [asked, effort, length, temperature],
                shown,
                concurrency_limit=None,
                postprocess=False,  # as in the chat
                show_progress="hidden",
            ).then(None, shown, js=SETTLED)

        now: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
        typed = [box.submit, send.click]
        answered(gr.on(typed, view.begin, [box, asked], [*shown, box, notice, *alarms], **now))
        for each in shown:
            outputs = [*shown, length, *alarms]
            answered(each.option_select(view.choose, [asked, length], outputs, **now))
        stop.click(view.asking.stop, None, None, **now).then(None, js=STOPPED)
        afresh = [*shown, box, notice, *alarms]
        new.click(lambda: ([], [], [], "", frame.notice(""), "", ""), None, afresh, **now)
        demo.load(view.opened, None, [alone, *names, *settings_], **now)


def _transcript(name: str, label: str, placeholder: str) -> gr.Chatbot:
    return gr.Chatbot(
        elem_id=name,
        label=label,
        show_label=False,
        container=False,
        height="auto",
        layout="panel",
        group_consecutive_messages=False,
        autoscroll=False,
        buttons=["copy"],
        allow_tags=False,
        feedback_options=None,
        placeholder=placeholder,
    )


def _intro(words: Words) -> str:
    return (
        f'<div class="intro"><h2>{escape(words.COMPARE_TAGLINE)}</h2>'
        f"<p>{escape(words.COMPARE_INTRO)}</p></div>"
    )


def _kinds(words: Words) -> tuple[str, str]:
    return words.WITH_ADAPTER, words.WITHOUT_ADAPTER


def _side(name: str, kind: str, title: str) -> tuple[gr.HTML, gr.Chatbot]:
    with gr.Column(elem_classes="side"):
        return gr.HTML(title, elem_classes="name", padding=False), _transcript(name, kind, " ")


def _both(info: BackendInfo) -> tuple[BackendInfo, BackendInfo]:
    """What each reply's panels are told of its model: with the adapter, and without."""
    return info, replace(info, model=info.base or info.model)


def _names(words: Words, info: BackendInfo) -> list[str]:
    return [
        f"<h2>{escape(each.model)}</h2><p>{escape(kind)}</p>"
        for each, kind in zip(_both(info), _kinds(words), strict=True)
    ]


def _alone(words: Words, backend: Backend) -> str:
    """Why there is nothing to compare, or nothing: then the view is shown."""
    sentence = words.alone(backend.info, backend.status())
    back = f'<a href="./">{escape(words.BACK)}</a>'
    return f"<p>{escape(sentence)}</p><p>{back}</p>" if sentence else ""
