"""The page's one function for programs, asked with `gradio_client`: a question in, fields out.

It stands behind the same guard as the page and asks through the same `Asking`: safety layer, limits
and queue are the page's. The page's other functions are private; `info` lists this one alone.
"""

# Gradio's own annotations are partial.
# pyright: reportUnknownMemberType=false, reportPrivateImportUsage=false

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, cast

import gradio as gr
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from backend.base import Backend, Busy
from chat.conversation import ANSWER, QuestionError
from chat.conversation import question as checked
from safety.finding import NOTHING, Finding
from settings import Settings
from ui import asking, fields, panels
from ui.asking import KEEP, Asking, NotAsked, Wanted
from ui.fields import Fields
from ui.limits import NotNow, OneAtATime, TooSoon
from ui.panels import Message
from ui.run import snapshots
from ui.runs import Runs
from ui.words import Words

NAME = "ask"


class Api:
    """What the function does. One instance serves everybody and holds nothing of theirs."""

    def __init__(self, words: Words, backend: Backend, runs: Runs, settings: Settings) -> None:
        self._words = words
        self._backend = backend
        self._asking = Asking(words, backend, runs)
        self._show_reasoning = settings.show_reasoning != "off"

    async def ask(
        self,
        question: str,
        request: gr.Request,
        history: list[Any] | None = None,
        effort: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> AsyncGenerator[Fields, None]:
        """The reply to `question`, as fields that grow; the last have the ending.

        All of it comes from a stranger, of any type. Whatever becomes of the question, a red flag
        in it is answered by its notices.
        """
        words, info = self._words, self._backend.info
        wanted = self._wanted(effort, max_tokens, temperature)
        before = panels.history(_marked(history))
        if not isinstance(cast("object", question), str) or wanted is None:
            yield fields.unasked(words, info, NOTHING, before, words.BAD_CALL)
            return
        finding = await asking.look(before, question)
        try:
            asked = [*before, panels.question(checked(question))]
        except QuestionError as fault:
            yield fields.unasked(words, info, finding, before, words.cannot_ask(fault))
            return
        try:
            [run] = (await self._asking.start(asked, wanted, request)).runs
        except NotAsked as instead:
            yield self._instead(instead, finding, before)
            return
        try:
            async with aclosing(snapshots(run)) as seen:
                async for [snapshot] in seen:
                    now, info = time.monotonic(), self._backend.info
                    yield fields.of(
                        words, snapshot, now, info, finding, asked, self._show_reasoning
                    )
        finally:
            # The client has gone, or the reply has ended and there is nothing to cancel.
            run.cancel()

    def _wanted(self, effort: object, length: object, temperature: object) -> Wanted | None:
        """How to answer, with the model's own defaults; None for what is no setting."""
        defaults = self._backend.info.defaults
        wanted = Wanted(
            cast("str", defaults.effort.value if effort is None else effort),
            cast("float", defaults.max_new_tokens if length is None else length),
            cast("float", defaults.temperature if temperature is None else temperature),
        )
        numbers: tuple[object, object] = (wanted.length, wanted.temperature)
        if any(type(number) not in (int, float) for number in numbers):
            return None
        try:
            wanted.options()
        except (ValueError, OverflowError):
            return None
        return wanted

    def _instead(self, instead: NotAsked, finding: Finding, before: list[Message]) -> Fields:
        words, info, why = self._words, self._backend.info, instead.why
        if instead.shown is not KEEP and why is None:
            shown = panels.history(instead.shown)
            return fields.fixed(words, info, finding, shown, shown[-1]["content"][0]["text"])
        seconds = None
        match why:
            case None:
                note = words.refusal(OneAtATime())
            case NotNow() | Busy():
                note = words.refusal(why)
                seconds = why.seconds if isinstance(why, TooSoon) else None
            case QuestionError():
                note = words.cannot_ask(why)
            case _:
                note = words.BAD_CALL
        return fields.unasked(words, info, finding, before, note, seconds)


def add_api(
    demo: gr.Blocks, words: Words, backend: Backend, runs: Runs, settings: Settings
) -> None:
    """Give `demo`, which has all of its other functions already, the one for programs."""
    for function in demo.fns.values():
        function.api_visibility = "private"
    with demo:
        gr.api(
            Api(words, backend, runs, settings).ask,
            api_name=NAME,
            api_description=words.API,
            concurrency_limit=None,
        )


def add_info(app: APIRouter, demo: gr.Blocks) -> None:
    """The address where a client learns how to call it.

    In the place of Gradio's own, which puts the host that the first client named into the answer
    for all, and makes examples in four languages.
    """
    told = demo.get_api_info()
    [returned] = told["named_endpoints"][f"/{NAME}"]["returns"]
    returned["label"] = "reply"

    async def info() -> Response:
        return JSONResponse(told)

    app.add_api_route("/gradio_api/info", info, methods=["GET", "HEAD"])


def _marked(history: object) -> object:
    """`history` as the page would post it: plain messages of a role and a text get its marks.

    An assistant's message without a mark is taken for an answer; the caller says so.
    """
    if not isinstance(history, list):
        return []
    return [_message(each) for each in cast("list[object]", history)]


def _message(message: object) -> object:
    if not isinstance(message, Mapping):
        return message
    given = dict(cast("Mapping[object, object]", message))
    if isinstance(given.get("content"), str):
        given["content"] = [{"type": "text", "text": given["content"]}]
    if given.get("role") == "assistant" and not given.get("metadata"):
        given["metadata"] = {"id": ANSWER}
    return given
