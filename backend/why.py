"""Why it is this backend that answers. The sentence for each reason is in `ui/words/`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Reason(Enum):
    CHOSEN = "chosen"
    """By name, in the settings."""
    ENDPOINT = "endpoint"
    GPU = "gpu"
    NO_GPU = "no gpu"
    NO_LIBRARIES = "no libraries"
    """A GPU is here, but not what uses it."""
    SMALL_GPU = "small gpu"
    UNSEEN_GPU = "unseen gpu"
    """torch does not see it."""


@dataclass(frozen=True, slots=True)
class Why:
    """`memory` is the GPU's, in bytes, where the reason speaks of it."""

    reason: Reason
    backend: str
    memory: int = 0
