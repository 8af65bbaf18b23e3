"""The runs of this process: who may start one, and how they end together."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from backend.base import Busy, EventStream
from chat.events import EndReason
from ui.budget import tokens_of
from ui.limits import GoingDown, Limits, NotNow, OneAtATime
from ui.metrics import Uncounted
from ui.run import Run, Snapshot
from ui.visitors import OWNER

log = logging.getLogger("medicalgpt.run")


class Runs:
    """The runs of this process: bounded by `limits`, and ended together at shutdown."""

    def __init__(self, limits: Limits, counted: Uncounted | None = None) -> None:
        self._limits = limits
        self.counted = counted or Uncounted()
        """What the owner is told of; a page tells it what the safety layer found."""
        self._lock = threading.Lock()
        self._running: dict[str, Run] = {}
        self._closing = False

    @property
    def closing(self) -> bool:
        """Whether the server is going down and starts nothing any more."""
        return self._closing

    def __len__(self) -> int:
        with self._lock:
            return len(self._live())

    def of(self, visitor: str) -> Run | None:
        """The run of this visitor (one open page), if one is going on."""
        with self._lock:
            return self._live().get(visitor)

    def start(
        self,
        visitor: str,
        open_stream: Callable[[], EventStream],
        rules: tuple[str, ...] = (),
        key: str = OWNER,
    ) -> Run:
        """A new run of `visitor` (one open page), who counts as `key` (`ui.visitors`).

        `rules` are the ids of those that the question met, for the log.

        Raises `NotNow`, and `Busy` where the queue is full.
        """
        try:
            with self._lock:
                running = self._live()
                if self._closing:
                    raise GoingDown
                same = self._limits.binds(key) and any(run.key == key for run in running.values())
                if visitor in running or same:
                    raise OneAtATime
                run = Run(
                    open_stream, self._limits.admit(key), key=key, rules=rules, ended=self._ended
                )
                running[visitor] = run.start()
            return run
        except (NotNow, Busy) as refusal:
            kind = refusal.kind if isinstance(refusal, NotNow) else "busy"
            log.info("refused kind=%s", kind)
            self.counted.refused(kind)
            raise

    def _ended(self, snapshot: Snapshot) -> None:
        self._limits.spend(tokens_of(snapshot.reply))
        self.counted.ended(snapshot.reply, snapshot.error)

    def _live(self) -> dict[str, Run]:
        self._running = {who: run for who, run in self._running.items() if not run.done}
        return self._running

    def drain(self, seconds: float) -> bool:
        """Take no more runs, let those there finish for `seconds`, then interrupt the rest.

        Returns whether all had finished by themselves. Blocks up to `seconds` and one more.
        """
        self._closing = True
        until = time.monotonic() + seconds
        with self._lock:
            running = list(self._running.values())
        finished = all(run.join(max(0.0, until - time.monotonic())) for run in running)
        for run in running:
            run.cancel(EndReason.INTERRUPTED)
        until = time.monotonic() + 1.0
        for run in running:
            run.join(max(0.0, until - time.monotonic()))
        return finished
