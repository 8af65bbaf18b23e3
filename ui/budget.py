"""How much all visitors together may have written in a day."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from chat.reply import Reply

log = logging.getLogger("medicalgpt.run")

DAY = 86_400
CHARS_PER_TOKEN = 3
"""For a reply whose tokens nobody counted. English has about four: the estimate is rather too high,
so that a budget ends too early and not too late."""


class Budget:
    """`tokens` of replies a day, by UTC, reasoning included; 0 is no limit.

    In memory: a restart begins the day anew. Replies in progress when it is used up are finished,
    so that it is exceeded by as much as those still write. `clock` gives seconds since 1970.
    """

    def __init__(self, tokens: int, clock: Callable[[], float] = time.time) -> None:
        self._tokens = tokens
        self._clock = clock
        self._lock = threading.Lock()
        self._day: int = 0
        self._spent = 0

    @property
    def used_up(self) -> bool:
        with self._lock:
            self._turn()
            return 0 < self._tokens <= self._spent

    def spend(self, tokens: int) -> None:
        with self._lock:
            self._turn()
            before, self._spent = self._spent, self._spent + tokens
            if before < self._tokens <= self._spent:
                log.warning("today's %d tokens are used up", self._tokens)

    def _turn(self) -> None:
        today: int = int(self._clock()) // DAY
        if today != self._day:
            self._day, self._spent = today, 0


def tokens_of(reply: Reply) -> int:
    """What the source counted, else an estimate from the length of the text."""
    if reply.usage.completion_tokens is not None:
        return reply.usage.completion_tokens
    written = len(reply.reasoning) + len(reply.answer) + reply.withheld_chars - reply.begun
    return -(-written // CHARS_PER_TOKEN)
