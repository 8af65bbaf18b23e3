"""gpt-oss and its adapter on this machine's own GPU, in torch.

One conversation is answered at a time and the others queue: a decode step is recorded for one
sequence, which is what makes it fast for that one. For many at once, vLLM behind `BACKEND=remote`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from backend.base import (
    MIN_NEW_TOKENS,
    BackendInfo,
    Interrupted,
    Option,
    Options,
    Refused,
    TooLong,
    versioned,
)
from backend.cancelled import Cancelled
from backend.checkpoint import adapter_place, model_place
from backend.fitting import fit
from backend.gpu import release
from backend.in_process import InProcess
from backend.local_loading import LocalLoading, LocalModel
from backend.token_reader import TokenReader
from backend.watcher import Watcher
from backend.work import Write
from chat.conversation import Conversation
from chat.encoding import encode
from chat.events import EndReason, Event, Shortened
from chat.harmony_prompt import prompt
from settings import Settings

CONTEXT = 8_192
"""Tokens: 0.4 GB of keys and values for gpt-oss-20b, long enough for a reply of 4,096."""


class LocalBackend(InProcess[LocalModel]):
    """Answers with gpt-oss in torch. One seed gives one text on one machine.

    `device` "cpu" is for tests: it is slow, and the experts are unpacked.
    """

    def __init__(self, settings: Settings, device: str = "cuda", context: int = CONTEXT) -> None:
        self._settings = settings
        self._context = context
        super().__init__(LocalLoading(settings, context, device), slots=1)

    @classmethod
    def from_settings(cls, settings: Settings) -> LocalBackend:
        """Returns at once; `status()` tells how far the model is."""
        return cls(settings)

    @property
    def info(self) -> BackendInfo:
        place, adapter = model_place(self._settings), adapter_place(self._settings)
        loaded = self._loading.loaded
        revisions = [place.revision, adapter.revision if adapter else None]
        if loaded is not None:
            revisions = [loaded.revision, loaded.adapter_revision]
        return BackendInfo(
            name="local",
            model=place.label if adapter is None else f"{place.label} + {adapter.label}",
            revision="+".join(each[:12] for each in revisions if each),
            adapter=versioned(adapter.label, (revisions[1] or "")[:12]) if adapter else "",
            context_window=self._context,
            max_new_tokens=self._context // 2,
            honours=frozenset(Option),
            # gpt-oss is meant to be sampled as it is.
            defaults=Options(
                max_new_tokens=min(2_048, self._context // 2), temperature=1.0, top_p=1.0
            ),
        )

    def _writing(
        self, loaded: LocalModel, slot: int, asked: Conversation, options: Options
    ) -> Write:
        def write(emit: Callable[[Event], None], watcher: Watcher) -> None:
            with_room(lambda: reply(loaded, asked, options, emit, watcher))

        return write


def reply(
    loaded: LocalModel,
    asked: Conversation,
    options: Options,
    emit: Callable[[Event], None],
    watcher: Watcher,
) -> None:
    """Emit one reply and its `Ended`.

    Raises `TooLong`, `Refused`, `BrokeContract`, torch's own errors.
    """
    if asked.begun:
        raise Refused("The local backend begins its answers itself.")
    context = loaded.decoder.context

    def ids_of(conversation: Conversation) -> list[int]:
        return encode(prompt(conversation, options.effort.value), loaded.vocabulary)

    if options.shorten:
        asked = fit(asked, lambda each: context - len(ids_of(each)) >= options.max_new_tokens)
    if asked.left_out:
        emit(Shortened(asked.left_out))
    ids = ids_of(asked)
    budget = min(options.max_new_tokens, context - len(ids))
    if budget < MIN_NEW_TOKENS:
        raise TooLong(f"{len(ids)} tokens leave no room to answer in {context}.")
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


def with_room(write: Callable[[], None]) -> None:
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
    release()
    raise Interrupted(why)
