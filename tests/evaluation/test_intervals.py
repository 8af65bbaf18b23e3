"""The arithmetic, against figures that others published for the same counts."""

from __future__ import annotations

import pytest

from evaluation.intervals import bootstrap, mcnemar, mean, paired, wilson


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3
    [
        (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)  # fmt: skip
def test_wilson(count: int, n: int, low: float, high: float) -> None:
    assert wilson(count, n) == pytest.approx((low, high), abs=5e-5)


def test_nothing_counted_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert paired(0, 0, 0, 0) == (-1.0, 1.0)
    assert mcnemar(0, 0) == 1.0


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        # the tests of the R package contingencytables, for Newcombe's square-and-add, of the data
        # of Cavo et al. 2012
        ((59, 6, 16, 80), 0.0046, 0.1186),
        # Newcombe 1998, Statistics in Medicine 17:2635-2650, method 10
        ((36, 2, 12, 0), 0.0569, 0.3404),
    ],
)
def test_the_paired_interval(table: tuple[int, int, int, int], low: float, high: float) -> None:
    assert paired(*table) == pytest.approx((low, high), abs=5e-5)
    both, first, second, neither = table
    turned = paired(both, second, first, neither)
    assert turned == pytest.approx((-high, -low), abs=5e-5)


def test_mcnemar_is_the_exact_binomial_test() -> None:
    assert mcnemar(1, 7) == pytest.approx(18 / 256)
    assert mcnemar(7, 1) == mcnemar(1, 7)
    assert mcnemar(5, 5) == 1.0


def test_the_bootstrap_covers_the_mean_as_often_as_it_says_and_repeats_by_its_seed() -> None:
    values = [0.0, 0.25, 0.5, 0.5, 0.75, 1.0] * 8
    low, high = bootstrap(values, mean, seed=1)
    spread = 1.96 * (sum((v - 0.5) ** 2 for v in values) / len(values) ** 2) ** 0.5
    assert (low, high) == pytest.approx((0.5 - spread, 0.5 + spread), abs=0.01)
    assert bootstrap(values, mean, seed=1) == (low, high)
