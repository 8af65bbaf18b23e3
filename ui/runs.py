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
        self._running: dict[str, list[Run]] = {}
        self._closing = False

    @property
    def closing(self) -> bool:
        """Whether the server is going down and starts nothing any more."""
        return self._closing

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._live().values()))

    def of(self, visitor: str) -> list[Run]:
        """The runs of this visitor (one open page) that are going on."""
        with self._lock:
            return self._live().get(visitor, [])

    def start(
        self,
        visitor: str,
        *open_streams: Callable[[], EventStream],
        rules: tuple[str, ...] = (),
        key: str = OWNER,
        begun: str = "",
    ) -> list[Run]:
        """A run for each of `open_streams`, of `visitor` (one open page), who counts as `key`.

        Several are one question asked of several models: all begin, or none. `rules` are the ids
        of those that the question met, for the log; `begun` is an answer that is gone on with. A
        run of the same visitor that no page looks at any more is ended: it must not keep out who
        comes back and asks anew.

        Raises `NotNow`, and `Busy` where the queue is full.
        """
        try:
            with self._lock:
                if self._closing:
                    raise GoingDown
                before = self._before(visitor, key)
                if not all(run.lost for run in before):
                    raise OneAtATime
                tickets = self._limits.admit(key, len(open_streams))
                for run in before:
                    run.cancel()
                started = [
                    Run(each, ticket, key=key, rules=rules, begun=begun, ended=self._ended).start()
                    for each, ticket in zip(open_streams, tickets, strict=True)
                ]
                self._running.setdefault(visitor, []).extend(started)
            return started
        except (NotNow, Busy) as refusal:
            kind = refusal.kind if isinstance(refusal, NotNow) else "busy"
            log.info("refused kind=%s", kind)
            self.counted.refused(kind)
            raise

    def give(self, runs: list[Run], visitor: str) -> None:
        """From now on `runs` are those of `visitor`: the page was loaded again, or renamed."""
        with self._lock:
            for who, each in self._live().items():
                self._running[who] = [run for run in each if run not in runs]
            going_on = [run for run in runs if not run.done]
            self._running.setdefault(visitor, []).extend(going_on)

    def _before(self, visitor: str, key: str) -> list[Run]:
        """What goes on of this visitor, on this page or on others."""
        binds = self._limits.binds(key)
        return [
            run
            for who, runs in self._live().items()
            for run in runs
            if who == visitor or (binds and run.key == key)
        ]

    def _ended(self, snapshot: Snapshot) -> None:
        self._limits.spend(tokens_of(snapshot.reply))
        self.counted.ended(snapshot.reply, snapshot.error)

    def _live(self) -> dict[str, list[Run]]:
        live = {who: [r for r in runs if not r.done] for who, runs in self._running.items()}
        self._running = {who: runs for who, runs in live.items() if runs}
        return self._running

    def drain(self, seconds: float) -> bool:
        """Take no more runs, let those there finish for `seconds`, then interrupt the rest.

        Returns whether all had finished by themselves. Blocks up to `seconds` and one more.
        """
        self._closing = True
        until = time.monotonic() + seconds
        with self._lock:
            running = [run for runs in self._running.values() for run in runs]
        finished = all(run.join(max(0.0, until - time.monotonic())) for run in running)
        for run in running:
            run.cancel(EndReason.INTERRUPTED)
        until = time.monotonic() + 1.0
        for run in running:
            run.join(max(0.0, until - time.monotonic()))
        return finished
