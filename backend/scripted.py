"""A backend that plays a script: for tests, benchmarks and the gallery. Not a model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from backend.base import (
    TICK,
    BackendError,
    BackendInfo,
    EventStream,
    Option,
    Options,
    Ready,
    Refused,
    Status,
)
from backend.fitting import fit
from chat.conversation import Conversation
from chat.estimate import prompt_tokens
from chat.events import Event, Shortened, Stage, Waiting


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence for `seconds`, with a `Waiting` at every tick, as the seam asks."""

    seconds: float
    stage: Stage = Stage.GENERATING


Step = Event | Pause | BackendError
Script = Callable[[Conversation, Options], Iterable[Step]]


class ScriptedBackend:
    """Yields what `script` says, raising the errors in it. Counts what is open and closed."""

    def __init__(self, script: Script, info: BackendInfo | None = None) -> None:
        self._script = script
        self._info = info or BackendInfo(
            name="scripted",
            model="a script, not a model",
            revision="none",
            context_window=8_192,
            max_new_tokens=8_192,
            honours=frozenset(Option),
        )
        self._lock = threading.Lock()
        self.asked: list[tuple[Conversation, Options]] = []
        """What reached the script: a conversation that was too long, shortened."""
        self.open = 0
        self.closed_at: list[float] = []
        """A reading of `time.monotonic()` for each stream that was closed or ran out."""
        self.state: Status = Ready()
        self.woken = 0

    @property
    def info(self) -> BackendInfo:
        return self._info

    def status(self) -> Status:
        return self.state

    def stream(self, conversation: Conversation, options: Options) -> EventStream:
        if options.shorten:
            room = self._info.room(options)
            conversation = fit(conversation, lambda each: prompt_tokens(each) <= room)
        with self._lock:
            self.asked.append((conversation, options))
            self.open += 1
        try:
            if conversation.begun and not self._info.continues:
                raise Refused("This script begins its answers itself.")
            if conversation.left_out:
                yield Shortened(conversation.left_out)
            for step in self._script(conversation, options):
                if isinstance(step, BackendError):
                    raise step
                if isinstance(step, Pause):
                    yield from _silence(step)
                else:
                    yield step
        finally:
            with self._lock:
                self.open -= 1
                self.closed_at.append(time.monotonic())

    def wake(self) -> None:
        self.woken += 1

    def close(self) -> None:
        """Nothing is held."""


def _silence(pause: Pause) -> EventStream:
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < pause.seconds:
        yield Waiting(pause.stage, elapsed)
        time.sleep(min(TICK, max(0.0, pause.seconds - elapsed)))
