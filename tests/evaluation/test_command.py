"""The whole command against the project's own endpoint with the embedded model, on real sockets."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, Program, wait_until
from tests.evaluation.conftest import ROWS, Command

SHORT = ("--max-tokens", "64", "--effort", "low", "--temperature", "0.3")
ADAPTER, BASE = "SmolLM2-135M-Instruct+medical-reasoning", "SmolLM2-135M-Instruct"
READ = """
import json, sys
from inspect_ai.log import read_eval_log
from evaluation.client import reply_of
log = read_eval_log(sys.argv[1])
replies = [(each.id, reply_of(each.output), each.uuid) for each in log.samples or []]
print(json.dumps({name: [r.reasoning, r.answer, uuid] for name, r, uuid in replies}))
"""
STAY = """
import time
from evaluation.served import own
with own("embedded") as base:
    print(base, flush=True)
    time.sleep(60)
"""

pytestmark = pytest.mark.model


def replies(log: Path) -> dict[str, list[str]]:
    """What a log holds, read in another process, as its library changes the event loop."""
    read = [sys.executable, "-c", READ, str(log)]
    ended = subprocess.run(read, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(ended.stdout)


def test_base_and_adapter_are_asked_the_same_scored_and_set_side_by_side(
    command: Command, model_path: Path
) -> None:
    ended = command("medqa", "--model", "all", "--n", "2", *SHORT)
    assert ended.returncode == 0, ended.stderr[-2_000:]
    results = command.results
    adapter, base = results[f"medqa {ADAPTER} low"], results[f"medqa {BASE} low"]
    assert len(results) == 2
    assert adapter["outcomes"].keys() == base["outcomes"].keys()
    assert (adapter["model"]["parent"], base["model"]["parent"]) == (BASE, None)
    assert re.fullmatch(r"[0-9a-f]{12}\+[0-9a-f]{12}", adapter["model"]["revision"])
    assert adapter["data"]["revision"].startswith("tests@0000000 sha256:")
    assert adapter["sampling"] == {
        "effort": "low", "max_tokens": 64, "temperature": 0.3, "top_p": 1.0, "seed": 42,
    }  # fmt: skip
    for result in (adapter, base):
        assert result["form"]["n"] == result["form"]["well_formed"] == 2
        assert 0 < result["form"]["tokens"] <= 128
        assert result["asked_at_commits"] == [result["scored_at_commit"]]
    logs = sorted((command.home / "logs").glob("*.eval"))
    said = [replies(log) for log in logs]
    assert said[0] != said[1]
    written = "".join(
        file.read_text("utf-8")
        for folder in ("results", "docs")
        for file in (command.home / folder).iterdir()
    )
    texts = [part for log in said for reply in log.values() for part in reply[:2]]
    for text in [*texts, *(row[0] for row in ROWS)]:
        assert text[:40] not in written + ended.stdout + ended.stderr
    assert re.search(r"\| MedQA \| low \| all asked, n = 2 \| [+-]\d", command.page)
    assert "not measured here" in command.page


def test_a_killed_run_loses_nothing_that_was_answered_and_leaves_no_endpoint_behind(
    command: Command, model_path: Path, program: Callable[..., Program]
) -> None:
    words = ("mmlu", "--n", "4", *SHORT)
    running = program(*command.arguments(*words), **command.environ)
    wait_until(lambda: command.answered >= 2, 90.0)
    running.signal(signal.SIGKILL)
    running.end(10.0)
    [killed] = (command.home / "logs").glob("*.eval")
    kept = replies(killed)
    assert len(kept) >= 2
    assert not command.results
    ended = command(*words)
    assert ended.returncode == 0, ended.stderr[-2_000:]
    newest = max((command.home / "logs").glob("*.eval"), key=lambda path: path.stat().st_mtime)
    assert len(replies(newest)) == 4
    # Their ids too, as one seed gives one text: only the rest was asked.
    assert replies(newest).items() >= kept.items()
    again = command(*words)
    assert "Running" not in again.stdout
    assert "Samples:" not in again.stdout


def test_the_endpoint_of_a_killed_run_ends_with_it(
    command: Command, model_path: Path, program: Callable[..., Program]
) -> None:
    running = program("-c", STAY)
    address = running.line("http://").strip()
    wait_until(lambda: answers(address), 10.0)
    running.signal(signal.SIGKILL)
    running.end(10.0)
    wait_until(lambda: not answers(address), 10.0)


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/models").is_success
    except httpx.TransportError:
        return False
