"""The `safety` field of a reply to a red flag, and the reply where no model is asked."""

from __future__ import annotations

from typing import Any

from chat.events import AnswerDelta, Ended, EndReason, Event, Usage
from safety.finding import Finding
from safety.notices import Notice, notices
from safety.numbers import regions


class Fixed:
    """A reply of our own, read as a `Replying` is; no token of it was a model's."""

    def __init__(self, text: str) -> None:
        self._events: list[Event] = [
            Ended(EndReason.FINISHED, Usage(0, 0)),
            AnswerDelta(text),
        ]

    async def next(self, seconds: float) -> Event | None:
        """The next event, at once."""
        return self._events.pop()


def safety_field(finding: Finding, asked: bool) -> dict[str, Any]:
    """What was found in the conversation, where something was; `asked`: whether a model answers.

    Of a crisis that is an emergency too, `notice` is the crisis's. Its numbers are those for
    somebody whose region is not known.
    """
    return {
        "level": finding.level.value,
        "emergency": finding.emergency,
        "rules": list(finding.rules),
        "asked": asked,
        "notice": _notice(notices(finding)[-1]),
    }


def _notice(notice: Notice) -> dict[str, Any]:
    lines = notice.lines(regions()[0])
    return {
        "heading": notice.heading,
        "text": " ".join(notice.sentences),
        "numbers": [{"number": line.number, "name": line.name} for line in lines],
    }
