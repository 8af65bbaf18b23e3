"""The form of replies, whatever they say: both channels there, how long, cut off, in circles."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

SPAN, TIMES = 8, 3
"""A text goes in circles if the same `SPAN` words stand in it `TIMES` times."""
MARKER = re.compile(r"<\|\w*\|?>?|</?think>")
CUT, WITHHELD = "length", "withheld"


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply as it was read. `ended` is finished, `CUT`, `WITHHELD` or unknown."""

    reasoning: str
    answer: str
    ended: str
    tokens: int | None = None

    @property
    def well_formed(self) -> bool:
        """Both channels there, without a trace of a marker in what is shown."""
        parts = (self.reasoning, self.answer)
        return all(part.strip() and not MARKER.search(part) for part in parts)

    @property
    def in_circles(self) -> bool:
        return any(circles(part) for part in (self.reasoning, self.answer))


def circles(text: str) -> bool:
    """Whether `SPAN` words in a row stand `TIMES` times in `text`."""
    words = re.findall(r"\w+", text.casefold())
    spans = Counter(tuple(words[at : at + SPAN]) for at in range(len(words) - SPAN + 1))
    return max(spans.values(), default=0) >= TIMES


def form(replies: Sequence[Reply]) -> dict[str, Any]:
    """Counts over `replies`, and lengths in words: the median, the 10th and 90th of a hundred."""
    return {
        "n": len(replies),
        "well_formed": sum(reply.well_formed for reply in replies),
        "cut_off": sum(reply.ended == CUT for reply in replies),
        "withheld": sum(reply.ended == WITHHELD for reply in replies),
        "in_circles": sum(reply.in_circles for reply in replies),
        "reasoning_words": lengths([reply.reasoning for reply in replies]),
        "answer_words": lengths([reply.answer for reply in replies]),
        "tokens": sum(reply.tokens or 0 for reply in replies),
    }


def lengths(texts: Sequence[str]) -> list[float]:
    """Median, 10th and 90th of a hundred, of the words in each of `texts`."""
    words = sorted(len(text.split()) for text in texts)
    if not words:
        return [0, 0, 0]
    last = len(words) - 1
    return [median(words), words[round(last * 0.1)], words[round(last * 0.9)]]
