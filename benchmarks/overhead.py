"""What the page adds to the model: to the first token, and to the start.

    python -m benchmarks.overhead [--quick]

First token: each reply's first word is the time at which the source gave it away; an observer in
Chromium notes when that word stands in the page, by the same machine's clock. The page paints it
with its next frame, at most 17 ms later. Start: from the start of the process to the first 200
for `/`, of `python app.py` and of a bare Gradio app, in turns; the first of each is not counted.
"""

from __future__ import annotations

import argparse
import http.client
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from statistics import median

from benchmarks.browser import Tab, browsing
from benchmarks.report import aim, load, percentile, setting, table
from benchmarks.server import OURS, PLAIN, Server, ServerFailed, free_port, serving
from benchmarks.source import Pattern, question
from benchmarks.visitors import ask_in_turn

PATTERN = Pattern(rate=50.0, wait=0.4)
TOKENS = 20
START_LIMIT = 60.0
"""Seconds."""
BARE = "import gradio; gradio.ChatInterface(lambda text, history: text).launch(server_port={})"


@dataclass(frozen=True)
class Plan:
    rounds: int
    questions: int
    """In each round, one conversation."""
    starts: int


FULL = Plan(rounds=5, questions=10, starts=5)
QUICK = Plan(rounds=1, questions=3, starts=1)


def first_tokens(plan: Plan) -> dict[str, list[float]]:
    """Seconds from the source to the page, for each question of each page."""
    delays: dict[str, list[float]] = {OURS: [], PLAIN: []}
    with ExitStack() as running:
        servers = {which: running.enter_context(serving(which, PATTERN)) for which in delays}
        for which, (_, address) in servers.items():
            ask_in_turn(which, address, [question(TOKENS)])
        browser = running.enter_context(browsing())
        for _ in range(plan.rounds):
            for which, (_, address) in servers.items():
                tab = Tab(browser, address, timed=True)
                for _ in range(plan.questions):
                    tab.ask(TOKENS, limit=30.0, settle=0.3)
                seen = tab.seen()
                tab.close()
                if len(seen) != plan.questions:
                    raise SystemExit(f"{which}: {len(seen)} of {plan.questions} first tokens seen")
                delays[which] += seen.values()
    return delays


def start(*arguments: str, port: int) -> float:
    """Seconds until `/` is answered with 200 by the program that python runs with these."""
    server = Server(*arguments)
    try:
        while not _answers(port):
            if server.ended or time.monotonic() > server.started + START_LIMIT:
                raise ServerFailed(server.said())
            time.sleep(0.01)
        return time.monotonic() - server.started
    finally:
        server.close()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_LIMIT)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    connection.close()
    return False


def starts(count: int) -> dict[str, list[float]]:
    """Seconds to the first page, in turns, after one start of each that is not counted."""
    seconds: dict[str, list[float]] = {OURS: [], PLAIN: []}
    for _ in range(count + 1):
        port = free_port()
        seconds[OURS].append(start("app.py", "--port", str(port), port=port))
        port = free_port()
        seconds[PLAIN].append(start("-c", BARE.format(port), port=port))
    return {which: found[1:] for which, found in seconds.items()}


def delays_table(delays: dict[str, list[float]]) -> str:
    def row(name: str, share: float, most: float | None) -> list[str]:
        ours, plain = (percentile(delays[which], share) * 1e3 for which in (OURS, PLAIN))
        judged = aim(ours, most) if most else ""
        return [name, f"{ours:.0f}", f"{plain:.0f}", f"{ours / plain:.3f}", judged]

    rows = [row("p50", 0.5, None), row("p95", 0.95, 150), row("slowest", 1.0, None)]
    head = ["first token to page, ms", "ours", "plain", "ours / plain", "aim of ours"]
    return table(head, rows)


def starts_table(seconds: dict[str, list[float]]) -> str:
    ours, bare = (median(seconds[which]) for which in (OURS, PLAIN))
    spread = [f"{min(found):.2f} to {max(found):.2f}" for found in seconds.values()]
    rows = [
        ["median", f"{ours:.2f}", f"{bare:.2f}", f"{ours / bare:.3f}", aim(ours / bare, 1.2)],
        ["range", *spread, "", ""],
    ]
    return table(["start to first page, s", "ours", "bare", "ours / bare", "aim"], rows)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="under a minute; figures mean little")
    plan = QUICK if parser.parse_args(argv).quick else FULL
    print(setting())
    print(f"* {plan.rounds * plan.questions} questions, {plan.starts} starts of each\n", flush=True)
    print(delays_table(first_tokens(plan)), end="\n\n", flush=True)
    print(starts_table(starts(plan.starts)))
    print(f"\nLoad average at the end: {load()}")


if __name__ == "__main__":
    main()
