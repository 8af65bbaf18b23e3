"""95 % intervals and the paired test. Plain arithmetic; knows nothing of tasks.

Shares are between 0 and 1. Every bootstrap has a seed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import TypeVar

Z = 1.959964
"""Of the normal distribution, for 95 %."""
DRAWS = 10_000

Interval = tuple[float, float]
T = TypeVar("T")


def wilson(count: int, n: int) -> Interval:
    """Of the share `count` of `n` (Wilson 1927); 0 to 1 where nothing was counted."""
    if n == 0:
        return 0.0, 1.0
    p = count / n
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n * n)) / (1 + Z**2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def paired(both: int, first: int, second: int, neither: int) -> Interval:
    """Of the difference between two shares of the same n, second minus first.

    `both` had it right, only the `first`, only the `second`, `neither`. Newcombe's square-and-add
    with the correction of the correlation for continuity (1998, Statistics in Medicine
    17:2635-2650, method 10).
    """
    n = both + first + second + neither
    if n == 0:
        return -1.0, 1.0
    p1, p2 = (both + first) / n, (both + second) / n
    low1, high1 = wilson(both + first, n)
    low2, high2 = wilson(both + second, n)
    phi = _correlation(both, first, second, neither)
    down1, up1, down2, up2 = p1 - low1, high1 - p1, p2 - low2, high2 - p2
    below = math.sqrt(max(0.0, down2**2 - 2 * phi * down2 * up1 + up1**2))
    above = math.sqrt(max(0.0, up2**2 - 2 * phi * up2 * down1 + down1**2))
    return p2 - p1 - below, p2 - p1 + above


def _correlation(both: int, first: int, second: int, neither: int) -> float:
    sides = (both + first) * (second + neither) * (both + second) * (first + neither)
    if sides == 0:
        return 0.0
    product, n = both * neither - first * second, both + first + second + neither
    if product > 0:
        product = max(0.0, product - n / 2)
    return product / math.sqrt(sides)


def mcnemar(first: int, second: int) -> float:
    """The exact two-sided p of McNemar's test (1947): whether of the questions that one of two
    models alone has right, each has half. Computed from the binomial distribution."""
    n = first + second
    tail = sum(math.comb(n, k) for k in range(min(first, second) + 1))
    return min(1.0, 2 * tail / 2**n)


def bootstrap(
    values: Sequence[T], statistic: Callable[[Sequence[T]], float], seed: int
) -> Interval:
    """Of `statistic` over `values`, by percentiles of `DRAWS` resamples (Efron 1979)."""
    draw = random.Random(seed)  # noqa: S311
    found = sorted(statistic(draw.choices(values, k=len(values))) for _ in range(DRAWS))
    return found[int(DRAWS * 0.025)], found[int(DRAWS * 0.975) - 1]


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
