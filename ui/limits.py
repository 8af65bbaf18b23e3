"""Whether a question may be asked now: the day's budget, the visitor's rate, a place in the queue.

Everything that turns a visitor away is here, and nothing of what the visitor asked.
"""

from __future__ import annotations

import math
from typing import ClassVar

from backend.base import Busy
from backend.gate import Gate, Ticket
from settings import Settings
from ui.budget import Budget
from ui.rates import Rates
from ui.visitors import OWNER

QUEUE = 16
"""Visitors who wait while as many as allowed are answered; the next is turned away."""


class NotNow(Exception):
    """A question that is not taken, and may be asked again later. `kind` is for the log."""

    kind: ClassVar[str]


class TooSoon(NotNow):
    """This visitor asked too often; `seconds` from now it may be asked again."""

    kind = "rate"

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = math.ceil(seconds)


class OneAtATime(NotNow):
    """A question of this visitor is being answered, or waits."""

    kind = "one"


class UsedUp(NotNow):
    """The day's tokens are spent."""

    kind = "cap"


class GoingDown(NotNow):
    """The server is about to end."""

    kind = "closing"


class Limits:
    """One for the process."""

    def __init__(self, gate: Gate, rates: Rates, budget: Budget) -> None:
        self._gate = gate
        self._rates = rates
        self._budget = budget

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        return cls(
            Gate(settings.max_concurrent_chats, QUEUE),
            Rates(settings.rate_per_minute, settings.rate_per_hour),
            Budget(settings.daily_tokens),
        )

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return self._gate.waiting

    def binds(self, key: str) -> bool:
        """Whether the visitor of `key` has any limit of their own."""
        return key != OWNER and self._rates.limited

    def admit(self, key: str, places: int = 1) -> list[Ticket]:
        """Tickets to so many places, all or none, each counted as a question.

        Raises `NotNow` and `Busy`. A question that is turned away is not counted: to be told to
        wait costs nobody a turn.
        """
        if self._budget.used_up:
            raise UsedUp
        if self.binds(key) and (seconds := self._rates.wait(key, places)):
            raise TooSoon(seconds)
        tickets: list[Ticket] = []
        try:
            while len(tickets) < places:
                tickets.append(self._gate.enter())
        except Busy:
            for ticket in tickets:
                ticket.leave()
            raise
        if self.binds(key):
            for _ in tickets:
                self._rates.count(key)
        return tickets

    def spend(self, tokens: int) -> None:
        """A reply has ended that was so long."""
        self._budget.spend(tokens)
