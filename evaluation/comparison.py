"""Figures of one result, and of two models on the same questions. From outcomes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.intervals import Interval, bootstrap, mcnemar, mean, paired, wilson
from evaluation.result import Outcome, Result

SEED = 42
"""Of the bootstraps."""


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `n`, and its interval."""

    count: int
    n: int

    @property
    def value(self) -> float:
        return self.count / self.n if self.n else 0.0

    @property
    def interval(self) -> Interval:
        return wilson(self.count, self.n)


@dataclass(frozen=True, slots=True)
class Pair:
    """Base and adapter on the questions both were asked; differences are adapter minus base."""

    base: Result
    adapter: Result

    @property
    def outcomes(self) -> list[tuple[Outcome, Outcome]]:
        common = self.base.outcomes.keys() & self.adapter.outcomes.keys()
        return [(self.base.outcomes[name], self.adapter.outcomes[name]) for name in sorted(common)]

    @property
    def both_scored(self) -> list[tuple[Outcome, Outcome]]:
        return [
            (one, other)
            for one, other in self.outcomes
            if one.value is not None and other.value is not None
        ]


@dataclass(frozen=True, slots=True)
class Difference:
    """Of two shares of right answers. `p` is McNemar's, exact."""

    n: int
    value: float
    interval: Interval
    only_base: int
    only_adapter: int
    p: float


def right_of_asked(result: Result, group: str = "") -> Share:
    """Of all that were asked: what is unscored is not right, and is not called wrong either."""
    asked = _of(result, group)
    return Share(sum(each.value == 1.0 for each in asked), len(asked))


def right_of_scored(result: Result, group: str = "") -> Share:
    """Of what could be scored."""
    scored = [each for each in _of(result, group) if each.value is not None]
    return Share(sum(each.value == 1.0 for each in scored), len(scored))


def coverage(result: Result, group: str = "") -> tuple[int, float, Interval]:
    """Of open answers: how many were scored, the mean share of points, and its bootstrap interval
    over questions."""
    values = [each.value for each in _of(result, group) if each.value is not None]
    if not values:
        return 0, 0.0, (0.0, 1.0)
    return len(values), mean(values), bootstrap(values, mean, SEED)


def coverage_difference(pair: Pair) -> tuple[int, float, Interval]:
    """The mean difference of the share of points, over questions that both have scored."""
    values = [
        other.value - one.value
        for one, other in pair.both_scored
        if one.value is not None and other.value is not None
    ]
    if not values:
        return 0, 0.0, (-1.0, 1.0)
    return len(values), mean(values), bootstrap(values, mean, SEED)


def difference(outcomes: Sequence[tuple[Outcome, Outcome]]) -> Difference:
    """Of the shares that are right among `outcomes`, base first."""
    right = [(one.value == 1.0, other.value == 1.0) for one, other in outcomes]
    both, base = right.count((True, True)), right.count((True, False))
    adapter, neither = right.count((False, True)), right.count((False, False))
    n = len(right)
    value = (adapter - base) / n if n else 0.0
    interval = paired(both, base, adapter, neither)
    return Difference(n, value, interval, base, adapter, mcnemar(base, adapter))


def pairs(results: Sequence[Result]) -> list[Pair]:
    """Each adapter with its base, where both were asked the same questions in the same way."""
    found: list[Pair] = []
    for adapter in results:
        for base in results:
            same = (base.task, base.sampling, base.about["data"], base.about["judge"]) == (
                adapter.task, adapter.sampling, adapter.about["data"], adapter.about["judge"],
            )  # fmt: skip
            if same and base.model["id"] == adapter.model["parent"]:
                found.append(Pair(base, adapter))
    return found


def _of(result: Result, group: str) -> list[Outcome]:
    return [each for each in result.outcomes.values() if group in ("", each.group)]
