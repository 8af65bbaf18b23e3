"""llama.cpp in this process: the backend that needs nothing but this machine.

Listens on no port (see `backend/llama.py`). The model is found or fetched and loaded by a thread
that begins at once; a question asked meanwhile waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator

from backend.base import TICK, BackendInfo, EventStream, NotReady, Options, Status, Waking
from backend.cancelled import Cancelled
from backend.gate import Gate, Ticket
from backend.llama import Watcher
from backend.loading import Loaded, Loading
from backend.model_info import describe, expected, speaks_harmony
from backend.stages import PLAIN, TRAINED, Writing
from backend.work import Work
from chat.conversation import Conversation
from chat.events import Event, Stage, Waiting
from settings import Settings

SLOTS = 2
"""Conversations answered at once. On two cores 1, 2, 3 and 4 give 120, 97, 96 and 116 tokens/s
together: more than one is for fairness, not for speed, and each takes 71 MB."""
QUEUE = 16


class EmbeddedBackend:
    """Answers with a GGUF model on this machine's CPU.

    One seed gives one text as long as nobody else is being answered: llama.cpp computes those
    who are together, and sums in another order then.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._expected = expected(settings)
        self._gate = Gate(SLOTS, QUEUE)
        self._lock = threading.Lock()
        self._working: set[Work] = set()
        self._closed = False
        self._loading = Loading(settings, SLOTS)

    @classmethod
    def from_settings(cls, settings: Settings) -> EmbeddedBackend:
        """Returns at once; `status()` tells how far the model is."""
        return cls(settings)

    @property
    def info(self) -> BackendInfo:
        """Expected before the model is loaded, and what its file says from then on."""
        loaded = self._loading.loaded
        return (
            self._expected
            if loaded is None
            else describe(loaded.file, loaded.header, loaded.adapter)
        )

    def status(self) -> Status:
        return self._loading.status()

    def stream(self, conversation: Conversation, options: Options) -> EventStream:
        """Raises `Busy`, `NotReady`, `TooLong`, `Interrupted`."""
        self._loading.retry()
        ticket = self._gate.enter()
        try:
            loaded = yield from self._until_loaded()
            slot = yield from self._until_admitted(ticket)
            work = self._work(loaded, slot, ticket, conversation, options.within(self.info))
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

    def _until_loaded(self) -> Generator[Event, None, Loaded]:
        while (loaded := self._loading.wait(TICK)) is None:
            waking = self._loading.status()
            if isinstance(waking, Waking):
                elapsed = time.monotonic() - waking.since
                yield Waiting(waking.stage, elapsed, fraction=waking.fraction)
        return loaded

    def _until_admitted(self, ticket: Ticket) -> Generator[Event, None, int]:
        began = time.monotonic()
        while (slot := ticket.wait(TICK)) is None:
            if self._closed:
                raise NotReady("The backend was closed.")
            yield Waiting(Stage.QUEUED, time.monotonic() - began, place=ticket.place)
        return slot

    def _work(
        self,
        loaded: Loaded,
        slot: int,
        ticket: Ticket,
        conversation: Conversation,
        options: Options,
    ) -> Work:
        style = PLAIN if loaded.adapter is None else TRAINED

        def write(emit: Callable[[Event], None], watcher: Watcher) -> None:
            writing = Writing(loaded.llama, slot, loaded.context, emit, watcher)
            try:
                if speaks_harmony(loaded.header):
                    writing.one_pass(conversation, options)
                else:
                    writing.two_stages(conversation, options, style)
            except Cancelled:
                writing.interrupt()

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
