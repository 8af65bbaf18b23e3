"""Reading one reply in every cutting, for the tests of the readers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from chat.events import AnswerDelta, Ended, EndReason, Event, ReasoningDelta, Usage
from chat.harmony import HarmonyReader

MARKER = re.compile(r"<\|[A-Za-z0-9_.-]{1,32}\|>|</?think>", re.IGNORECASE)


class Reader(Protocol):
    def feed(self, piece: str | bytes) -> list[Event]: ...
    def finish(self, reason: EndReason | None = None, usage: Usage = ...) -> list[Event]: ...


@dataclass(frozen=True)
class Heard:
    """What a reader made of a stream: neighbouring deltas merged, blocks in their order."""

    blocks: tuple[tuple[str, str], ...]
    end: EndReason

    @property
    def reasoning(self) -> str:
        return "".join(text for panel, text in self.blocks if panel == "reasoning")

    @property
    def answer(self) -> str:
        return "".join(text for panel, text in self.blocks if panel == "answer")


def hear(
    pieces: Iterable[str | bytes],
    reason: EndReason | None = None,
    reader: Callable[[], Reader] = HarmonyReader,
) -> Heard:
    """Feed `pieces` to a fresh reader, and check what holds for every stream there is."""
    reading = reader()
    events = [event for piece in pieces for event in reading.feed(piece)]
    *rest, last = reading.finish(reason)
    blocks: list[list[str]] = []
    for event in [*events, *rest]:
        assert isinstance(event, ReasoningDelta | AnswerDelta)
        assert event.text, "an empty delta says nothing"
        panel = "reasoning" if isinstance(event, ReasoningDelta) else "answer"
        if not blocks or blocks[-1][0] != panel:
            blocks.append([panel, ""])
        blocks[-1][1] += event.text
    assert isinstance(last, Ended)
    heard = Heard(tuple((panel, text) for panel, text in blocks), last.reason)
    for text in (heard.reasoning, heard.answer):
        assert not MARKER.search(text), f"a marker reached a panel: {text!r}"
    return heard


def sized(text: str | bytes, size: int) -> list[str | bytes]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def read(
    text: str,
    reason: EndReason | None = EndReason.FINISHED,
    reader: Callable[[], Reader] = HarmonyReader,
) -> Heard:
    """What is heard of `text`, which must be the same cut at every index and in any size."""
    whole = hear([text], reason, reader)
    coded = text.encode()
    cuttings: list[list[str | bytes]] = [[text[:at], text[at:]] for at in range(len(text))]
    cuttings += [[coded[:at], coded[at:]] for at in range(len(coded))]
    cuttings += [sized(text, size) for size in (1, 2, 3, 4, 7, 11)] + [sized(coded, 1)]
    for cutting in cuttings:
        assert hear(cutting, reason, reader) == whole, f"cut as {cutting!r}"
    return whole
