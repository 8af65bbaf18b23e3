"""One reply being written by a thread of its own, and read as a stream of events."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

from backend.base import TICK, BackendError, EventStream, Interrupted
from backend.watcher import Watcher
from chat.events import Ended, Event, Shortened, Stage, Waiting

log = logging.getLogger("medicalgpt.model")

JOIN_SECONDS = 5.0
"""For the batch under way: 0.7 s at worst where we measured, within the second that the seam allows
for a close. On a machine so slow that a batch takes longer, a close does too, rather than leave a
native call running under it; after this long the thread keeps its slot until it ends."""

Write = Callable[[Callable[[Event], None], Watcher], None]
"""Emits events, the last one an `Ended`, and looks at the watcher's `cancelled` as it goes."""


class Work:
    """`write` runs in a thread; `ended` is called in it at the very end, whatever happened."""

    def __init__(self, write: Write, ended: Callable[[], None]) -> None:
        self._write = write
        self._ended = ended
        self._events: queue.SimpleQueue[Event | BackendError] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self._read: float | None = 0.0  # share of the prompt; None once text has come
        self._thread = threading.Thread(target=self._run, name="write-reply", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        self._cancelled.set()

    def join(self) -> None:
        self._thread.join(JOIN_SECONDS)

    def events(self) -> EventStream:
        """To be read once. Closing it cancels the work and waits for its end."""
        since = time.monotonic()
        try:
            yield self._silence(since)
            while True:
                try:
                    event = self._events.get(timeout=TICK)
                except queue.Empty:
                    yield self._silence(since)
                    continue
                if isinstance(event, BackendError):
                    raise event
                yield event
                if isinstance(event, Ended):
                    return
                since = time.monotonic()
        finally:
            self.cancel()
            self.join()

    def _silence(self, since: float) -> Waiting:
        stage = Stage.GENERATING if self._read is None else Stage.READING
        return Waiting(stage, time.monotonic() - since, fraction=self._read)

    def _run(self) -> None:
        try:
            self._write(self._emit, Watcher(self._progress, self._cancelled.is_set))
        except BackendError as error:
            self._events.put(error)
        except Exception as error:
            # The class alone: an exception's text may hold what was said.
            log.error("a reply failed inside: %s", type(error).__name__)
            self._events.put(Interrupted("An error of our own."))
        finally:
            self._ended()

    def _emit(self, event: Event) -> None:
        if not isinstance(event, Shortened):
            self._read = None
        self._events.put(event)

    def _progress(self, share: float) -> None:
        if self._read is not None:
            self._read = share
