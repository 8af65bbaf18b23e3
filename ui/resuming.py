"""Runs that a page may pick up again after its connection was lost, each by the page's token.

A run that nobody looks at any more goes on for `RESUME_SECONDS`, and the end of one that has ended
waits so long to be fetched; then it is cancelled and forgotten. All of this happens in the server's
event loop, so that there are no locks.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from chat.events import EndReason
from ui.run import Run
from ui.runs import Runs
from ui.terms import Terms

HEADER = "x-medicalgpt-token"
"""What a page's requests carry. A header and no input: what asks without a page has none."""
TOKEN = re.compile(r"[0-9a-f]{64}")
"""256 random bits, made in the browser before it asks: a page that is lost or closed before it
heard anything has it too. It is told to the server alone, and written nowhere."""
CLOSED = 1_000
"""So many pages are remembered that were closed before their question arrived."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a conversation a reply stands: so many messages below the question's."""

    extra: int
    terms: Terms


@dataclass(eq=False, slots=True)
class Watch:
    """Somebody looks at `runs`."""

    token: str
    runs: list[Run]
    place: Place | None
    """Where another is to show them; None for runs that do not outlive the connection."""
    over: bool = False
    """Whether another connection has picked them up: this one is not to show them any more."""
    timer: asyncio.TimerHandle | None = None

    def forget(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


class Resuming:
    """The runs of this process that have a token, for `seconds` after they were looked at last.

    Of those that have ended and wait to be fetched there are `most`; the oldest goes first. Those
    that go on are as many as the queue in front of them lets in.
    """

    def __init__(self, runs: Runs, seconds: float, most: int) -> None:
        self.seconds = seconds
        self._all = runs
        self._most = most
        self._watches: dict[str, Watch] = {}
        self._closed: OrderedDict[str, None] = OrderedDict()

    def held(self, token: str) -> Watch | None:
        """Who looked last at the runs of this token; None for one that is unknown or expired."""
        return self._watches.get(token)

    @contextmanager
    def watching(
        self, token: str, runs: list[Run], visitor: str, place: Place | None = None
    ) -> Generator[Watch]:
        """Look at `runs` for `visitor` (one open page), until its connection is lost or they end.

        Whoever looked at them before is told that it is over. Without a `place`, or a token of the
        right form, they are cancelled when this ends.
        """
        self._all.give(runs, visitor)
        watch = self._begin(Watch(token, runs, place))
        try:
            yield watch
        finally:
            self._leave(watch)

    def end(self, token: str) -> None:
        """The page was closed, or has all of the answer: cancel and forget. Any number of times."""
        watch = self._watches.pop(token, None)
        if watch is not None:
            watch.forget()
            _cancel(watch.runs, EndReason.STOPPED)
        elif TOKEN.fullmatch(token):
            self._closed[token] = None  # its question may still be on its way
            while len(self._closed) > CLOSED:
                self._closed.popitem(last=False)

    def _begin(self, watch: Watch) -> Watch:
        before = self._watches.get(watch.token)
        if before is not None:
            before.over = True
            before.forget()
            _cancel([run for run in before.runs if run not in watch.runs], EndReason.STOPPED)
        for run in watch.runs:
            run.lost = False
        if watch.token in self._closed:
            _cancel(watch.runs, EndReason.STOPPED)
        elif TOKEN.fullmatch(watch.token):
            self._watches[watch.token] = watch
        return watch

    def _leave(self, watch: Watch) -> None:
        if watch.over:
            return
        if self._watches.get(watch.token) is not watch or not (watch.place and self.seconds):
            self._watches.pop(watch.token, None)
            _cancel(watch.runs, EndReason.STOPPED)
            return
        for run in watch.runs:
            run.lost = True
        loop = asyncio.get_running_loop()
        watch.timer = loop.call_later(self.seconds, self._expire, watch)
        ended = [each for each in self._watches.values() if all(run.done for run in each.runs)]
        for each in ended[: -self._most]:
            each.forget()
            self._expire(each)

    def _expire(self, watch: Watch) -> None:
        self._watches.pop(watch.token, None)
        _cancel(watch.runs, EndReason.INTERRUPTED)


def _cancel(runs: list[Run], reason: EndReason) -> None:
    for run in runs:
        run.cancel(reason)
