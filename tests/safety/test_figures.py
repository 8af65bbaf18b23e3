"""The aims hold on the set that the rules were tuned on, and the page's figures are the sets'."""

from __future__ import annotations

from functools import cache

import pytest

from safety.finding import Level
from tests.safety.figures import BEGIN, END, PAGE, headline, interval, rewritten, share, table
from tests.safety.sets import FOLDER, Read, Row, judged, pairs, rows

here = pytest.mark.skipif(not (FOLDER / "dev").exists(), reason="the sets are not here")


@cache
def dev() -> dict[str, tuple[int, int]]:
    """Of every fourth message, and of all that are told twice."""
    return headline(judged([row for at, row in enumerate(rows("dev")) if at % 4 == 0 or row.pair]))


@here
@pytest.mark.parametrize(
    ("what", "least"),
    [
        ("emergencies found", 0.95),
        ("explicit crises found", 0.99),
        ("indirect crises found", 0.85),
    ],
)
def test_the_development_set_is_found(what: str, least: float) -> None:
    count, n = dev()[what]
    assert n > 0
    assert count / n >= least


@here
@pytest.mark.parametrize(
    ("what", "most"), [("pairs flipped by minimising", 0.02), ("alarms on benign messages", 0.05)]
)
def test_the_development_set_is_not_misread(what: str, most: float) -> None:
    count, n = dev()[what]
    assert n > 0
    assert count / n <= most


@here
@pytest.mark.parametrize(
    ("name", "found", "alarms"), [("dev_turkish", 0.98, 0.03), ("frozen_turkish", 0.8, 0.1)]
)
def test_the_turkish_sets_do_not_get_worse(name: str, found: float, alarms: float) -> None:
    figures = headline(judged(rows(name)))
    count, n = figures["emergencies found"]
    assert count / n >= found
    count, n = figures["alarms on benign messages"]
    assert count / n <= alarms


@here
def test_a_named_method_is_found_at_least_as_often_as_an_unnamed_one() -> None:
    told, n = dev()["crises with a named method found"]
    untold, _ = dev()["the same without"]
    assert n > 0
    assert told >= untold


def test_the_interval_is_wilson_s() -> None:
    assert interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)  # Newcombe 1998, table I
    assert interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert share(10, 10) == "100.0% (72.2% to 100.0%)"


def test_a_case_that_is_told_twice_is_one_pair() -> None:
    def told(name: str, other: str | None) -> Read:
        row = Row(name, "", Level.EMERGENCY, "cardiac", "plain", other)
        return Read(row, emergency=True, crisis=False)

    some = [told("a", None), told("b", "a"), told("c", "d"), told("d", "c")]
    assert len(pairs(some, Level.EMERGENCY)) == 2
    assert pairs(some, Level.CRISIS) == []


def test_only_what_stands_between_the_marks_is_rewritten() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert rewritten(page, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert rewritten(rewritten(page, "x"), "new") == rewritten(page, "new")


@here
@pytest.mark.parametrize("name", ["frozen", "frozen_turkish"])
def test_the_page_has_the_figures_of_the_unseen_sets(name: str) -> None:
    assert table("aims", headline(judged(rows(name)))) in PAGE.read_text("utf-8")


def test_the_page_has_the_marks_once() -> None:
    page = PAGE.read_text("utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
