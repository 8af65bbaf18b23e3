"""How often each visitor asked lately. Holds keys and times, of the last hour alone."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

HOUR = 3600.0
MAX_KEYS = 10_000
"""Of which the one that asked longest ago is forgotten first."""
SWEEP_SECONDS = 60.0


class Rates:
    """At most `per_minute` and `per_hour` questions for each key; 0 is no limit.

    Sliding windows, not fixed ones: in no 60 seconds are there more. May be used from several
    threads. `clock` is in seconds and only goes forward.
    """

    def __init__(
        self, per_minute: int, per_hour: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        limits = ((60.0, per_minute), (HOUR, per_hour))
        self._limits = [(seconds, most) for seconds, most in limits if most]
        self._most = max(per_minute, per_hour)
        self._clock = clock
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()
        self._sweeper: threading.Timer | None = None

    @property
    def limited(self) -> bool:
        """Whether there is any limit at all."""
        return bool(self._limits)

    def __len__(self) -> int:
        with self._lock:
            return len(self._asked)

    def wait(self, key: str, questions: int = 1) -> float:
        """Seconds until `key` may ask `questions` more; 0 where it may now.

        Where fewer than that are allowed in all, until it may ask those.
        """
        now = self._clock()
        with self._lock:
            asked = self._asked.get(key, ())
            waits: list[float] = []
            for seconds, most in self._limits:
                over = len(asked) + min(questions, most) - most
                if over > 0:
                    waits.append(asked[over - 1] + seconds - now)
        return max(0.0, *waits) if waits else 0.0

    def count(self, key: str) -> None:
        """`key` asks now."""
        if not self.limited:
            return
        with self._lock:
            self._forget()
            asked = self._asked.setdefault(key, deque(maxlen=self._most))
            asked.append(self._clock())
            self._asked.move_to_end(key)
            while len(self._asked) > MAX_KEYS:
                self._asked.popitem(last=False)
            self._plan()

    def _forget(self) -> None:
        before = self._clock() - HOUR
        while self._asked and next(iter(self._asked.values()))[-1] <= before:
            self._asked.popitem(last=False)

    def _plan(self) -> None:
        """An entry is to go although nobody asks any more."""
        if self._sweeper is None and self._asked:
            self._sweeper = threading.Timer(SWEEP_SECONDS, self._sweep)
            self._sweeper.daemon = True
            self._sweeper.start()

    def _sweep(self) -> None:
        with self._lock:
            self._sweeper = None
            self._forget()
            self._plan()
