"""Which dialect a reply speaks, told by how it begins; then that dialect's reader reads it.

For sources that do not say what their model writes. One that knows uses the reader itself.
"""

from __future__ import annotations

import re

from chat.events import AnswerDelta, EndReason, Event, ReasoningDelta, Usage
from chat.harmony import HarmonyReader
from chat.labels import LabelsReader, label, may_become_label
from chat.markers import Pieces
from chat.think_tags import ThinkTagsReader

Reader = HarmonyReader | ThinkTagsReader | LabelsReader

NO_USAGE = Usage()
_THINK = "<think>"
_DELTAS = (ReasoningDelta, AnswerDelta)

# A whole header, so that a text which only names a marker is not taken for harmony.
_HARMONY = re.compile(
    r"(?:<\|start\|>\s*)?(?:assistant\s*)?<\|channel\|>\s*(?:analysis|commentary|final)\b"
    r"(?:(?!<\|message\|>).){0,256}<\|message\|>"
    r"|\A\s*(?:analysis|final)\s*<\|message\|>",
    re.IGNORECASE | re.DOTALL,
)


class TextReader:
    """Pieces of one reply in, events out; the interface of `HarmonyReader`.

    `<think>` first is read by `ThinkTagsReader`, a label's line first by `LabelsReader`, and
    everything else by `HarmonyReader`, to which text without any marker is an answer. It holds
    back what may still be one of the first two, and no more.
    """

    def __init__(self) -> None:
        self._pieces = Pieces()
        self._held = ""
        self._reader: Reader | None = None

    def feed(self, piece: str | bytes) -> list[Event]:
        """The deltas that `piece` completes; bytes are UTF-8, cut anywhere."""
        return self._read(self._pieces.feed(piece))

    def finish(self, reason: EndReason | None = None, usage: Usage = NO_USAGE) -> list[Event]:
        """What was held back, then exactly one `Ended`, as the reader chosen says it."""
        events = self._read(self._pieces.flush())
        if self._reader is None:
            self._reader = LabelsReader() if label(self._held) else HarmonyReader()
            events += self._reader.feed(self._held)
        return [*events, *self._reader.finish(reason, usage)]

    def _read(self, text: str) -> list[Event]:
        if self._reader is None:
            text = (self._held + text).lstrip()
            self._reader = _reader_of(text)
            if self._reader is None:
                self._held = text
                return []
        return self._reader.feed(text)


def _reader_of(beginning: str) -> Reader | None:
    """The reader for a text that begins so; None where more of it must be seen."""
    first, ended, _ = beginning.partition("\n")
    if ended and label(first):
        return LabelsReader()
    if beginning[: len(_THINK)].lower() == _THINK:
        return ThinkTagsReader()
    undecided = may_become_label(first) or _THINK.startswith(first.lower())
    return None if undecided and not ended else HarmonyReader()


def read_whole(text: str) -> list[Event]:
    """The events of a reply that came at once from the legacy endpoint; the last is `Ended`.

    Raw harmony and `<think>` say themselves what is an answer; everything else is read by its
    labels, and is no answer without them. The end is FINISHED where there is an answer, and
    UNKNOWN where there is none, as for an empty text.
    """
    if header := _HARMONY.search(text):
        return _read_harmony(text[: header.start()], text[header.start() :])
    think = text.lstrip()[: len(_THINK)].lower() == _THINK
    return _finished(ThinkTagsReader() if think else LabelsReader(whole=True), text)


def _read_harmony(before: str, text: str) -> list[Event]:
    """Read raw harmony, and what stands `before` its first header as reasoning: it has no mark
    that it is an answer, though `HarmonyReader` by itself would take it for one."""
    said = _finished(LabelsReader(whole=True), before)
    thought = "".join(
        event.text for event in said if isinstance(event, ReasoningDelta | AnswerDelta)
    )
    if thought:
        text = f"<|channel|>analysis<|message|>{thought.rstrip()}<|end|>{text}"
    return _finished(HarmonyReader(), text)


def _finished(reader: Reader, text: str) -> list[Event]:
    return [*reader.feed(text), *reader.finish(EndReason.FINISHED)]


def opened_before(text: str) -> bool:
    """Whether a whole text begins inside `<think>`, which a prompt's template opened."""
    head, close, _ = text.partition("</think>")
    return bool(close) and "<think>" not in head and "<|" not in head
