"""The acceptance matrix, rows 1 to 57: each fault over real sockets, seen from the page.

    python -m tests.backend.matrix_report docs/matrix.md

runs this file and writes what happened. Most rows wait more than they work, so that they all run
at once, before the first test; each test then looks at its own. Rows 49 to 51 measure the memory of
this process, and run alone. Rows of more than one visitor: `test_matrix_visitors.py`.
"""

from __future__ import annotations

import ctypes
import gc
import random
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import pytest

from tests.backend.matrix import Outcome, play
from tests.backend.reply_rows import ENDLESS, TOO_MUCH
from tests.backend.row import ANSWER, Row, does
from tests.backend.rows import ROWS, TRUE_SCALE
from tests.backend.scene import Stage
from tests.behaviours import good

AT_ONCE = 16
SEED = 57

Case = tuple[Row, str]

PLAIN = Row(0, "none", "B", ANSWER, 3, 1, does(good))
GROWTH = 10_000_000
"""Bytes that this process, with the page, the client and the fault server in it, may grow by."""


def name(case: Case) -> str:
    row, contract = case
    parts = [f"{row.number}", row.fault, "cold" if row.cold else "", contract]
    return "-".join(part for part in [*parts, "true" if row.true_scale else ""] if part)


def cases(rows: list[Row]) -> pytest.MarkDecorator:
    """Each row in each of its contracts."""
    return pytest.mark.parametrize(
        "case",
        [
            pytest.param(
                (row, contract),
                id=name((row, contract)),
                marks=[pytest.mark.true_scale] if row.true_scale else [],
            )
            for row in rows
            for contract in row.contracts
        ],
    )


@pytest.fixture(scope="module")
def outcomes(theatre: Stage, request: pytest.FixtureRequest) -> dict[str, Outcome]:
    """Of all the rows that were selected, played at once: those that take longest first."""
    asked = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and "outcomes" in item.fixturenames
    ]
    random.Random(SEED).shuffle(asked)  # noqa: S311
    asked.sort(key=lambda case: -case[0].seconds * (20 if case[0].true_scale else 1))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = {name(case): pool.submit(play, theatre, *case) for case in asked}
    return {each: future.result() for each, future in futures.items()}


@cases([*ROWS, *TRUE_SCALE])
def test_a_visitor_sees_what_the_row_says(
    case: Case, outcomes: dict[str, Outcome], record_property: Callable[[str, object], None]
) -> None:
    outcome = outcomes[name(case)]
    record_property("matrix", outcome.fields)
    assert outcome.wrong == []


@cases(TOO_MUCH)
def test_too_much_is_refused_before_it_is_kept(
    case: Case, theatre: Stage, record_property: Callable[[str, object], None]
) -> None:
    play(theatre, PLAIN, case[1])  # what is made once is not counted
    least = sys.maxsize
    for _ in range(3):  # other threads may grow meanwhile; what is kept grows every time
        with growth() as peak:
            outcome = play(theatre, *case)
        least = min(least, peak())
        if outcome.wrong or least <= GROWTH:
            break
    record_property("matrix", {**outcome.fields, "note": f"RSS + {least / 1e6:.1f} MB"})
    assert outcome.wrong == []
    assert least <= GROWTH


@cases([ENDLESS])
def test_a_reply_without_end_is_ended(
    case: Case, theatre: Stage, record_property: Callable[[str, object], None]
) -> None:
    outcome = play(theatre, *case)
    record_property("matrix", outcome.fields)
    assert outcome.wrong == []


@contextmanager
def growth() -> Iterator[Callable[[], int]]:
    """How many bytes the resident memory has at its peak beyond what it had before."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # else what was free before could be filled unseen
    process, done, peak = psutil.Process(), threading.Event(), 0
    before = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield lambda: max(0, peak - before)
    finally:
        done.set()
        watching.join()
