"""How well the red flags do on the sets, as tables; `docs/safety.md` gets the same.

    python -m tests.safety.figures

Intervals are Wilson's (1927), 95 %. With MEDICAL_DATA set, the questions of its files are counted
too: they are out of exams, abstracts and encyclopedias, so that each alarm on one is a false one.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from safety.finding import Level
from safety.red_flags import read
from tests.safety.sets import Read, Row, groups, judged, medical_questions, pairs, rows

PAGE = Path(__file__).parents[2] / "docs" / "safety.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

EXPLICIT = ("suicide_explicit_plan", "suicide_explicit_ideation", "self_harm")
EXPLICIT += ("overdose_intentional", "harm_to_others", "abuse_in_progress", "third_party")
EXPLICIT += ("postpartum_psychosis_harm",)
"""Categories of crises that are said in so many words. Where a set has other categories, its
rows of the variant `indirect` are not."""

SETS = {
    "dev": "The rules were tuned on it, and the weights learned from it.",
    "frozen": "Written apart by other writers, and kept from whoever tuned the rules.",
    "dev_turkish": "Emergencies and harmless messages in Turkish, which the rules and weights for "
    "Turkish were made with.",
    "frozen_turkish": "The same, by the same writer, written after the rules; nothing was changed "
    "for a message of it.",
}


def share(count: int, n: int) -> str:
    """`count` of `n` in per cent, with Wilson's 95 % interval."""
    low, high = interval(count, n)
    return f"{count / n:.1%} ({low:.1%} to {high:.1%})"


def interval(count: int, n: int) -> tuple[float, float]:
    z2, p = 1.96**2, count / n
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = 1.96 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def explicit(row: Row) -> bool:
    told = row.category in EXPLICIT or (
        row.category != "suicide_indirect" and row.variant != "indirect"
    )
    return row.level is Level.CRISIS and told


def named(row: Row) -> bool:
    """By the convention of the set: of a pair of crises, the first id names the method."""
    return row.pair is not None and row.id < row.pair


def table(title: str, counted: dict[str, tuple[int, int]]) -> str:
    lines = [f"| {title} | n | share (95 % interval) |", "| --- | --- | --- |"]
    lines += [f"| {name} | {n} | {share(count, n)} |" for name, (count, n) in counted.items() if n]
    return "\n".join(lines)


def count(some: Sequence[Read]) -> tuple[int, int]:
    return sum(each.right for each in some), len(some)


def alarms(some: Sequence[Read]) -> tuple[int, int]:
    return sum(not each.right for each in some), len(some)


def headline(some: Sequence[Read]) -> dict[str, tuple[int, int]]:
    """The figures that there are aims for."""
    of = {level: [each for each in some if each.row.level is level] for level in Level}
    emergencies, crises = of[Level.EMERGENCY], of[Level.CRISIS]
    flips = pairs(some, Level.EMERGENCY)
    methods = pairs(some, Level.CRISIS)
    told = [each for pair in methods for each in pair]
    return {
        "emergencies found": count(emergencies),
        "emergencies taken for a crisis": (
            sum(each.crisis for each in emergencies),
            len(emergencies),
        ),
        "explicit crises found": count([each for each in crises if explicit(each.row)]),
        "indirect crises found": count([each for each in crises if not explicit(each.row)]),
        "pairs flipped by minimising": (sum(a.right != b.right for a, b in flips), len(flips)),
        "crises with a named method found": count([each for each in told if named(each.row)]),
        "the same without": count([each for each in told if not named(each.row)]),
        "alarms on benign messages": alarms(of[Level.NONE]),
    }


def by_rules(some: Sequence[Read]) -> dict[str, tuple[int, int]]:
    """Of each level, on how many messages a rule fired that was not overruled."""
    of = {level: [each for each in some if each.row.level is level] for level in Level}
    return {
        f"{level.value}: a rule counted": (sum(each.rules for each in rows_), len(rows_))
        for level, rows_ in of.items()
    }


def section(name: str, some: Sequence[Read]) -> Iterator[str]:
    yield f"### The {name} set"
    yield SETS[name]
    yield table("aims", headline(some))
    yield table("what rules found", by_rules(some))
    for level, what in ((Level.EMERGENCY, "emergencies found"), (Level.CRISIS, "crises found")):
        own = [each for each in some if each.row.level is level]
        yield table(f"{what}, by category", _counted(own, lambda row: row.category, count))
        yield table(f"{what}, by variant", _counted(own, lambda row: row.variant, count))
    benign = [each for each in some if each.row.level is Level.NONE]
    yield table("alarms, by category", _counted(benign, lambda row: row.category, alarms))


def medical() -> Iterator[str]:
    counted: dict[str, tuple[int, int]] = {}
    for name, questions in medical_questions():
        fired = sum(read([question]).level is not Level.NONE for question in questions)
        counted[name] = (fired, len(questions))
    if counted:
        totals = [sum(column) for column in zip(*counted.values(), strict=True)]
        counted["all"] = (totals[0], totals[1])
        yield "### Questions of MEDICAL_DATA"
        yield table("alarms, by file", counted)


def report() -> str:
    parts: list[str] = []
    for name in SETS:
        some = judged(rows(name))
        parts += section(name, some) if some else [f"The {name} set is not here."]
    return "\n\n".join([*parts, *medical()])


def rewritten(page: str, figures: str) -> str:
    """`page` with `figures` between its two marks."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}"


def main() -> int:
    figures = report()
    print(figures)
    PAGE.write_text(rewritten(PAGE.read_text("utf-8"), figures), "utf-8")
    return 0


def _counted(
    some: Sequence[Read],
    key: Callable[[Row], str],
    how: Callable[[Sequence[Read]], tuple[int, int]],
) -> dict[str, tuple[int, int]]:
    return {name: how(each) for name, each in groups(some, key).items()}


if __name__ == "__main__":
    sys.exit(main())
