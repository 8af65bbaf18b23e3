"""Who looks on while a model computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Watcher:
    """Called from the thread that computes; must not raise."""

    read: Callable[[float], None]
    """The share of the prompt that is read, 0 to 1."""
    cancelled: Callable[[], bool]
