"""Many visitors at once: 10, 50 and 100 streams of 20 tokens/s in one server process.

    python -m benchmarks.many_chats [--quick]

Our page and a plain ChatInterface, its limits lifted, at the same loads in turns. Visitors have
no browsers but make a page's requests, from this process, over real sockets; twenty come in a
second. `late` is the time from a visitor's question to the end of the reply over what the source
needs for it, of the visitor who waited longest: where a server cannot keep up it shows there.
Last, as many as the highest load ask in the same moment.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field

from benchmarks.report import aim, load, percentile, setting, table
from benchmarks.server import OURS, PLAIN, Server, serving
from benchmarks.source import Pattern, question
from benchmarks.visitors import Answer, Connection, Page, ask_in_turn

RATE = 20.0
"""Tokens a second of each stream."""
COME = 20.0
"""Visitors a second."""
PROBE_EVERY = 0.05
PROBES = {OURS: "/healthz", PLAIN: "/gradio_api/app_id"}
"""The cheapest answer of each: one without a queue, a page or a model."""


@dataclass(frozen=True)
class Plan:
    loads: tuple[int, ...]
    tokens: int


FULL = Plan(loads=(10, 50, 100), tokens=500)
QUICK = Plan(loads=(2, 10), tokens=60)


@dataclass(frozen=True)
class Load:
    """What was seen while `streams` replies were streaming."""

    streams: int
    late: float
    """Of the slowest, a multiple of the time that the source takes."""
    updates: float
    """A second, of one stream."""
    gap_p95: float
    gap_max: float
    probe_p99: float
    cpu: float
    """Share of one core."""
    rss: float
    """MB, the most."""


async def put_under_load(which: str, server: Server, address: str, n: int, tokens: int) -> Load:
    """`n` visitors come one after the other, ask, and read to the end."""
    page = await Page.load(which, address)

    async def visit(number: int) -> tuple[Answer, float]:
        await asyncio.sleep(number / COME)
        answer = await page.ask(question(tokens))
        return answer, time.monotonic() - answer.asked

    cpu, began = server.cpu(), time.monotonic()
    async with watching(server, address + PROBES[which]) as (probes, sizes):
        visits = await asyncio.gather(*(visit(number) for number in range(n)))
    wall = time.monotonic() - began
    gaps = [gap for answer, _ in visits for gap in answer.gaps]
    return Load(
        streams=n,
        late=max(seconds for _, seconds in visits) / Pattern(RATE).seconds(tokens),
        updates=sum(len(answer.updates) / seconds for answer, seconds in visits) / n,
        gap_p95=percentile(gaps, 0.95),
        gap_max=max(gaps),
        probe_p99=percentile(probes, 0.99),
        cpu=(server.cpu() - cpu) / wall,
        rss=max(sizes),
    )


async def ask_together(which: str, address: str, n: int) -> float:
    """Seconds until the last of `n` who ask in the same moment has a first update."""
    page = await Page.load(which, address)
    began = time.monotonic()
    answers = await asyncio.gather(*(page.ask(question(20)) for _ in range(n)))
    return max(answer.updates[0] for answer in answers) - began


@asynccontextmanager
async def watching(
    server: Server, probed: str
) -> AsyncGenerator[tuple[list[float], list[float]], None]:
    """Seconds that each probe took, and the server's memory at each, until the block ends."""
    probes: list[float] = []
    sizes: list[float] = []
    scheme, _, rest = probed.partition("://")
    host, _, path = rest.partition("/")

    async def watch() -> None:
        async with Connection.to(f"{scheme}://{host}") as http:
            while True:
                began = time.monotonic()
                await http.get(f"/{path}")
                probes.append(time.monotonic() - began)
                sizes.append(server.rss())
                await asyncio.sleep(PROBE_EVERY)

    watcher = asyncio.create_task(watch())
    try:
        yield probes, sizes
    finally:
        watcher.cancel()
        (ended,) = await asyncio.gather(watcher, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended


@dataclass
class Seen:
    """All that was measured, for each page."""

    idle: dict[str, float] = field(default_factory=dict[str, float])
    """MB."""
    loads: dict[tuple[str, int], Load] = field(default_factory=dict[tuple[str, int], Load])
    together: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds."""


def measure(plan: Plan) -> Seen:
    """One after the other."""
    seen = Seen()
    with ExitStack() as running:
        servers = {
            which: running.enter_context(serving(which, Pattern(RATE))) for which in (OURS, PLAIN)
        }
        for which, (server, address) in servers.items():
            ask_in_turn(which, address, [question(20)])
            seen.idle[which] = server.rss()
        for n in plan.loads:
            for which, (server, address) in servers.items():
                under = put_under_load(which, server, address, n, plan.tokens)
                seen.loads[which, n] = asyncio.run(under)
        for which, (_, address) in servers.items():
            seen.together[which] = asyncio.run(ask_together(which, address, max(plan.loads)))
    return seen


def loads_table(loads: dict[tuple[str, int], Load]) -> str:
    head = ["streams", "page", "late", "updates/s", "gap p95, ms", "gap max, ms",
            "probe p99, ms", "CPU, % of a core", "RSS, MB"]  # fmt: skip
    rows = [
        [
            str(n),
            which,
            f"{seen.late:.3f}",
            f"{seen.updates:.1f}",
            f"{seen.gap_p95 * 1e3:.0f}",
            f"{seen.gap_max * 1e3:.0f}",
            f"{seen.probe_p99 * 1e3:.0f}",
            f"{seen.cpu * 100:.0f}",
            f"{seen.rss:.0f}",
        ]
        for (which, n), seen in loads.items()
    ]
    return table(head, rows)


def aims_table(seen: Seen) -> str:
    """What was aimed at, of ours, and how the plain one compares."""
    counts = sorted({n for _, n in seen.loads})
    middle, most = counts[-2:]
    half = {which: seen.loads[which, middle] for which in (OURS, PLAIN)}
    full = {which: seen.loads[which, most] for which in (OURS, PLAIN)}

    def row(name: str, ours: float, plain: float, at_most: float | None = None) -> list[str]:
        judged = aim(ours, at_most) if at_most else ""
        return [name, f"{ours:.4g}", f"{plain:.4g}", f"{ours / plain:.3f}", judged]

    rows = [
        row("RSS idle, MB", seen.idle[OURS], seen.idle[PLAIN], 180),
        row(f"RSS with {middle}, MB", half[OURS].rss, half[PLAIN].rss, 320),
        row(f"late with {most}", full[OURS].late, full[PLAIN].late, 1.05),
        row(f"gap p95 with {most}, ms", full[OURS].gap_p95 * 1e3, full[PLAIN].gap_p95 * 1e3, 500),
        row(f"probe p99 with {most}, ms", full[OURS].probe_p99 * 1e3, full[PLAIN].probe_p99 * 1e3,
            100),
        *(row(f"CPU with {n}, % of a core", seen.loads[OURS, n].cpu * 100,
              seen.loads[PLAIN, n].cpu * 100) for n in counts),
        row(f"{most} ask at once: last first token, s", seen.together[OURS], seen.together[PLAIN]),
    ]  # fmt: skip
    return table(["", "ours", "plain", "ours / plain", "aim of ours"], rows)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="under a minute; figures mean little")
    plan = QUICK if parser.parse_args(argv).quick else FULL
    print(setting())
    print(
        f"* {plan.tokens} tokens at {RATE:g}/s each, probed every {PROBE_EVERY:g} s\n", flush=True
    )
    seen = measure(plan)
    print(loads_table(seen.loads), end="\n\n")
    print(aims_table(seen))
    print(f"\nLoad average at the end: {load()}")


if __name__ == "__main__":
    main()
