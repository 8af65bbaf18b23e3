"""Trying again, and when not to: retries, the bucket that pays for them, and the circuit.

Sources: gRPC's retry throttling (proposal A6) for the bucket; "Exponential Backoff and Jitter"
(AWS Architecture Blog, 2015) for the full jitter.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from backend.base import BackendError, Refused, Unreachable
from backend.policy import Policy

log = logging.getLogger("medicalgpt.remote")

T = TypeVar("T")


class Failure(Exception):
    """One try that failed: what it means, and how often such a thing may be tried again.

    `wait` is the other side's own word on when, in seconds. `down` is whether it speaks against
    the endpoint, and not only against this request.
    """

    def __init__(
        self,
        error: BackendError,
        retries: int = 0,
        *,
        wait: float | None = None,
        down: bool = False,
    ) -> None:
        super().__init__(type(error).__name__)
        self.error = error
        self.retries = retries
        self.wait = wait
        self.down = down


class Attempts:
    """What all streams of one endpoint know together of how it has been doing."""

    def __init__(self, policy: Policy, jitter: Callable[[], float] = random.random) -> None:
        self._policy = policy
        self._jitter = jitter
        self._lock = threading.Lock()
        self._tokens = policy.tokens
        self._failures = 0
        self._open_until = 0.0
        self._probing = False
        self._barred: Refused | None = None

    @property
    def barred(self) -> Refused | None:
        """Why nothing is asked any more until a restart: the keys were refused."""
        return self._barred

    def bar(self, error: Refused) -> None:
        """Ask nothing any more. Logged once."""
        with self._lock:
            first, self._barred = self._barred is None, self._barred or error
        if first:
            log.error("%s Nothing more is asked until a restart.", error)

    def admit(self) -> bool:
        """Whether this question is the one that finds out for all; then call `probed` at its end.

        Raises `Refused` where keys were refused, `Unreachable` while the circuit is open.
        """
        with self._lock:
            if self._barred is not None:
                raise self._barred
            if self._failures < self._policy.circuit_failures:
                return False
            if time.monotonic() < self._open_until or self._probing:
                raise Unreachable("The endpoint failed several times in a row; it is left alone.")
            self._probing = True
            return True

    def probed(self) -> None:
        """The one question is over, whatever came of it."""
        with self._lock:
            self._probing = False

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0
            self._tokens = min(self._policy.tokens, self._tokens + 0.1)

    def run(self, once: Callable[[], T], sleep: Callable[[float], None]) -> T:
        """What `once` gives, tried again where its `Failure` allows it. Raises `BackendError`."""
        for tried in range(self._policy.retries + 1):
            try:
                return once()
            except Failure as failure:
                self._failed(failure)
                wait = self._pause(failure, tried)
                if wait is None:
                    raise failure.error from None
                log.info("try %d failed (%s); again in %.1f s", tried + 1, failure, wait)
                sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _failed(self, failure: Failure) -> None:
        with self._lock:
            self._tokens = max(0.0, self._tokens - 1)
            if failure.down:
                self._failures += 1
                self._open_until = time.monotonic() + self._policy.circuit

    def _pause(self, failure: Failure, tried: int) -> float | None:
        """Seconds until the next try; None where there is none."""
        policy = self._policy
        if tried >= min(failure.retries, policy.retries) or self._tokens <= policy.tokens_floor:
            return None
        if failure.wait is not None:
            return failure.wait if failure.wait <= policy.retry_after_limit else None
        return self._jitter() * min(policy.backoff * 2**tried, policy.backoff_limit)
