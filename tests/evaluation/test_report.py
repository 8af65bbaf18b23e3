"""The page: made of results by a command, with n and an interval beside every figure."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from evaluation import report
from evaluation.comparison import Pair, difference, pairs, right_of_asked, right_of_scored
from evaluation.intervals import paired, wilson
from evaluation.report import PAGE, text, write
from evaluation.result import RESULTS, Outcome, Result, load, load_all, name_of, save

FORM = {
    "n": 4, "well_formed": 4, "cut_off": 1, "withheld": 0, "in_circles": 0,
    "reasoning_words": [20, 10, 30], "answer_words": [40, 20, 60], "tokens": 400,
}  # fmt: skip
RIGHT, WRONG = Outcome(1.0, "", "A stated"), Outcome(0.0, "", "B begins")
UNREAD = Outcome(None, "unreadable")


def result(outcomes: list[Outcome], of_adapter: bool, **about: Any) -> Result:
    model = {"id": "plain", "revision": "1", "parent": None, "unreliable": False}
    if of_adapter:
        model = {"id": "tuned", "revision": "1+2", "parent": "plain", "unreliable": False}
    return Result(
        about={
            "task": "medqa", "model": model, "judge": None, "n": len(outcomes),
            "data": {"name": "MedQA", "revision": "r", "split": "dev", "rows": 9, "asked_once": 9,
                     "chance": 0.25, "commonest": 0.3},
            "sampling": {"effort": "low", "max_tokens": 128, "temperature": 1.0, "top_p": 1.0,
                         "seed": 42},
            "asked_at_commits": ["abc"], "scored_at_commit": "abd", "inspect_ai": "0",
            "date": "2026-11-26", **about,
        },
        form=FORM,
        outcomes={f"q{at}": each for at, each in enumerate(outcomes)},
    )  # fmt: skip


BASE = result([RIGHT, WRONG, UNREAD, RIGHT], of_adapter=False)
ADAPTER = result([RIGHT, RIGHT, RIGHT, UNREAD], of_adapter=True)


def test_a_result_is_read_as_it_was_written_and_named_by_what_it_is(tmp_path: Path) -> None:
    path = save(ADAPTER, tmp_path)
    assert path.name == name_of(ADAPTER) == "medqa.tuned.low.4x128-seed42.json"
    assert load(path) == ADAPTER
    strange = result([RIGHT], of_adapter=False, model={"id": "../owner/x:y", "parent": None})
    assert name_of(strange) == "medqa.-owner-x-y.low.1x128-seed42.json"


def test_what_is_unscored_is_in_the_one_share_and_not_in_the_other() -> None:
    asked, scored = right_of_asked(BASE), right_of_scored(BASE)
    assert (asked.count, asked.n, asked.interval) == (2, 4, wilson(2, 4))
    assert (scored.count, scored.n) == (2, 3)


def test_base_and_adapter_are_compared_question_by_question() -> None:
    [pair] = pairs([BASE, ADAPTER])
    assert pair == Pair(BASE, ADAPTER)
    every = difference(pair.outcomes)
    assert (every.n, every.only_base, every.only_adapter) == (4, 1, 2)
    assert every.value == 0.25
    assert every.interval == paired(1, 1, 2, 0)
    scored = difference(pair.both_scored)
    assert (scored.n, scored.only_base, scored.only_adapter) == (2, 0, 1)


@pytest.mark.parametrize(
    "other", [{"sampling": {"effort": "high"}}, {"data": {"revision": "other"}}, {"task": "mmlu"}]
)
def test_what_was_not_asked_alike_is_not_compared(other: dict[str, Any]) -> None:
    assert not pairs([result([RIGHT], of_adapter=False, **other), ADAPTER])


def test_every_share_on_the_page_has_its_n_and_interval() -> None:
    page = text([BASE, ADAPTER], "evaluation.svg")
    assert "| 2 of 4: 50.0 % (15.0 to 85.0) | 2 of 3: 66.7 % (20.8 to 93.9) |" in page
    assert "all asked, n = 4 | +25.0 (" in page
    assert "stated 2, begins 1 | unreadable 1 |" in page
    for row in re.findall(r"^\| MedQA \|.*$", page, re.MULTILINE):
        for cell in row.split("|"):
            if " % " in cell and "commonest" not in cell:
                assert re.search(r"\d+ of \d+: [\d.]+ % \([\d.]+ to [\d.]+\)", cell), cell
    assert "| abc | abd | 2026-11-26 |" in page


def test_what_others_published_is_marked_and_has_its_source() -> None:
    page = text([], "evaluation.svg")
    published = page[page.index("## What others published") : page.index("## How it is measured")]
    assert "**not measured here**" in published
    rows = [line for line in published.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 9
    for row in rows:
        assert len(row.split("|")[-2].strip()) > 20, row


def test_the_picture_has_a_row_for_each_model_and_its_interval(tmp_path: Path) -> None:
    save(BASE, tmp_path / "results")
    save(ADAPTER, tmp_path / "results")
    page, picture = write(tmp_path / "results", tmp_path / "docs" / "page.md")
    assert "(page.svg)" in page.read_text("utf-8")
    drawn = ElementTree.fromstring(picture.read_text("utf-8"))  # noqa: S314, we wrote it
    labels = [each.text or "" for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    for model in ("plain (base)", "tuned (adapter)"):
        for of in ("of all asked", "of those scored"):
            assert f"MedQA, {model}, low, {of}" in labels
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}circle"))) == 4


def test_the_page_in_the_repository_is_what_the_command_makes_of_the_results() -> None:
    results = load_all(RESULTS)
    assert PAGE.read_text("utf-8") == text(results, PAGE.with_suffix(".svg").name)
    assert PAGE.with_suffix(".svg").read_text("utf-8") == report.picture(results)
