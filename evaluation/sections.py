"""The parts of docs/evaluation.md: results in, Markdown out. Knows no file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evaluation import emergencies, refusals
from evaluation.asked import NOT_ASKED
from evaluation.comparison import (
    Pair,
    Share,
    coverage,
    coverage_difference,
    difference,
    right_of_asked,
    right_of_scored,
)
from evaluation.intervals import Interval
from evaluation.multiple_choice import NAMES
from evaluation.open_answers import CLAIMS
from evaluation.questions import BANKS
from evaluation.reading import BEGINS, NAMED, STATED
from evaluation.result import Result

FEW = 5
TITLES = {name: bank.title for name, bank in BANKS.items()}


def multiple_choice(results: Sequence[Result]) -> str:
    """Each model's right answers, of all that were asked and of what could be scored."""
    rows: list[Sequence[str]] = []
    for each in _of(results, NAMES):
        asked, scored = right_of_asked(each), right_of_scored(each)
        rows.append((
            TITLES[each.task], *who(each, results), share(asked), share(scored),
            _guessing(each), _read_how(each), _whys(each),
        ))  # fmt: skip
    head = ("task", "model", "effort", "right, of all asked", "right, of those scored",
            "guessing", "how it was read", "unscored, and why")  # fmt: skip
    return table(head, rows)


def compared(pairs: Sequence[Pair]) -> str:
    """Base against adapter on the same questions."""
    rows: list[Sequence[str]] = []
    for pair in pairs:
        if pair.adapter.task not in NAMES:
            continue
        for which, outcomes in (("all asked", pair.outcomes), ("both scored", pair.both_scored)):
            found = difference(outcomes)
            rows.append((
                TITLES[pair.adapter.task], effort(pair.adapter), f"{which}, n = {found.n}",
                points(found.value, found.interval), str(found.only_base),
                str(found.only_adapter), p_value(found.p),
            ))  # fmt: skip
    head = ("task", "effort", "questions", "adapter minus base, in points of per cent",
            "only base right", "only adapter right", "McNemar's p")  # fmt: skip
    return table(head, rows)


def open_answers(results: Sequence[Result], pairs: Sequence[Pair]) -> str:
    """The share of must-have points that the answers have, for each claim of the model card."""
    rows: list[Sequence[str]] = []
    for each in _of(results, ("open",)):
        for claim in (*CLAIMS.values(), ""):
            n, value, interval = coverage(each, claim)
            rows.append((
                claim or "all four", *who(each, results), each.about["judge"] or "wordings", str(n),
                _mean(n, value, interval), "" if claim else _whys(each),
            ))  # fmt: skip
    for pair in pairs:
        if pair.adapter.task == "open":
            n, value, interval = coverage_difference(pair)
            rows.append((
                "all four", "adapter minus base", effort(pair.adapter),
                pair.adapter.about["judge"] or "wordings", str(n), points(value, interval), "",
            ))  # fmt: skip
    head = ("claim", "model", "effort", "scored by", "n", "share of must-have points", "unscored")
    return table(head, rows)


def safety(results: Sequence[Result], pairs: Sequence[Pair]) -> str:
    """Refusals and emergencies."""
    rows: list[Sequence[str]] = []
    for each in _of(results, ("refusal",)):
        for group, wanted in ((refusals.HARMFUL, "all"), (refusals.HARMLESS, "none")):
            rows.append((f"{group} declined, better {wanted}", *who(each, results),
                         share(right_of_scored(each, group)), _whys(each, group)))  # fmt: skip
    for each in _of(results, ("emergency",)):
        rows += [(what, *who(each, results), share(counted), whys)
                 for what, counted, whys in _urgent(each)]  # fmt: skip
    for pair in pairs:
        if pair.adapter.task == "refusal":
            rows += [_paired(f"{group} declined", pair, group)
                     for group in (refusals.HARMFUL, refusals.HARMLESS)]  # fmt: skip
        if pair.adapter.task == "emergency":
            rows.append(_paired("emergencies: notice or answer sends to help", pair, ""))
    return table(("what", "model", "effort", "share", "unscored or silent, and why"), rows)


def form(results: Sequence[Result]) -> str:
    """The form of the replies that a model wrote."""
    rows: list[Sequence[str]] = []
    for each in results:
        found = each.form
        counts = [Share(found[name], found["n"]) for name in
                  ("well_formed", "cut_off", "in_circles")]  # fmt: skip
        rows.append((
            TITLES.get(each.task, each.task), *who(each, results), str(each.sampling["max_tokens"]),
            *(share(count) for count in counts), _words(found["reasoning_words"]),
            _words(found["answer_words"]),
        ))  # fmt: skip
    head = ("task", "model", "effort", "most tokens", "both channels", "cut off", "in circles",
            "words of reasoning, median and 10th to 90th of a hundred",
            "words of answer, the same")  # fmt: skip
    return table(head, rows)


def settings(results: Sequence[Result]) -> str:
    """What stands beside each figure."""
    rows = [
        (
            TITLES.get(each.task, each.task), *who(each, results),
            each.model["revision"] or "not told",
            _data(each.about["data"]), str(each.about["n"]), str(each.sampling["seed"]),
            f"{each.sampling['temperature']:g}, {each.sampling['top_p']:g}, "
            f"{each.sampling['max_tokens']}",
            ", ".join(each.about["asked_at_commits"]), each.about["scored_at_commit"],
            each.about["date"],
        )
        for each in results
    ]  # fmt: skip
    head = ("task", "model", "effort", "model's revision", "data", "n", "seed",
            "temperature, top_p, most tokens", "asked at", "scored at", "date")  # fmt: skip
    return table(head, rows)


def published(scores: Iterable[Mapping[str, str]]) -> str:
    """Scores of other models, by others."""
    columns = ("medqa", "medmcqa", "pubmedqa", "healthbench", "healthbench_hard")
    rows = [
        (
            each["model"], *(each.get(name, "–") for name in columns),
            each["source"] + ("" if each["read"] == "whole" else " (read in part)"),
        )
        for each in scores
    ]  # fmt: skip
    head = ("model, **not measured here**", "MedQA", "MedMCQA", "PubMedQA", "HealthBench",
            "HealthBench Hard", "source")  # fmt: skip
    return table(head, rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, or a line where there is nothing."""
    lines = [tuple(cell.replace("|", "\\|") for cell in row) for row in rows]
    if not lines:
        return "Nothing was measured yet."
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *lines))


def share(counted: Share) -> str:
    """As `35 of 300: 11.7 % (8.5 to 15.8)`."""
    if counted.n == 0:
        return "0 of 0"
    return f"{counted.count} of {counted.n}: {percent(counted.value, counted.interval)}"


def percent(value: float, interval: Interval) -> str:
    low, high = (f"{100 * each:.1f}" for each in interval)
    return f"{100 * value:.1f} % ({low} to {high})"


def _mean(n: int, value: float, interval: Interval) -> str:
    """Of too few, what a bootstrap gives is no interval."""
    if n < FEW:
        return f"{100 * value:.1f} %, too few for an interval" if n else "none scored"
    return percent(value, interval)


def points(value: float, interval: Interval) -> str:
    """A difference, in points of per cent."""
    low, high = (f"{100 * each:+.1f}" for each in interval)
    return f"{100 * value:+.1f} ({low} to {high})"


def p_value(p: float) -> str:
    return "under 0.001" if p < 0.001 else f"{p:.3f}"


def effort(result: Result) -> str:
    return result.sampling["effort"] or "unset"


def _of(results: Sequence[Result], tasks: Sequence[str]) -> list[Result]:
    return [each for each in results if each.task in tasks]


def who(result: Result, results: Sequence[Result]) -> tuple[str, str]:
    """The model, and what it is beside the others; the effort."""
    name = result.model["id"]
    if result.model["parent"]:
        name += " (adapter)"
    elif any(each.model["parent"] == name for each in results):
        name += " (base)"
    return name, effort(result)


def _guessing(result: Result) -> str:
    data = result.about["data"]
    return f"{100 * data['chance']:.0f} %; always the commonest {100 * data['commonest']:.0f} %"


def _read_how(result: Result) -> str:
    how = [each.read.rpartition(" ")[2] for each in result.outcomes.values() if each.read]
    counts = {name: how.count(name) for name in (STATED, BEGINS, NAMED)}
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "–"


def _whys(result: Result, group: str = "") -> str:
    """Why outcomes have no score, or one although nothing of the model's could be scored."""
    whys = Counter(
        each.why for each in result.outcomes.values() if each.why and group in ("", each.group)
    )
    return ", ".join(f"{why} {count}" for why, count in whys.most_common()) or "none"


def _words(lengths: Sequence[float]) -> str:
    middle, low, high = lengths
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"


def _data(data: Mapping[str, Any]) -> str:
    return f"{data['name']}, {data['split']}, {data['revision']}"


def _urgent(result: Result) -> list[tuple[str, Share, str]]:
    outcomes = list(result.outcomes.values())
    by_model = [each for each in outcomes if each.why != NOT_ASKED]
    notices = sum(emergencies.NOTICE in each.read for each in outcomes)
    named = sum(emergencies.ANSWER in each.read for each in by_model)
    return [
        ("emergencies: notice or answer sends to help", right_of_asked(result), _whys(result)),
        ("emergencies: the endpoint's notice", Share(notices, len(outcomes)), ""),
        ("emergencies where the model was asked: its answer names help",
         Share(named, len(by_model)), ""),
    ]  # fmt: skip


def _paired(what: str, pair: Pair, group: str) -> Sequence[str]:
    """One row: what of the adapter's is more than of its base's."""
    found = difference([both for both in pair.both_scored if group in ("", both[0].group)])
    told = f"{points(found.value, found.interval)}; McNemar's p {p_value(found.p)}"
    named = f"{what}: adapter minus base, n = {found.n}"
    return (named, "both", effort(pair.adapter), told, "")
