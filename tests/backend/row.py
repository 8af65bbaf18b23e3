"""One row of the acceptance matrix: what the endpoint does, and what a visitor must then see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests import behaviours as do
from tests.backend.scene import Scene
from tests.behaviours import HALF
from tests.faults import Behaviour

Begin = Callable[[Scene], None]

ANSWER = "ANSWER"


@dataclass(frozen=True)
class Row:
    """One fault of one row of the matrix."""

    number: int
    fault: str
    on: str
    shown: str
    """ANSWER, or the code of the sentence in `ui/words/`."""
    seconds: float
    """The sentence stands on the page by then."""
    posts: int
    begin: Begin
    """Makes the fault, after a sign of life where the row is not cold."""
    cold: bool = False
    """Nothing is known of the endpoint, and the fault is in its sign of life."""
    answer: str | None = None
    """What the answer panel holds at the end; by default all of it, half of it, or nothing."""
    reasoning: str | None = None
    """What the reasoning panel holds at the end, where it matters."""
    up_to: int = 0
    """Where not 0, the answer panel holds `answer` again and again, and at most so many bytes."""
    hidden: str = "<|"
    """What may not be seen at any time."""
    wakes: bool = False
    """Whether WAKE is shown on the way."""
    not_before: float = 0.0
    """Seconds that the endpoint really asked for, or that a limit lasts; never scaled."""
    fewer: bool = False
    """Whether fewer POSTs would do."""
    n: int | None = None
    """In BUSY."""
    tls: bool = False
    named: bool = False
    """Whether the endpoint is known by a host name."""
    recovers: bool = True
    """Whether the next question is answered."""
    true_scale: bool = False

    @property
    def contracts(self) -> list[str]:
        return {"B": ["openai", "legacy"], "S": ["openai"], "L": ["legacy"]}[self.on]

    @property
    def left(self) -> str:
        """The text of the answer panel at the end."""
        if self.answer is not None:
            return self.answer
        return {ANSWER: do.ANSWER, "CUT": HALF}.get(self.shown, "")


def does(*behaviours: Behaviour) -> Begin:
    return lambda scene: scene.server.behave(*behaviours)


def wakes(*behaviours: Behaviour) -> Begin:
    return lambda scene: scene.server.wake_up(*behaviours)


def streams(
    number: int,
    fault: str,
    shown: str,
    *parts: do.Part,
    chunked: bool = True,
    seconds: float = 3,
    **more: Any,
) -> Row:
    """A row about what is in a stream: one POST."""
    begin = does(do.stream(*parts, chunked=chunked))
    return Row(number, fault, "S", shown, seconds, 1, begin, **more)


def legacy(number: int, fault: str, shown: str, body: object, **more: Any) -> Row:
    """A row about a legacy answer in one piece: one POST."""
    return Row(number, fault, "L", shown, 3, 1, does(do.whole(body)), **more)
