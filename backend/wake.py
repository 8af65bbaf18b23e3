"""Whether an endpoint is awake, as far as is known, and asking it until it is.

A question is posted only to an endpoint that is: a POST to one that sleeps is lost where the
platform gives up on it, and starts a second machine where it is sent again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator

from backend.attempts import Attempts, Failure
from backend.base import (
    TICK,
    Asleep,
    BackendError,
    BrokeContract,
    Failed,
    NotReady,
    Ready,
    Status,
    TooSlow,
    Waking,
)
from backend.cancelled import Cancelled
from backend.policy import Policy
from backend.transport import Line
from chat.events import Event, Stage, Waiting

log = logging.getLogger("medicalgpt.remote")

Look = Callable[[Line, Callable[[], None]], bool]
"""One look: whether it is awake. Calls its second argument where it is sent on, which a service
that starts does. Raises `Failure`."""


class Sleeping(Exception):
    """The door of a service answered, and nothing behind it."""


class Search:
    """One thread that asks until the endpoint is awake, for all who wait for it."""

    def __init__(self, look: Look, attempts: Attempts, policy: Policy, *, kept: bool) -> None:
        self._look = look
        self._attempts = attempts
        self._policy = policy
        self._asleep = False
        self.kept = kept
        """Whether it goes on when nobody waits any more."""
        self.waiters = 0
        self.since = time.monotonic()
        self.line = Line()
        self.done = threading.Event()
        self.error: BackendError | None = None
        self.awake = False

    @property
    def waking(self) -> Waking:
        slow = time.monotonic() - self.since > self._policy.starting_up
        return Waking(self.since, Stage.WAKING if self._asleep or slow else Stage.CONNECTING)

    def run(self) -> None:
        try:
            self._until_awake()
            self.awake = True
        except BackendError as error:
            self.error = error
        except Cancelled:
            self.error = NotReady("Nobody waited for the endpoint any more.")
        except Exception as error:
            # The class alone, as everywhere.
            log.error("a sign of life failed inside: %s", type(error).__name__)
            self.error = BrokeContract("An error of our own.")
        finally:
            self.line.close()
            self.done.set()

    def _until_awake(self) -> None:
        until = self.since + self._policy.wake
        while not self._attempts.run(self._once, self.line.pause):
            self._asleep = True
            if time.monotonic() > until:
                raise TooSlow("The endpoint did not wake in time.")
            self.line.pause(self._policy.wake_pause)

    def _once(self) -> bool:
        try:
            return self._look(self.line, self._sent_on)
        except Failure as failure:
            # It was reached, and said nothing for as long as a service that starts may.
            if isinstance(failure.error, TooSlow):
                return False
            raise

    def _sent_on(self) -> None:
        self._asleep = True


class Wake:
    """The knowledge, shared by all streams. May be used from several threads."""

    def __init__(self, look: Look, attempts: Attempts, policy: Policy) -> None:
        self._look = look
        self._attempts = attempts
        self._policy = policy
        self._lock = threading.Lock()
        self._search: Search | None = None
        self._seen: float | None = None
        self._failed: BackendError | None = None
        self._closed = False

    @property
    def awake(self) -> bool:
        seen = self._seen
        return seen is not None and time.monotonic() - seen < self._policy.awake

    @property
    def status(self) -> Status:
        barred, search = self._attempts.barred, self._search
        if barred is not None:
            return Failed(barred)
        if search is not None:
            return search.waking
        if self._failed is not None:
            return Failed(self._failed)
        return Ready() if self.awake else Asleep()

    def seen(self) -> None:
        """There was a sign of life."""
        self._seen, self._failed = time.monotonic(), None

    def lost(self, error: BackendError | None) -> None:
        """It failed: the next question looks first. `error` is why nothing can be had of it."""
        self._seen, self._failed = None, error

    def begin(self) -> None:
        """Look for it, whoever waits. Returns at once."""
        if not (self.awake or self._closed or self._attempts.barred):
            self._join(kept=True, waiters=0)

    def wait(self) -> Generator[Event, None, None]:
        """Returns when it is awake. Raises `BackendError`."""
        search = self._join(kept=False, waiters=1)
        try:
            while not search.done.wait(TICK):
                waking = search.waking
                elapsed = time.monotonic() - waking.since
                if elapsed > self._policy.wake + self._policy.headers:
                    search.line.shut()  # it keeps one look from ending
                    raise TooSlow("The endpoint did not wake in time.")
                yield Waiting(waking.stage, elapsed)
        finally:
            self._leave(search)
        if search.error is not None:
            raise search.error

    def close(self) -> None:
        with self._lock:
            self._closed, search = True, self._search
        if search is not None:
            search.line.shut()
            search.done.wait(1.0)

    def _join(self, *, kept: bool, waiters: int) -> Search:
        with self._lock:
            if self._closed:
                raise NotReady("The backend was closed.")
            search = self._search
            if search is None or search.line.is_shut:
                search = self._search = Search(self._look, self._attempts, self._policy, kept=kept)
                threading.Thread(
                    target=self._run, args=(search,), name="wake-endpoint", daemon=True
                ).start()
            search.kept = search.kept or kept
            search.waiters += waiters
            return search

    def _leave(self, search: Search) -> None:
        with self._lock:
            search.waiters -= 1
            if search.waiters == 0 and not search.kept and not search.done.is_set():
                search.line.shut()

    def _run(self, search: Search) -> None:
        try:
            search.run()
        finally:
            with self._lock:
                if self._search is search:
                    self._search = None
                if search.awake:
                    self.seen()
                elif search.error is not None and not search.line.is_shut:
                    self.lost(search.error)
