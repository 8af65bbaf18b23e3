"""Scripts for a backend behind the endpoint, and reading what the endpoint streams."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import httpx

from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Stage, Usage

COUNTED = Usage(20, 9, 4)
REPLY: tuple[Step, ...] = (
    ReasoningDelta("It starves "),
    ReasoningDelta("the brain."),
    AnswerDelta("A stroke "),
    AnswerDelta("is an emergency."),
    Ended(EndReason.FINISHED, COUNTED),
)


def plays(*steps: Step) -> ScriptedBackend:
    """A backend that answers every question with `steps`."""
    return ScriptedBackend(lambda conversation, options: list(steps))


class Endless:
    """A script that stays in one state for ever, and tells when it is there."""

    def __init__(self, state: str) -> None:
        self._state = state
        self.reached = threading.Event()

    def __call__(self, conversation: Conversation, options: object) -> Iterable[Step]:
        if self._state == "answer":
            yield ReasoningDelta("thought")
        while True:
            self.reached.set()
            match self._state:
                case "waiting":
                    yield Pause(60.0, Stage.WAKING)
                case "reasoning":
                    yield ReasoningDelta("thought ")
                case _:
                    yield AnswerDelta("word ")
            yield Pause(0.05)


def echo(conversation: Conversation, options: object) -> Iterable[Step]:
    """Answers with what was asked: for tests that look for it where it must not be."""
    yield ReasoningDelta("thinking of " + conversation.question)
    yield AnswerDelta("about " + conversation.question)
    yield Ended(EndReason.FINISHED, COUNTED)


def data(response: httpx.Response) -> Iterator[Any]:
    """The events of a stream: JSON values, comments as they are, and "[DONE]"."""
    for line in response.iter_lines():
        if line.startswith("data: "):
            text = line.removeprefix("data: ")
            yield text if text == "[DONE]" else json.loads(text)
        elif line:
            yield line
