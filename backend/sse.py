"""Server-sent events: bytes in, in pieces of any size; events out. No socket, no JSON.

Reads as the WHATWG standard says (html.spec.whatwg.org, section 9.2.6), `retry` apart, which
only tells when to ask again, and we do not. What no blank line ended is no event: a reader has
no `finish`.
"""

from __future__ import annotations

from typing import NamedTuple

CAP = (1 << 20) + (64 << 10)
"""Bytes: 1 MiB of data, and a margin for the field's name."""

_BOM = b"\xef\xbb\xbf"
_KEPT = frozenset((b"data", b"event", b"id"))
# Not `retry`, what nobody knows, and comments, whose field is empty.


class TooLarge(ValueError):
    """A line or an event grew beyond its cap. The reader may not be fed again."""


class SseEvent(NamedTuple):
    """One event. A tuple, since a stream makes thousands."""

    data: str
    event: str = "message"
    id: str = ""
    """The last event id of the stream, which an earlier event may have set."""
    own_id: bool = False
    """Whether this event brought its `id` itself, as one must that is to be known again."""


class SseReader:
    """Pieces of one stream in, events out.

    Invalid UTF-8 becomes U+FFFD. Comments are no events: a piece of comments gives none, and
    the caller, who knows that a piece came, needs nothing else.

    `max_line` and `max_event` are bytes: of one line, and of the `data`, `event` and `id` of
    one event together. Beyond them `feed` raises `TooLarge` before it keeps the piece, and
    events before it in the same piece are lost; where pieces are smaller than the caps there
    are none. Each byte is looked at a bounded number of times, however it was cut.
    """

    def __init__(self, max_line: int = CAP, max_event: int = CAP) -> None:
        self._max_line = max_line
        self._max_event = max_event
        self._cap = min(max_line, max_event)
        self._return = False  # the last piece ended in CR, whose LF may be still to come
        self._begun = False  # a line was read, so that no byte order mark may follow
        self._open = False  # something of what came is still to be ended, and kept below
        self._tail = bytearray()  # of an unfinished line
        self._data = bytearray()  # every `data` so far, each with a line feed
        self._event = ""
        self._id = ""
        self._own_id = False
        self._size = 0  # of the fields kept for this event

    def feed(self, piece: bytes) -> list[SseEvent]:
        """The events that `piece` completes."""
        if self._open or piece.find(b"\r") >= 0 or not piece.startswith(b"data: "):
            return self._any(piece)
        if piece.find(b"\n") != len(piece) - 2 or piece[-1] != 10 or len(piece) > self._cap:
            return self._any(piece)
        # One event of one line, whole: what nearly every piece of a model's stream is.
        self._begun = True
        return [SseEvent(piece[6:-2].decode("utf-8", "replace"), "message", self._id)]

    def _any(self, piece: bytes) -> list[SseEvent]:
        if self._return or piece.find(b"\r") >= 0:
            piece = self._line_feeds(piece)
        events: list[SseEvent] = []
        end = piece.rfind(b"\n\n") + 2
        if end == 1:  # no blank line
            self._lines(piece, events)
            return events
        # A blank line after a line's end leaves nothing open. So between the first and the last
        # stand whole events, and these are mostly one line of data each.
        start = piece.find(b"\n\n") + 2 if self._open else 0
        if start:
            self._lines(piece[:start], events)
        if start < end:
            self._whole(piece[start:end], events)
        if end < len(piece):
            self._lines(piece[end:], events)
        return events

    def _line_feeds(self, piece: bytes) -> bytes:
        """`piece` with each line end as one LF. A CR at its end is one; nobody waits for more."""
        if not piece:
            return piece
        if self._return:
            piece = piece.removeprefix(b"\n")
        self._return = piece.endswith(b"\r")
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _whole(self, piece: bytes, events: list[SseEvent]) -> None:
        """Read a piece that begins and ends between events."""
        if piece.startswith(b"data: ") and len(piece) <= self._cap:
            found = piece[6:-2].decode("utf-8", "replace").split("\n\ndata: ")
            if piece.count(b"\n") == 2 * len(found):  # so no other line stands between these
                self._begun, self._open = True, self._return
                last = self._id
                events += [SseEvent(data, "message", last) for data in found]
                return
        self._lines(piece, events)

    def _lines(self, piece: bytes, events: list[SseEvent]) -> None:
        """Read line by line; what is not a whole line is kept."""
        at, cap = 0, self._max_line - len(self._tail)
        while (end := piece.find(b"\n", at)) >= 0:
            if end - at > cap:
                raise TooLarge(f"A streamed line is longer than {self._max_line} bytes.")
            line = piece[at:end]
            if self._tail:
                line = bytes(self._tail) + line
                self._tail.clear()
                cap = self._max_line
            if line:
                self._line(line)
            else:
                self._dispatch(events)
            at = end + 1
        if len(piece) - at > cap:
            raise TooLarge(f"A streamed line is longer than {self._max_line} bytes.")
        self._tail += piece[at:]
        self._open = bool(self._tail or self._size or self._return)

    def _line(self, line: bytes) -> None:
        if not self._begun:
            self._begun = True
            line = line.removeprefix(_BOM)
        field, _, value = line.partition(b":")
        if field not in _KEPT:
            return
        value = value.removeprefix(b" ")
        self._size += len(value) + 1
        if self._size > self._max_event:
            raise TooLarge(f"A streamed event is longer than {self._max_event} bytes.")
        if field == b"data":
            self._data += value
            self._data += b"\n"
        elif field == b"event":
            self._event = value.decode("utf-8", "replace")
        elif b"\0" not in value:
            self._id, self._own_id = value.decode("utf-8", "replace"), True

    def _dispatch(self, events: list[SseEvent]) -> None:
        """A blank line: an event, if there was data."""
        self._begun = True
        if self._data:
            del self._data[-1]
            data = self._data.decode("utf-8", "replace")
            events.append(SseEvent(data, self._event or "message", self._id, self._own_id))
            self._data.clear()
        self._event, self._own_id, self._size = "", False, 0
