"""The `<think>…</think>` dialect: a model's text in, in pieces of any size; typed events out.

What DeepSeek-R1, Qwen3 and their kin write. Not harmony, and harmony's channels mean nothing
here; a model speaks one of the two, and its backend says which.
"""

from __future__ import annotations

from chat.events import AnswerDelta, Ended, EndReason, Event, ReasoningDelta, Usage
from chat.markers import Deltas, Markers, Panel, Pieces

NO_USAGE = Usage()


class ThinkTagsReader:
    """Pieces of one reply in, events out; the interface of `HarmonyReader`.

    `opened`: the prompt's template wrote `<think>` already, so that the reply begins with
    reasoning. Nobody can tell that from the text before it is too late.

    A second `<think>` opens a second block; a stray `</think>` closes nothing. Blank space at
    the edge of a block, where these models put line breaks, is dropped from its beginning.
    """

    def __init__(self, *, opened: bool = False) -> None:
        self._pieces = Pieces()
        self._markers = Markers()
        self._deltas = Deltas()
        self._panel: Panel = ReasoningDelta if opened else AnswerDelta
        self._blank = True  # nothing but blank space in this block so far
        self._answered = False

    def feed(self, piece: str | bytes) -> list[Event]:
        """The deltas that `piece` completes; bytes are UTF-8, cut anywhere."""
        self._read(self._pieces.feed(piece))
        return self._deltas.take()

    def finish(self, reason: EndReason | None = None, usage: Usage = NO_USAGE) -> list[Event]:
        """What was held back, then exactly one `Ended`. Nothing may be fed after it.

        This dialect has no mark for its end. A source that says nothing leaves it UNKNOWN, or
        INTERRUPTED where no answer had begun; one that says FINISHED without an answer, UNKNOWN.
        """
        self._read(self._pieces.flush())
        if reason in (None, EndReason.FINISHED, EndReason.UNKNOWN):  # not a cut, as far as known
            self._text(self._markers.flush())
        if reason is None:
            reason = EndReason.UNKNOWN if self._answered else EndReason.INTERRUPTED
        elif reason is EndReason.FINISHED and not self._answered:
            reason = EndReason.UNKNOWN
        return [*self._deltas.take(), Ended(reason, usage)]

    def _read(self, text: str) -> None:
        for part, marker in self._markers.feed(text):
            match marker:
                case "":
                    self._text(part)
                case "think" | "/think":
                    self._panel = ReasoningDelta if marker == "think" else AnswerDelta
                    self._blank = True
                    self._deltas.part()
                case _:
                    self._text(" ")  # another dialect's marker; its neighbours must not join

    def _text(self, text: str) -> None:
        if self._blank:
            text = text.lstrip()
        if text:
            self._blank = False
            self._answered = self._answered or self._panel is AnswerDelta
            self._deltas.write(self._panel, text)
