"""Stop sequences: an answer is cut before the first of them, wherever the pieces of it end."""

from __future__ import annotations

from chat.events import AnswerDelta, Ended, EndReason, Event


class Stops:
    """The events of one reply up to a stop sequence in its answer; reasoning passes as it is.

    The sequence that is complete first counts, and of those complete at once the longest, so that
    the same text in other pieces is cut at the same place.
    """

    def __init__(self, sequences: tuple[str, ...]) -> None:
        self._sequences = sequences
        self._held = ""
        """The end of the text so far, which may be the beginning of a stop sequence."""

    def take(self, event: Event) -> list[Event]:
        """What is to be told of `event`. After an `Ended` there is nothing more to take."""
        match event:
            case AnswerDelta(text):
                return self._cut(self._held + text)
            case Ended():
                held, self._held = self._held, ""
                return [*_answer(held), event]
            case _:
                return [event]

    def _cut(self, text: str) -> list[Event]:
        found = [(at + len(s), at) for s in self._sequences if (at := text.find(s)) >= 0]
        if found:
            _, at = min(found)
            # The backend is stopped here, so that it never tells what it counted.
            return [*_answer(text[:at]), Ended(EndReason.FINISHED)]
        half = max((_overlap(text, s) for s in self._sequences), default=0)
        self._held = text[len(text) - half :]
        return _answer(text[: len(text) - half])


def _answer(text: str) -> list[Event]:
    return [AnswerDelta(text)] if text else []


def _overlap(text: str, sequence: str) -> int:
    """How many characters at the end of `text` begin `sequence`, without being all of it."""
    longest = min(len(text), len(sequence) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(sequence[:n])), 0)
