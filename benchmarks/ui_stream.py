"""What streaming one answer costs: our page against a plain ChatInterface, in Chromium.

    python -m benchmarks.ui_stream [--quick]

Both get the same tokens at the same pace, each in a process of its own, in turns. Server CPU is
that of the whole question, from the key press to the page's last request, less what the same
process takes when idle. Then more servers, all at the same time and the same rate: one of each
kind gives answers of 1,000 tokens, one gives as many tokens in answers of 8,000.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from statistics import median

from playwright.sync_api import Browser

from benchmarks.browser import Tab, browsing
from benchmarks.report import aim, load, setting, table
from benchmarks.server import OURS, PLAIN, Server, serving
from benchmarks.source import Pattern, question
from benchmarks.visitors import ask_in_turn

SPARE = 60.0
"""Seconds that a reply may take beyond its own."""
WARM = 50
"""Tokens of the answer that each server gives before it is measured."""


@dataclass(frozen=True)
class Plan:
    rate: float
    """Tokens a second."""
    tokens: int
    rounds: int
    idle: float
    """Seconds for which a server's idle CPU is measured."""
    lengths: tuple[int, int]


FULL = Plan(rate=50.0, tokens=1_000, rounds=3, idle=5.0, lengths=(1_000, 8_000))
QUICK = Plan(rate=200.0, tokens=200, rounds=1, idle=1.0, lengths=(200, 800))


@dataclass(frozen=True)
class Cost:
    """Of 1,000 tokens."""

    cpu: float
    """Seconds of the server."""
    bytes: float
    """To the browser."""
    busy: float
    """Seconds of the browser's main thread."""


def measure(browser: Browser, server: Server, address: str, plan: Plan) -> Cost:
    """One answer in a tab of its own."""
    tab = Tab(browser, address)
    idle = server.idle(plan.idle)
    cpu, received, busy, began = server.cpu(), tab.received, tab.busy(), time.monotonic()
    tab.ask(plan.tokens, plan.tokens / plan.rate + SPARE)
    cpu = server.cpu() - cpu - idle * (time.monotonic() - began)
    per = 1_000 / plan.tokens
    cost = Cost(cpu * per, (tab.received - received) * per, (tab.busy() - busy) * per)
    tab.close()
    return cost


def compare(plan: Plan) -> dict[str, list[Cost]]:
    """Both pages, in turns."""
    costs: dict[str, list[Cost]] = {OURS: [], PLAIN: []}
    with ExitStack() as running:
        servers = {
            which: running.enter_context(serving(which, Pattern(plan.rate))) for which in costs
        }
        for which, (_, address) in servers.items():
            ask_in_turn(which, address, [question(WARM)])
        browser = running.enter_context(browsing())
        for _ in range(plan.rounds):
            for which, (server, address) in servers.items():
                costs[which].append(measure(browser, server, address, plan))
    return costs


def by_length(plan: Plan) -> dict[tuple[str, int], float]:
    """Server CPU seconds per 1,000 tokens, for each kind of page and length of answer.

    As many tokens of each, and all at the same time, so that all meet the same machine.
    """
    long = max(plan.lengths)

    def cpu(which: str, tokens: int) -> float:
        with serving(which, Pattern(plan.rate)) as (server, address):
            ask_in_turn(which, address, [question(WARM)])
            idle = server.idle(2 * plan.idle)
            before, began = server.cpu(), time.monotonic()
            ask_in_turn(which, address, [question(tokens)] * (long // tokens))
            spent = server.cpu() - before - idle * (time.monotonic() - began)
            return spent * 1_000 / long

    kinds = list(product((OURS, PLAIN), plan.lengths))
    with ThreadPoolExecutor(len(kinds)) as all_of_them:
        return dict(zip(kinds, all_of_them.map(lambda kind: cpu(*kind), kinds), strict=True))


def costs_table(costs: dict[str, list[Cost]]) -> str:
    """Medians of the rounds, and the ratio of the two."""

    def row(name: str, unit: float, most: float | None) -> list[str]:
        ours, plain = (
            median(getattr(cost, name) for cost in costs[which]) for which in (OURS, PLAIN)
        )
        ratio = ours / plain
        judged = aim(ratio, most) if most else ""
        return [f"{ours / unit:.3g}", f"{plain / unit:.3g}", f"{ratio:.3f}", judged]

    rows = [
        ["server CPU, s", *row("cpu", 1, 1 / 5)],
        ["to the browser, kB", *row("bytes", 1_000, 1 / 4)],
        ["browser main thread, s", *row("busy", 1, None)],
    ]
    return table(["per 1,000 tokens", "ours", "plain", "ours / plain", "aim"], rows)


def lengths_table(found: dict[tuple[str, int], float], lengths: tuple[int, int]) -> str:
    rows: list[list[str]] = []
    for which, most in ((OURS, 1.1), (PLAIN, None)):
        short, long = (found[which, tokens] for tokens in lengths)
        judged = aim(long / short, most) if most else ""
        rows.append([which, f"{short:.3g}", f"{long:.3g}", f"{long / short:.3f}", judged])
    names = [f"answers of {tokens:,}" for tokens in lengths]
    return table(["server CPU, s per 1,000 tokens", *names, "ratio", "aim"], rows)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="under a minute; figures mean little")
    plan = QUICK if parser.parse_args(argv).quick else FULL
    print(setting())
    print(f"* {plan.tokens:,} tokens at {plan.rate:g}/s, median of {plan.rounds}\n", flush=True)
    print(costs_table(compare(plan)), end="\n\n", flush=True)
    print(lengths_table(by_length(plan), plan.lengths))
    print(f"\nLoad average at the end: {load()}")


if __name__ == "__main__":
    main()
