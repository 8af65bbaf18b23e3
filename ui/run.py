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

from backend.base import TICK as LOOK
from backend.base import BackendError, BrokeContract, EventStream
from backend.gate import Ticket
from chat.events import Ended, EndReason, Stage, Waiting
from chat.reply import Phase, Reply
from safety.screen import Screen, Screened
from ui.budget import tokens_of
from ui.visitors import OWNER

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
    """Starts at once, and asks once `ticket` has its turn, where there is one.

    Threads: one of its own; `cancel` and `snapshot` may be called from any. `rules` are the ids of
    the safety rules that the question met, for the log. `begun` is the answer that the stream goes
    on with: it is screened and shown with what is new. `ended` is told of the end in that thread.
    """

    def __init__(
        self,
        open_stream: Callable[[], EventStream],
        ticket: Ticket | None = None,
        *,
        key: str = OWNER,
        rules: tuple[str, ...] = (),
        begun: str = "",
        ended: Callable[[Snapshot], None] = lambda snapshot: None,
    ) -> None:
        self.ref = secrets.token_hex(4)
        self.key = key
        self.lost = False
        """Whether no page looks at it any more (`ui.resuming`)."""
        self._open_stream = open_stream
        self._ticket = ticket
        self._rules = rules
        self._ended = ended
        self._reply = Reply.going_on(time.monotonic(), begun)
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

    def watched(self, turned: asyncio.Event) -> None:
        """Have `turned` set, in the loop that runs now, whenever the phase changes."""
        self._watcher = (asyncio.get_running_loop(), turned)

    def went_on(self, since: Snapshot) -> bool:
        """Whether the reply has changed."""
        return self._reply is not since.reply

    def _pull(self) -> None:
        try:
            if self._queue():
                self._read(self._open_stream())
            if self._cancel is None and self._reply.phase is not Phase.ENDED:
                raise BrokeContract("the stream ended without saying how")
        except BackendError as error:
            self._error = error
        except Exception as error:
            # The class alone: an exception's text may hold what was said.
            log.error("run %s failed inside: %s", self.ref, type(error).__name__)
            self._error = BrokeContract("an error of our own")
        finally:
            if self._ticket is not None:
                self._ticket.leave()
            self._finish()

    def _queue(self) -> bool:
        """Wait for the turn, with the place shown; whether it came before a cancel."""
        began = time.monotonic()
        while self._cancel is None and self._ticket is not None and self._ticket.wait(LOOK) is None:
            now = time.monotonic()
            wait = Waiting(Stage.QUEUED, now - began, place=self._ticket.place)
            self._reply = self._reply.apply(wait, now)
        return self._cancel is None

    def _read(self, stream: EventStream) -> None:
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

    def _finish(self) -> None:
        reason = self._cancel or EndReason.INTERRUPTED
        if self._cancel in (EndReason.STOPPED, EndReason.WITHHELD):
            self._error = None  # how a backend takes its own closing is nobody's failure
        self._reply = self._reply.apply(Ended(reason), time.monotonic())
        try:
            log.info("run %s", line(self.snapshot, self._rules))
            self._ended(self.snapshot)
        finally:
            self._done.set()
            self._wake()

    def _wake(self) -> None:
        watcher = self._watcher
        if watcher is None:
            return
        loop, turned = watcher
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody looks any more
            loop.call_soon_threadsafe(turned.set)


async def snapshots(*runs: Run) -> AsyncGenerator[list[Snapshot], None]:
    """`runs` as a page should see them: at once where a phase changes, else at `PACE`.

    One reader only. The last snapshot of each has the end.
    """
    turned = asyncio.Event()
    for run in runs:
        run.watched(turned)
    while True:
        turned.clear()
        done = all(run.done for run in runs)
        seen = [run.snapshot for run in runs]
        yield seen
        if done:
            return
        for _ in range(round(TICK / PACE)):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(turned.wait(), PACE)
            if turned.is_set() or any(map(Run.went_on, runs, seen)):
                break


def line(snapshot: Snapshot, rules: tuple[str, ...]) -> str:
    """How a run went, for the log: numbers and names of ours, nothing that anybody wrote."""
    reply, error = snapshot.reply, snapshot.error
    first, tokens = reply.time_to_first_token, reply.usage.completion_tokens
    values = {
        "ref": snapshot.ref,
        "ended": reply.end.value if reply.end else "none",
        "error": type(error).__name__ if error else "none",
        "seconds": f"{(reply.ended_at or reply.started) - reply.started:.1f}",
        "first": "none" if first is None else f"{first:.2f}",
        "prompt_tokens": reply.usage.prompt_tokens,
        "tokens": tokens_of(reply),
        "counted": "no" if tokens is None else "yes",
        "rules": ",".join(rules) or "none",
        "withheld": snapshot.screened.withheld,
    }
    return " ".join(f"{name}={'none' if v is None else v}" for name, v in values.items())
