"""A bounded first-come queue in front of a few slots."""

from __future__ import annotations

import threading
import time

from backend.base import Busy


class Gate:
    """`slots` visitors are inside at once, up to `queue` more wait in the order they came.

    Knows no model. May be used from several threads.
    """

    def __init__(self, slots: int, queue: int) -> None:
        self._queue = queue
        # The slot left last is entered next: it still holds what its last visitor's prompt began
        # with, so that one person's next question is read faster.
        self._free = list(range(slots))
        self._waiting: list[Ticket] = []
        self._change = threading.Condition()

    def enter(self) -> Ticket:
        """A ticket, with a slot where one is free. Raises `Busy` where the queue is full."""
        with self._change:
            if not self._free and len(self._waiting) >= self._queue:
                raise Busy(f"{self._queue} people are waiting already.", retry_after=30)
            ticket = Ticket(self, self._change)
            self._waiting.append(ticket)
            self._admit()
            return ticket

    def _admit(self) -> None:
        while self._free and self._waiting:
            self._waiting.pop(0).slot = self._free.pop()
        self._change.notify_all()

    def leave(self, ticket: Ticket) -> None:
        with self._change:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            if ticket.slot is not None:
                self._free.append(ticket.slot)
                ticket.slot = None
            self._admit()

    @property
    def waiting(self) -> int:
        """How many have no slot yet."""
        with self._change:
            return len(self._waiting)

    def place(self, ticket: Ticket) -> int | None:
        with self._change:
            return self._waiting.index(ticket) + 1 if ticket in self._waiting else None


class Ticket:
    """One visitor's turn. `slot` is None while waiting, and after leaving."""

    def __init__(self, gate: Gate, change: threading.Condition) -> None:
        self._gate = gate
        self._change = change
        self.entered = time.monotonic()
        self.slot: int | None = None

    @property
    def place(self) -> int | None:
        """Place in the queue, 1 being next; None for who does not wait."""
        return self._gate.place(self)

    def wait(self, seconds: float) -> int | None:
        """The slot, as soon as there is one, or None after `seconds`."""
        with self._change:
            self._change.wait_for(lambda: self.slot is not None, seconds)
            return self.slot

    def leave(self) -> None:
        """Give the slot or the place back. Safe to call twice."""
        self._gate.leave(self)
