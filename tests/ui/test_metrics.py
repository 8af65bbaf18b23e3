"""Counts for the owner: who may read them, what they say, and what they never hold."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from backend.base import Unreachable
from backend.scripted import ScriptedBackend, Step
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Usage
from safety.finding import NOTHING, Finding, Level
from settings import Secret
from tests.conftest import Serve
from tests.visitor import Visitor, shown
from ui.metrics import MAX_RULES, Metrics
from ui.words import ENGLISH as words

TOKEN = "correct-horse"  # noqa: S105
WHOLE: list[Step] = [ReasoningDelta("canary"), AnswerDelta("canary"), Ended(EndReason.FINISHED)]


def read(address: str, authorization: str = f"Bearer {TOKEN}") -> httpx.Response:
    return httpx.get(f"{address}/metrics", headers={"authorization": authorization})


def values(text: str) -> dict[str, float]:
    """Each series with its value."""
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_without_a_token_in_the_settings_there_is_no_such_address(serve: Serve) -> None:
    address = serve(ScriptedBackend(lambda conversation, options: []))
    unknown = httpx.get(f"{address}/nothing")
    for header in ("", "Bearer", "Bearer None", f"Bearer {TOKEN}"):
        answer = read(address, header)
        assert (answer.status_code, answer.json()) == (404, unknown.json())


@pytest.mark.parametrize(
    "header", ["", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é"]
)
def test_who_has_not_the_token_does_not_learn_that_there_is_one(serve: Serve, header: str) -> None:
    address = serve(ScriptedBackend(lambda conversation, options: []), metrics_token=Secret(TOKEN))
    answer = httpx.get(f"{address}/metrics", headers={"authorization": header.encode()})
    assert answer.status_code == 404
    assert answer.content == httpx.get(f"{address}/nothing").content


def test_runs_errors_refusals_times_and_tokens_are_counted_and_no_text_is(
    serve: Serve, visitor: Callable[[str], Visitor]
) -> None:
    plays: list[list[Step]] = [
        WHOLE,
        [AnswerDelta("canary"), Ended(EndReason.LENGTH, Usage(3, 40))],
        [Unreachable("canary")],
    ]
    address = serve(
        ScriptedBackend(lambda conversation, options: plays.pop(0)),
        metrics_token=Secret(TOKEN),
        trusted_proxies=1,
        rate_per_minute=3,
    )
    for _ in range(4):
        one = visitor(address)
        one.http.headers["x-forwarded-for"] = "203.0.113.7"
        seen = shown(list(one.ask("canary of a question")))
    assert words.RATE.partition("{n}")[0] in seen
    answer = read(address)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["cache-control"] == "no-store"
    counted = values(answer.text)
    assert counted['medicalgpt_runs_total{end="finished"}'] == 1
    assert counted['medicalgpt_runs_total{end="length"}'] == 1
    assert counted['medicalgpt_runs_total{end="interrupted"}'] == 1
    assert counted['medicalgpt_errors_total{error="Unreachable"}'] == 1
    assert counted['medicalgpt_refused_total{kind="rate"}'] == 1
    assert counted["medicalgpt_tokens_total"] == 4 + 40
    assert counted["medicalgpt_run_seconds_count"] == 3
    assert counted["medicalgpt_first_token_seconds_count"] == 2
    assert (counted["medicalgpt_running"], counted["medicalgpt_queued"]) == (0, 0)
    assert not re.search(r"canary|203\.0|_created", answer.text)


def test_findings_are_counted_by_level_and_rule_and_labels_stay_bounded() -> None:
    metrics = Metrics()
    metrics.found(NOTHING)
    metrics.found(Finding(Level.CRISIS, ("crisis.plan", "crisis.plan", "emerg.chest")))
    metrics.found(Finding(Level.EMERGENCY, ("I want to die\n", "x" * 99, "Ä")))
    for n in range(2 * MAX_RULES):
        metrics.found(Finding(Level.EMERGENCY, (f"rule-{n}",)))
    counted = values(metrics.text()[0].decode())
    assert counted['medicalgpt_findings_total{level="none"}'] == 1
    assert counted['medicalgpt_findings_total{level="crisis"}'] == 1
    assert counted['medicalgpt_rules_total{rule="crisis.plan"}'] == 1
    rules = [name for name in counted if name.startswith("medicalgpt_rules_total")]
    assert len(rules) == MAX_RULES + 1
    assert not any("die" in name or "xxx" in name for name in rules)
