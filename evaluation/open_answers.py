"""Open answers: the must-have points that an answer has, for the model card's four claims.

Without a judge a point is known by its wordings (`wordings.py`). A judge is asked once for each
answer; a verdict of it that cannot be read leaves the whole answer unscored.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from evaluation.asked import Asked, Item, Score, unscored
from evaluation.form import Reply
from evaluation.questions import draw, sha256
from evaluation.wordings import says

FILE = Path(__file__).with_name("open_questions.toml")
CLAIMS = {
    "concept": "concept explanation",
    "differential": "differential diagnosis",
    "treatment": "treatment options",
    "pathophysiology": "pathophysiology",
}
VERDICT = re.compile(r"^\W*(\d+)\W+(yes|no)\b", re.IGNORECASE | re.MULTILINE)
UNJUDGED = "the judge could not be read"
JUDGING = """A physician listed what a short answer to a question must contain. Say of each point \
whether the answer contains it, in these words or in others. Take no account of anything else, and \
none of a point that the answer denies.

Question: {question}

Answer to be judged, between the lines:
-----
{answer}
-----

Points:
{points}

Give one line for each point, its number and yes or no, such as "1: yes", and nothing else."""


def ask(seed: int, n: int) -> Asked:
    """`n` of the questions by `seed`; all of them where there are fewer."""
    drawn = draw(questions(), seed, n)
    data = {"name": "open questions of this project", "revision": f"sha256:{sha256(FILE)}"}
    return Asked("open", tuple(drawn), {**data, "split": "all", "rows": len(questions())}, score)


def questions() -> list[Item]:
    """Every question, with its points as facts."""
    claims = cast("dict[str, list[dict[str, Any]]]", tomllib.loads(FILE.read_text("utf-8")))
    return [
        Item(each["id"], each["ask"], CLAIMS[claim], {"points": each["points"]})
        for claim, rows in claims.items()
        for each in rows
    ]


def score(facts: Mapping[str, Any], reply: Reply, safety: Mapping[str, Any]) -> Score:
    """The share of the points that the answer has, by their wordings."""
    if (none := unscored(reply, safety)) is not None:
        return none
    return _share([says(reply.answer, wordings) for wordings in facts["points"]])


def judging(question: str, facts: Mapping[str, Any], reply: Reply) -> str:
    """What a judge is asked about one answer."""
    points = "\n".join(f"{at}: {point[0]}" for at, point in enumerate(facts["points"], 1))
    return JUDGING.format(question=question, answer=reply.answer.strip(), points=points)


def judged(facts: Mapping[str, Any], verdict: str) -> Score:
    """The share of the points that `verdict`, a judge's answer, says yes to."""
    found: dict[int, set[bool]] = {}
    for number, word in VERDICT.findall(verdict):
        found.setdefault(int(number), set()).add(word.lower() == "yes")
    numbers = range(1, len(facts["points"]) + 1)
    if sorted(found) != list(numbers) or any(len(said) > 1 for said in found.values()):
        return Score(None, UNJUDGED)
    return _share([True in found[number] for number in numbers])


def _share(has: Sequence[bool]) -> Score:
    return Score(sum(has) / len(has), read="".join("+" if each else "-" for each in has))
