"""What the backends whose model lies in this process have in common: queue, waiting, streams."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import Generic, TypeVar

from backend.background import Background
from backend.base import TICK, BackendInfo, EventStream, NotReady, Options, Status, Waking
from backend.gate import Gate, Ticket
from backend.work import Work, Write
from chat.conversation import Conversation
from chat.events import Event, Stage, Waiting

QUEUE = 16

T = TypeVar("T")


class InProcess(ABC, Generic[T]):
    """Answers with what `loading` makes; `slots` conversations at once, `QUEUE` more wait."""

    def __init__(self, loading: Background[T], slots: int) -> None:
        self._loading = loading
        self._gate = Gate(slots, QUEUE)
        self._lock = threading.Lock()
        self._working: set[Work] = set()
        self._closed = False

    @property
    @abstractmethod
    def info(self) -> BackendInfo: ...

    @abstractmethod
    def _writing(self, loaded: T, slot: int, asked: Conversation, options: Options) -> Write:
        """What writes one reply, in a thread of its own. `options` are within `info`."""

    def status(self) -> Status:
        return self._loading.status()

    def stream(self, conversation: Conversation, options: Options) -> EventStream:
        """Raises `Busy`, `NotReady`, `TooLong`, `Interrupted`, `BrokeContract`."""
        self._loading.retry()
        ticket = self._gate.enter()
        try:
            loaded = yield from self._until_loaded()
            began = time.monotonic()
            while (slot := ticket.wait(TICK)) is None:
                if self._closed:
                    raise NotReady("The backend was closed.")
                yield Waiting(Stage.QUEUED, time.monotonic() - began, place=ticket.place)
            write = self._writing(loaded, slot, conversation, options.within(self.info))
            work = self._begin(write, ticket)
        except BaseException:
            ticket.leave()
            raise
        yield from work.events()

    def wake(self) -> None:
        """It loads from the start and never sleeps; one that failed to load is tried again."""
        self._loading.retry()

    def close(self) -> None:
        """Ends every stream with `Ended(INTERRUPTED)`, or `NotReady` where none had begun."""
        with self._lock:
            self._closed = True
            working = list(self._working)
        for work in working:
            work.cancel()
        for work in working:
            work.join()
        self._loading.close()

    def _until_loaded(self) -> Generator[Event, None, T]:
        while (loaded := self._loading.wait(TICK)) is None:
            waking = self._loading.status()
            if isinstance(waking, Waking):
                elapsed = time.monotonic() - waking.since
                yield Waiting(waking.stage, elapsed, fraction=waking.fraction)
        return loaded

    def _begin(self, write: Write, ticket: Ticket) -> Work:
        def ended() -> None:
            ticket.leave()
            with self._lock:
                self._working.discard(work)

        work = Work(write, ended)
        with self._lock:
            if self._closed:
                raise NotReady("The backend was closed.")
            work.start()
            self._working.add(work)
        return work
