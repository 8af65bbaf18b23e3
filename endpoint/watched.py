"""The events of one reply, held against the rules of `safety/answers.toml` before they are told."""

from __future__ import annotations

from chat.events import AnswerDelta, Ended, EndReason, Event, ReasoningDelta
from safety.watch import Watch


class Watched:
    """Passes events on until a rule fires; then the reply ends as withheld and nothing follows.

    What was told until then breaks no rule. Text may be told an event later than it came, and is
    not changed otherwise.
    """

    def __init__(self) -> None:
        self._reasoning = Watch()
        self._answer = Watch()

    def take(self, event: Event) -> list[Event]:
        """What is to be told of `event`."""
        told: list[Event]
        match event:
            case ReasoningDelta(text):
                told = _reasoning(self._reasoning.take(text))
            case AnswerDelta(text):
                told = _reasoning(self._reasoning.close()) + _answer(self._answer.take(text))
            case Ended():
                rest = _reasoning(self._reasoning.close()) + _answer(self._answer.close())
                told = [*rest, event]
            case _:
                told = [event]
        if self._reasoning.rule is None and self._answer.rule is None:
            return told
        # The backend is stopped here, so that it never tells what it counted.
        return [Ended(EndReason.WITHHELD)]


def _reasoning(text: str) -> list[Event]:
    return [ReasoningDelta(text)] if text else []


def _answer(text: str) -> list[Event]:
    return [AnswerDelta(text)] if text else []
