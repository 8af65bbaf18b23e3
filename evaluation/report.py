"""docs/evaluation.md and its picture, made of the results: `python -m evaluation report`.

The page is never edited by hand. Its prose is in `evaluation/head.md`, `method.md`, and
`remarks.md`: what people have to say of the results.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation import multiple_choice, plot, sections
from evaluation.client import HERE
from evaluation.comparison import pairs, right_of_asked, right_of_scored
from evaluation.intervals import DRAWS
from evaluation.result import Result, load_all

PAGE = HERE / "docs" / "evaluation.md"
PUBLISHED = Path(__file__).with_name("published.toml")
PROSE = Path(__file__).parent
CARD = HERE / "models" / "README.md"


def write(results: Path, page: Path) -> list[Path]:
    """Write page and picture; gives what was written."""
    found = load_all(results)
    drawn = page.with_suffix(".svg")
    page.parent.mkdir(parents=True, exist_ok=True)
    drawn.write_text(picture(found), encoding="utf-8")
    page.write_text(text(found, drawn.name), encoding="utf-8")
    return [page, drawn]


def text(results: Sequence[Result], drawn: str) -> str:
    """The page; `drawn` is its picture's file, beside it."""
    paired = pairs(results)
    scores: list[dict[str, Any]] = tomllib.loads(PUBLISHED.read_text("utf-8"))["score"]
    parts = [
        _prose("head.md"),
        _prose("remarks.md"),
        "## Multiple choice",
        f"![Right answers with 95 % intervals, of all asked and of those scored]({drawn})",
        sections.multiple_choice(results),
        "## Base against adapter, on the same questions",
        sections.compared(paired),
        "## Open answers",
        sections.open_answers(results, paired),
        "## Safety",
        sections.safety(results, paired),
        "## Form of the replies",
        sections.form(results),
        "## Validation loss",
        _losses(),
        "## What others published",
        "Nothing in this table was measured by this project, and no two harnesses are alike: other "
        "prompts, splits, sampling, and ways to read an answer. Per cent.",
        sections.published(scores),
        _prose("method.md").format(prompt=_prompt(), draws=f"{DRAWS:,}"),
        "## What stands beside each figure",
        sections.settings(results),
    ]
    return "\n\n".join(parts) + "\n"


def picture(results: Sequence[Result]) -> str:
    """Multiple choice as intervals."""
    bars = [
        plot.Bar(
            f"{sections.TITLES[each.task]}, {', '.join(sections.who(each, results))}, {of}",
            share.value,
            share.interval,
            each.about["data"]["chance"],
            each.model["parent"] is not None,
        )
        for each in results
        if each.task in multiple_choice.NAMES
        for of, share in (
            ("of all asked", right_of_asked(each)), ("of those scored", right_of_scored(each)),
        )
    ]  # fmt: skip
    return plot.draw(bars, "Right answers; 95 % intervals; the red line is guessing")


def _prose(name: str) -> str:
    return (PROSE / name).read_text("utf-8").strip()


def _prompt() -> str:
    return multiple_choice.PROMPT.format(
        context="", question="<question>", options="A. <option>\nB. <option>"
    )


def _losses() -> str:
    """The embedded model's, from its card; measured by `training.train`, not by this harness."""
    card = CARD.read_text("utf-8")
    rows = re.findall(r"^\| (base|with the adapter|change) \| (.+?) \|$", card, re.MULTILINE)
    head = (
        "Of the embedded model, in nats a token on 64 held-out rows, from "
        "[models/README.md](../models/README.md), where command and commit stand."
    )
    return f"{head}\n\n{sections.table(('', 'loss'), rows[:3])}"
