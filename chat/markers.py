"""What the readers of every dialect share: pieces become text, markers, and deltas.

Knows what a marker looks like, not what any marker means.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from chat.events import AnswerDelta, Event, ReasoningDelta

Panel = type[ReasoningDelta] | type[AnswerDelta]

HOLD_LIMIT = 48
"""Characters; more than any half marker or half word that a reader holds back."""

# Every control token of the harmony vocabulary, and of most others, has the first form. One that
# means nothing in harmony is still no text.
_MARKER = re.compile(r"<(?:\|([A-Za-z0-9_.-]{1,32})\||(/?think))>", re.IGNORECASE)
_HALF_MARKER = re.compile(
    r"<(?:\|[A-Za-z0-9_.-]{0,32}|\|[A-Za-z0-9_.-]{1,32}\||/?(?:t(?:h(?:i(?:nk?)?)?)?)?)\Z",
    re.IGNORECASE,
)
_SURELY_HALF = re.compile(r"<\||</?th", re.IGNORECASE)


class Pieces:
    """Pieces of text or UTF-8 in, whole valid characters out; what is invalid becomes U+FFFD."""

    def __init__(self) -> None:
        self._bytes = codecs.getincrementaldecoder("utf-8")("replace")
        # JSON may cut a character outside the BMP between its two surrogates.
        self._surrogates = codecs.getincrementaldecoder("utf-16-le")("replace")

    def feed(self, piece: str | bytes) -> str:
        if isinstance(piece, bytes):
            return self._whole(self._bytes.decode(piece))
        return self._whole(self._bytes.decode(b"", final=True) + piece)

    def flush(self) -> str:
        return self._whole(self._bytes.decode(b"", final=True), final=True)

    def _whole(self, text: str, *, final: bool = False) -> str:
        return self._surrogates.decode(text.encode("utf-16-le", "surrogatepass"), final)


class Markers:
    """Parts text from whole markers, and holds back a tail that may still become one."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> Iterator[tuple[str, str]]:
        """`(text, "")` or `("", marker)`, the marker in lower case without its brackets."""
        text, at = self._held + text, 0
        half = _HALF_MARKER.search(text, max(0, len(text) - HOLD_LIMIT))
        end = half.start() if half else len(text)
        self._held = text[end:]
        for marker in _MARKER.finditer(text, 0, end):
            if marker.start() > at:
                yield text[at : marker.start()], ""
            yield "", (marker[1] or marker[2]).lower()
            at = marker.end()
        if end > at:
            yield text[at:end], ""

    def flush(self) -> str:
        """What is held, at an end that is no cut: `<` or `<t` is text, half a marker is not."""
        held, self._held = self._held, ""
        return "" if _SURELY_HALF.match(held) else held


class Deltas:
    """Collects text for the two panels; blocks of one panel are parted by a blank line."""

    def __init__(self) -> None:
        self._collected: list[tuple[Panel, list[str]]] = []
        self._written: set[Panel] = set()
        self._owing: set[Panel] = set()

    def part(self) -> None:
        """What is written next begins a new block."""
        self._owing = set(self._written)

    def write(self, panel: Panel, text: str) -> None:
        if not text:
            return
        if not self._collected or self._collected[-1][0] is not panel:
            self._collected.append((panel, []))
        if panel in self._owing:
            self._owing.discard(panel)
            self._collected[-1][1].append("\n\n")
        self._written.add(panel)
        self._collected[-1][1].append(text)

    def take(self) -> list[Event]:
        events: list[Event] = [panel("".join(texts)) for panel, texts in self._collected]
        self._collected.clear()
        return events
