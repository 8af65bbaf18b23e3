"""One question being answered. A run is ours, not the page's: it outlives no cancel.

A worker thread pulls the backend's iterator and folds its events; the page looks at the latest
`Snapshot` as often as it likes. This is also the one place where an error of a backend becomes
a value: a snapshot never raises.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from backend.base import BackendError, BrokeContract, Busy, EventStream
from chat.events import Ended, EndReason
from chat.reply import Phase, Reply
from safety.screen import Screen, Screened

log = logging.getLogger("medicalgpt.run")

PACE = 1 / 6
"""Seconds between two updates of the page while text flows: cost is per update."""
TICK = 0.5
"""Seconds after which the page is updated although nothing came: a closed tab is noticed then."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of a run at one moment."""

    reply: Reply
    error: BackendError | None
    ref: str
    """Eight hex digits that name the run in the log and, where it failed, to the visitor."""
    screened: Screened
    """What may be shown of the reply's texts; the reply itself has them as the model wrote them."""


class Run:
    """Starts at once. Threads: one of its own; `cancel` and `snapshot` may be called from any."""

    def __init__(self, open_stream: Callable[[], EventStream]) -> None:
        self.ref = secrets.token_hex(4)
        self._open_stream = open_stream
        self._reply = Reply(started=time.monotonic())
        self._screen = Screen()
        self._looking = threading.Lock()
        self._error: BackendError | None = None
        self._cancel: EndReason | None = None
        self._watcher: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._pull, name=f"run-{self.ref}", daemon=True)

    def start(self) -> Run:
        self._thread.start()
        return self

    @property
    def snapshot(self) -> Snapshot:
        """The run now. Where its text is to be withheld, looking ends it."""
        with self._looking:
            reply = self._reply
            ended = reply.end is not None
            screened = self._screen.read(reply.reasoning, reply.answer, ended)
            if screened.withheld:
                self._error = None
                self.cancel(EndReason.WITHHELD)
            if screened.withheld or reply.end is EndReason.WITHHELD:
                self._reply = reply = reply.withheld(time.monotonic())
                screened = Screened(withheld=screened.withheld)
        return Snapshot(reply, self._error, self.ref, screened)

    @property
    def done(self) -> bool:
        """Whether the backend's iterator is closed and the reply has its end."""
        return self._done.is_set()

    def cancel(self, reason: EndReason = EndReason.STOPPED) -> None:
        """Ask for the end; the backend's iterator is closed at its next event, 0.5 s at most."""
        self._cancel = self._cancel or reason

    def join(self, timeout: float) -> bool:
        """Wait for the end in seconds; whether it came."""
        return self._done.wait(timeout)

    async def snapshots(self) -> AsyncGenerator[Snapshot, None]:
        """The run as a page should see it: at once where the phase changes, else at `PACE`.

        One reader only. The last snapshot has the end.
        """
        turned = asyncio.Event()
        self._watcher = (asyncio.get_running_loop(), turned)
        while True:
            turned.clear()
            done, snapshot = self.done, self.snapshot
            yield snapshot
            if done:
                return
            for _ in range(round(TICK / PACE)):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(turned.wait(), PACE)
                if turned.is_set() or self._reply is not snapshot.reply:
                    break

    def _pull(self) -> None:
        try:
            stream = self._open_stream()
            try:
                for event in stream:
                    if self._cancel is not None:
                        break
                    before = self._reply.phase
                    self._reply = self._reply.apply(event, time.monotonic())
                    # Not for every token: waking the loop costs more than the token itself.
                    if self._reply.phase is not before:
                        self._wake()
            finally:
                stream.close()
            if self._cancel is None and self._reply.phase is not Phase.ENDED:
                raise BrokeContract("the stream ended without saying how")
        except BackendError as error:
            self._error = error
        except Exception as error:
            # The class alone: an exception's text may hold what was said.
            log.error("run %s failed inside: %s", self.ref, type(error).__name__)
            self._error = BrokeContract("an error of our own")
        finally:
            self._finish()

    def _finish(self) -> None:
        reason = self._cancel or EndReason.INTERRUPTED
        if self._cancel in (EndReason.STOPPED, EndReason.WITHHELD):
            self._error = None  # how a backend takes its own closing is nobody's failure
        self._reply = self._reply.apply(Ended(reason), time.monotonic())
        last = self.snapshot
        reply, rule = last.reply, last.screened.withheld or "none"
        seconds = (reply.ended_at or reply.started) - reply.started
        kind = type(last.error).__name__ if last.error else "none"
        ended = reply.end.value if reply.end else "none"
        log.info(
            "run %s ended=%s error=%s rule=%s seconds=%.1f", self.ref, ended, kind, rule, seconds
        )
        self._done.set()
        self._wake()

    def _wake(self) -> None:
        watcher = self._watcher
        if watcher is None:
            return
        loop, turned = watcher
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody looks any more
            loop.call_soon_threadsafe(turned.set)


class Runs:
    """The runs of this process: bounded in number, and ended together at shutdown."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
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

    def start(self, visitor: str, open_stream: Callable[[], EventStream]) -> Run:
        """A new run. Raises `Busy` where there are too many, or this visitor has one."""
        with self._lock:
            running = self._live()
            if self._closing or visitor in running or len(running) >= self._limit:
                raise Busy("too many runs", retry_after=20)
            running[visitor] = run = Run(open_stream).start()
        return run

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
