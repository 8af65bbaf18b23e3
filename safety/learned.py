"""What labelled messages teach beyond the rules: how likely a message is an emergency or a crisis.

People tell of danger in more words than any list of phrases has, and use the words of danger where
there is none. This weighs all words of a message: a logistic regression over three classes, learned
by `python -m tests.safety.learn` from the messages in `tests/safety/sets/dev` and the rules' own
examples. It is no list that a clinician can read; what a clinician can change is the messages. It
says the same thing each time, and its cost grows as the message's length.
"""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from safety.finding import Level

FILE = Path(__file__).with_name("learned.tsv")
TURKISH = Path(__file__).with_name("learned_tr.tsv")
"""Weights of Turkish messages alone, from `tests/safety/sets/dev_turkish`."""
BEGINNING = 4
"""Letters by which forms of one word are alike."""
SHORT = 20.0
"""The length, in rarity, up to which all messages count as equally short: about four words."""
Bounds = dict[Level, float]

ALONE: Bounds = {Level.EMERGENCY: 0.75, Level.CRISIS: 0.6}
"""The probability of danger from which a message is an alarm though no rule fired."""
ALONE_TURKISH: Bounds = {Level.EMERGENCY: 0.6, Level.CRISIS: 0.6}
"""The same by the Turkish weights, which are asked about emergencies, and not in terse messages."""
SOME = 0.2
"""The share of Turkish words from which a message is read as Turkish too: most English is below."""
MOST = 0.5
"""That from which the Turkish weights are asked."""
BESIDE: Bounds = {Level.EMERGENCY: 0.3, Level.CRISIS: 0.2}
"""The probability of its level, or of worse, below which a rule that fired is overruled."""
TERSE = 5
"""Words of a message up to which no rule is overruled: there is too little to weigh."""
PART = 0.9
"""That of a single sentence from which it is not."""

_NUMBER = re.compile(r"\d[\d.,]*")


class Weight(NamedTuple):
    """Of one feature: how rare it is, and what it says, against "nothing", for each level."""

    rarity: float
    emergency: float
    crisis: float


class Judged(NamedTuple):
    """What a message is held for."""

    emergency: float
    """The probability that it is an emergency."""
    crisis: float

    def alarm(self, bounds: Bounds) -> Level:
        """The likelier of the two, where both together reach its bound."""
        level = Level.EMERGENCY if self.emergency >= self.crisis else Level.CRISIS
        return level if self.emergency + self.crisis >= bounds[level] else Level.NONE

    def of(self, level: Level) -> float:
        """The probability of `level`, or of worse: a crisis may well be an emergency too."""
        return self.crisis + (self.emergency if level is Level.EMERGENCY else 0.0)


class Learned:
    """The weights, by feature. The one named "" is the bias.

    They are kept as numbers beside each other, found by the hash of the feature's name: 48,000
    names and tuples would take 12 MB, these take 1.5.
    """

    def __init__(self, weights: Iterable[tuple[str, Weight]]) -> None:
        by_hash = sorted((hash(name), *weight) for name, weight in weights)
        self._hashes = array("q", [each[0] for each in by_hash])
        self._numbers = array("d", [number for each in by_hash for number in each[1:]])
        bias = self._weight("")
        if bias is None:
            raise KeyError("the weights have no bias")
        self._bias = bias

    def share(self, words: Sequence[str]) -> float:
        """The share of `words` that are of the language that it was learned from.

        The shortest are not asked: "a" and "on" are words in many languages.
        """
        own = {word for word in words if word.isalpha() and len(word) > 2}
        known = sum(any(map(self._weight, _forms(word))) for word in own)
        return known / len(own) if len(own) > 1 else 0.0

    def judge(self, features: Iterable[str]) -> Judged:
        """What a message with `features` is held for."""
        known = [weight for each in features if (weight := self._weight(each))]
        scale = scaled(math.fsum(each.rarity * each.rarity for each in known))
        # Not `sum`: what it gives depends on the order, and a set has another in each process.
        emergency = scale * math.fsum(each.rarity * each.emergency for each in known)
        crisis = scale * math.fsum(each.rarity * each.crisis for each in known)
        odds = math.exp(self._bias.emergency + emergency), math.exp(self._bias.crisis + crisis)
        return Judged(*(each / (1.0 + sum(odds)) for each in odds))

    def _weight(self, feature: str) -> Weight | None:
        key = hash(feature)
        at = bisect_left(self._hashes, key)
        if at == len(self._hashes) or self._hashes[at] != key:
            return None
        return Weight(*self._numbers[3 * at : 3 * at + 3])


def scaled(squares: float) -> float:
    """By what a message's features are multiplied, whose rarities' squares add up to `squares`.

    So that a long message does not weigh more by its length alone, nor three words too much.
    """
    return max(math.sqrt(squares), SHORT) ** -0.5


def features(words: Sequence[str]) -> frozenset[str]:
    """What a message is weighed by: whether each of these is there, however often.

    Its words; their beginnings, by which forms of one word are alike; each two that stand beside
    each other.
    """
    plain = [_NUMBER.sub("#", word) for word in words]
    found = {form for word in plain for form in _forms(word)}
    found |= {f"b {one} {other}" for one, other in pairwise(["^", *plain, "$"])}
    return frozenset(found)


def _forms(word: str) -> list[str]:
    return [f"w {word}", *([f"p {word[:BEGINNING]}"] if len(word) > BEGINNING else [])]


@cache
def load(file: Path = FILE) -> Learned:
    """What was learned, as it comes with the project."""
    with file.open(encoding="utf-8") as lines:
        return Learned(row(line.rstrip("\n")) for line in lines)


def row(line: str) -> tuple[str, Weight]:
    """A feature and its weight, as a line of the file has them."""
    name, *numbers = line.split("\t")
    return name, Weight(*map(float, numbers))
