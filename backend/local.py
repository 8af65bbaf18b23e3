"""gpt-oss and its adapter on this machine's own GPU, in torch.

One conversation is answered at a time and the others queue: a decode step is recorded for one
sequence, which is what makes it fast for that one. For many at once, vLLM behind `BACKEND=remote`.
"""

from __future__ import annotations

import gc
import importlib
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

from backend.base import (
    MIN_NEW_TOKENS,
    TICK,
    BackendInfo,
    EventStream,
    Interrupted,
    NotReady,
    Option,
    Options,
    Status,
    TooLong,
    Waking,
)
from backend.cancelled import Cancelled
from backend.checkpoint import adapter_place, model_place
from backend.gate import Gate, Ticket
from backend.llama import Watcher
from backend.local_loading import LocalLoading, LocalModel
from backend.token_reader import TokenReader
from backend.work import Work
from chat.conversation import Conversation
from chat.encoding import encode
from chat.events import EndReason, Event, Stage, Waiting
from chat.harmony_prompt import prompt
from settings import Settings

QUEUE = 16
CONTEXT = 8_192
"""Tokens: 0.4 GB of keys and values for gpt-oss-20b, long enough for a reply of 4,096."""


class LocalBackend:
    """Answers with gpt-oss in torch. One seed gives one text on one machine."""

    def __init__(self, settings: Settings, device: str = "cuda", context: int = CONTEXT) -> None:
        self._settings = settings
        self._context = context
        self._device = device
        self._gate = Gate(1, QUEUE)
        self._lock = threading.Lock()
        self._working: set[Work] = set()
        self._closed = False
        self._loading = LocalLoading(settings, context, device)

    @classmethod
    def from_settings(cls, settings: Settings) -> LocalBackend:
        """Returns at once; `status()` tells how far the model is."""
        return cls(settings)

    @property
    def info(self) -> BackendInfo:
        place, adapter = model_place(self._settings), adapter_place(self._settings)
        loaded = self._loading.loaded
        revision = (loaded.revision if loaded else "") or place.revision or ""
        return BackendInfo(
            name="local",
            model=place.label if adapter is None else f"{place.label} + {adapter.label}",
            revision=revision[:12],
            context_window=self._context,
            max_new_tokens=self._context // 2,
            honours=frozenset(Option),
            # gpt-oss is meant to be sampled as it is.
            defaults=Options(
                max_new_tokens=min(2_048, self._context // 2), temperature=1.0, top_p=1.0
            ),
        )

    def status(self) -> Status:
        return self._loading.status()

    def stream(self, conversation: Conversation, options: Options) -> EventStream:
        """Raises `Busy`, `NotReady`, `TooLong`, `Interrupted`, `BrokeContract`."""
        self._loading.retry()
        ticket = self._gate.enter()
        try:
            loaded = yield from self._until_loaded()
            yield from self._until_admitted(ticket)
            work = self._work(loaded, ticket, conversation, options.within(self.info))
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

    def _until_loaded(self) -> Generator[Event, None, LocalModel]:
        while (loaded := self._loading.wait(TICK)) is None:
            waking = self._loading.status()
            if isinstance(waking, Waking):
                elapsed = time.monotonic() - waking.since
                yield Waiting(waking.stage, elapsed, fraction=waking.fraction)
        return loaded

    def _until_admitted(self, ticket: Ticket) -> Generator[Event, None, None]:
        began = time.monotonic()
        while ticket.wait(TICK) is None:
            if self._closed:
                raise NotReady("The backend was closed.")
            yield Waiting(Stage.QUEUED, time.monotonic() - began, place=ticket.place)

    def _work(
        self, loaded: LocalModel, ticket: Ticket, conversation: Conversation, options: Options
    ) -> Work:
        def write(emit: Callable[[Event], None], watcher: Watcher) -> None:
            with_room(lambda: reply(loaded, conversation, options, emit, watcher), self._device)

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


def reply(
    loaded: LocalModel,
    conversation: Conversation,
    options: Options,
    emit: Callable[[Event], None],
    watcher: Watcher,
) -> None:
    """Emit one reply and its `Ended`. Raises `TooLong`, `BrokeContract`, torch's own errors."""
    ids = encode(prompt(conversation, options.effort.value), loaded.tokenizer)
    budget = min(options.max_new_tokens, loaded.decoder.context - len(ids))
    if budget < MIN_NEW_TOKENS:
        raise TooLong(f"{len(ids)} tokens leave no room to answer in {loaded.decoder.context}.")
    reader, reason = TokenReader(loaded.vocabulary), EndReason.LENGTH
    try:
        for token in loaded.decoder.generate(ids, budget, options, watcher):
            for event in reader.feed(token):
                emit(event)
            if token in loaded.vocabulary.ends:
                reason = EndReason.FINISHED
                break
    except Cancelled:
        reason = EndReason.INTERRUPTED
    for event in reader.finish(reason, len(ids)):
        emit(event)


def with_room(write: Callable[[], None], device: str) -> None:
    """`write`, and where the GPU runs out of memory or fails: what it held, freed; one sentence.

    Raises `Interrupted`.
    """
    torch: Any = importlib.import_module("torch")
    try:
        write()
        return
    except torch.OutOfMemoryError:
        why = (
            "The GPU ran out of memory, which was freed; ask again, or end what else uses the GPU."
        )
    except torch.AcceleratorError:
        why = "The GPU failed in the middle of a reply: start the app again."
    # Here the error is gone, and with it the frames that held the memory.
    gc.collect()
    if device != "cpu":
        torch.cuda.empty_cache()
    raise Interrupted(why)
