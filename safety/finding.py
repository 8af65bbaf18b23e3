"""What was recognised in what a person wrote."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

LEARNED = "learned."
"""What the ids begin with that no rule has: the learned weights'."""


class Level(Enum):
    """How urgent it is. A crisis may be an emergency too; then both notices are shown."""

    NONE = "none"
    EMERGENCY = "emergency"  # somebody's life or health may be in danger right now
    CRISIS = "crisis"  # suicide, self-harm, harm to others, abuse in progress


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of `safety.red_flags.assess`. Holds nothing of what was written."""

    level: Level
    rules: tuple[str, ...] = ()
    """Stable ids of the rules that fired; the only part that may be logged."""
    emergency: bool = False
    """Whether a rule of an emergency fired, also where the level is a crisis."""


NOTHING = Finding(Level.NONE)
