"""The `Thinking:` / `Final:` dialect: a reply's text in, in pieces of any size; typed events out.

What the deployed legacy endpoint answers, all at once, and HuatuoGPT-o1, whose labels are
`## Thinking` and `## Final Response`. What such an endpoint says without a label, an apology in
another language among it, is not known to be an answer and is never shown as one.
"""

from __future__ import annotations

from collections.abc import Iterator

from chat.events import AnswerDelta, Ended, EndReason, Event, ReasoningDelta, Usage
from chat.markers import HOLD_LIMIT, Deltas, Markers, Panel, Pieces

NO_USAGE = Usage()

_LABELS: dict[str, Panel] = {
    "thinking:": ReasoningDelta,
    "## thinking": ReasoningDelta,
    "## thinking:": ReasoningDelta,
    "final:": AnswerDelta,
    "## final response": AnswerDelta,
    "## final response:": AnswerDelta,
}


def label(line: str) -> Panel | None:
    """The panel that `line` opens; None where it is no label. Case and outer blanks are free."""
    return _LABELS.get(line.strip().lower()) if len(line) <= HOLD_LIMIT else None


def may_become_label(line: str) -> bool:
    """Whether an unfinished `line` is one already, or may be one when it is finished."""
    if len(line) > HOLD_LIMIT:
        return False
    begun = line.lstrip().lower()
    return begun.rstrip() in _LABELS or any(whole.startswith(begun) for whole in _LABELS)


class Lines:
    """Parts text from label lines, and holds back the beginning of a line that may become one.

    A label stands alone on its line, and first of all or after a blank line: prose that says
    `Final:`, and lists that have such a line, are text.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """What is fed next stands first."""
        self._held = ""
        self._parted = True  # nothing or a blank line is before this line
        self._blank = True  # this line has no word so far
        self._told = False  # what was held is given, so that this line is no label

    def feed(self, text: str) -> Iterator[tuple[str, Panel | None]]:
        """`(text, None)`, or a label's whole line and the panel that it opens."""
        first, *more = text.split("\n")
        yield from self._part(first)
        for part in more:
            yield from self._end("\n")
            yield from self._part(part)

    def flush(self) -> Iterator[tuple[str, Panel | None]]:
        """What is held, at an end that is no cut; the text's end also ends its last line."""
        return self._end("")

    def _part(self, text: str) -> Iterator[tuple[str, None]]:
        if not text:
            return
        self._blank = self._blank and not text.strip()
        self._held += text
        if self._told or not (self._parted and may_become_label(self._held)):
            self._told = True
            yield self._held, None
            self._held = ""

    def _end(self, end: str) -> Iterator[tuple[str, Panel | None]]:
        line = self._held + end
        opens = label(self._held) if self._parted else None
        self._held, self._told = "", False
        self._parted, self._blank = self._blank, True
        if line:
            yield line, opens


class LabelsReader:
    """Pieces of one reply in, events out; the interface of `HarmonyReader`.

    While a reply streams, the first `Final:` begins the answer, for nobody can tell whether
    another follows. `whole` waits for all of the text, and the last one begins it: then a trace
    that quotes the dialect stays a trace. Text without a label is reasoning; so is what stands
    between `<think>` and `</think>`, where labels mean nothing. `Thinking:` inside the answer
    opens reasoning again.

    A label that opens nothing new is text, so that only labels are lost, and the blank space
    around them. `whole` keeps the whole text until `finish`; its caller caps it.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self._pieces = Pieces()
        self._markers = Markers()
        self._lines = Lines()
        self._deltas = Deltas()
        self._waiting: list[str] | None = [] if whole else None
        self._finals = 0  # how many `Final:` were seen
        self._quoted = 0  # how many of these, from the first, are text
        self._panel: Panel | None = None  # None: nothing but blank space so far
        self._thinking = False  # inside <think>
        self._fresh = True  # nothing but blank space in this block so far
        self._blank: str = ""  # at the end of the block; written where the block goes on
        self._answered = False

    def feed(self, piece: str | bytes) -> list[Event]:
        """The deltas that `piece` completes; bytes are UTF-8, cut anywhere."""
        text = self._pieces.feed(piece)
        if self._waiting is None:
            self._read(text)
        else:
            self._waiting.append(text)
        return self._deltas.take()

    def finish(self, reason: EndReason | None = None, usage: Usage = NO_USAGE) -> list[Event]:
        """What was held back, then exactly one `Ended`. Nothing may be fed after it.

        This dialect has no mark for its end. A source that says nothing leaves it UNKNOWN, or
        INTERRUPTED where no answer had begun; one that says FINISHED without an answer, UNKNOWN.
        """
        uncut = reason in (None, EndReason.FINISHED, EndReason.UNKNOWN)  # as far as known
        text = "".join(self._waiting or ()) + self._pieces.flush()
        if self._waiting is not None:
            counting = LabelsReader()
            counting._read_to_end(text, uncut)
            self._quoted = counting._finals - 1
        self._read_to_end(text, uncut)
        if reason is None:
            reason = EndReason.UNKNOWN if self._answered else EndReason.INTERRUPTED
        elif reason is EndReason.FINISHED and not self._answered:
            reason = EndReason.UNKNOWN
        return [*self._deltas.take(), Ended(reason, usage)]

    def _read_to_end(self, text: str, uncut: bool) -> None:
        self._read(text)
        if uncut:  # else what is held may be half of something
            self._text(self._markers.flush())
            self._take(self._lines.flush())
            if not self._fresh:
                self._deltas.write(self._current(), self._blank)

    def _read(self, text: str) -> None:
        for part, marker in self._markers.feed(text):
            match marker:
                case "":
                    self._text(part)
                case "think" | "/think":
                    self._take(self._lines.flush())
                    self._lines.begin()
                    self._thinking = marker == "think"
                    self._part()
                case _:
                    self._text(" ")  # another dialect's marker; its neighbours must not join

    def _text(self, text: str) -> None:
        if self._thinking:
            self._write(text)
        else:
            self._take(self._lines.feed(text))

    def _take(self, lines: Iterator[tuple[str, Panel | None]]) -> None:
        for text, opens in lines:
            self._finals += opens is AnswerDelta
            quoted = opens is AnswerDelta and self._finals <= self._quoted
            if opens is None or opens is self._panel or quoted:
                self._write(text)
            else:
                self._panel = opens
                self._part()

    def _part(self) -> None:
        """What is written next begins a new block."""
        self._fresh, self._blank = True, ""
        self._deltas.part()

    def _current(self) -> Panel:
        return ReasoningDelta if self._thinking else self._panel or ReasoningDelta

    def _write(self, text: str) -> None:
        text = self._blank + text
        if self._fresh:
            text = text.lstrip()
        if not text:
            return
        self._fresh = False
        if not self._thinking:
            self._panel = self._current()
        self._answered = self._answered or self._current() is AnswerDelta
        # Some blank space waits: it may be what stands before a label.
        end = max(len(text.rstrip()), len(text) - HOLD_LIMIT)
        self._deltas.write(self._current(), text[:end])
        self._blank = text[end:]
