"""One reply being written: the backend's iterator in a thread, its events in an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable

from backend.base import BackendError, BrokeContract, Busy, EventStream, Interrupted
from chat.events import Ended, EndReason, Event, Waiting

log = logging.getLogger("medicalgpt.endpoint")

CLOSE_SECONDS = 1.0
"""For a backend to close its stream at shutdown, as the seam promises, and as much for the
`Waiting` at which it is asked to."""


class Gone(Exception):
    """The client went away; nobody reads what would be told."""


class Replying:
    """Starts at once. `next` belongs to one task of the loop it was made in; `cancel` to any
    thread."""

    def __init__(self, open_stream: Callable[[], EventStream]) -> None:
        self._open_stream = open_stream
        self._loop = asyncio.get_running_loop()
        self._told: asyncio.Queue[Event | Exception] = asyncio.Queue()
        self._cancelled = threading.Event()
        self._done = threading.Event()
        threading.Thread(target=self._pull, name="reply", daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether the backend's stream is closed."""
        return self._done.is_set()

    def join(self, seconds: float) -> bool:
        """Wait for the end, in another thread than the loop's; whether it came."""
        return self._done.wait(seconds)

    async def next(self, seconds: float) -> Event | None:
        """The next piece of text or the end; None after `seconds` of silence.

        Raises `BackendError`, also where the reply broke off, and `Gone`.
        """
        try:
            told = await asyncio.wait_for(self._told.get(), seconds)
        except TimeoutError:
            return None
        if isinstance(told, Exception):
            raise told
        if isinstance(told, Ended) and told.reason in (EndReason.INTERRUPTED, EndReason.STOPPED):
            raise Interrupted("the backend was stopped")
        return told

    def cancel(self, why: Exception) -> None:
        """`next` raises `why`; the backend's stream is closed at its next event, in 0.5 s."""
        if not self._cancelled.is_set():
            self._cancelled.set()
            self._tell(why)

    def _pull(self) -> None:
        try:
            self._forward(self._open_stream())
        except BackendError as error:
            self._tell(error)
        except Exception as error:
            # The class alone: an exception's text may hold what was said.
            log.error("a reply failed inside: %s", type(error).__name__)
            self._tell(BrokeContract("an error of our own"))
        finally:
            self._done.set()

    def _forward(self, stream: EventStream) -> None:
        try:
            for event in stream:
                if self._cancelled.is_set():
                    return
                if not isinstance(event, Waiting):
                    self._tell(event)
                if isinstance(event, Ended):
                    return
        finally:
            stream.close()
        raise BrokeContract("the stream ended without saying how")

    def _tell(self, told: Event | Exception) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._told.put_nowait, told)


class Replies:
    """The replies of this process: bounded in number, and ended together at shutdown."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._live: set[Replying] = set()
        self._closing = False

    @property
    def closing(self) -> bool:
        """Whether the server is going down and starts nothing any more."""
        return self._closing

    def __len__(self) -> int:
        return len(self._living())

    def start(self, open_stream: Callable[[], EventStream]) -> Replying:
        """A new reply. Raises `Busy` where there are too many, or none may begin any more."""
        with self._lock:
            self._live = {reply for reply in self._live if not reply.done}
            if self._closing or len(self._live) >= self._limit:
                raise Busy("too many replies")
            reply = Replying(open_stream)
            self._live.add(reply)
        return reply

    def drain(self, seconds: float) -> bool:
        """Begin none, let those there finish for `seconds`, then interrupt the rest.

        Returns whether all had finished by themselves.
        """
        with self._lock:
            self._closing = True
        finished = _joined(self._living(), seconds)
        left = self._living()
        for reply in left:
            reply.cancel(Interrupted("the server is going down"))
        _joined(left, 2 * CLOSE_SECONDS)
        return finished

    def _living(self) -> list[Replying]:
        with self._lock:
            return [reply for reply in self._live if not reply.done]


def _joined(replies: list[Replying], seconds: float) -> bool:
    until = time.monotonic() + seconds
    return all(reply.join(max(0.0, until - time.monotonic())) for reply in replies)
