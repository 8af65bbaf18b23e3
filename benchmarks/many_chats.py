"""Many visitors at once: 10, 50 and 100 streams of 20 tokens/s in one server process.

    python -m benchmarks.many_chats [--quick]

Our page and a plain ChatInterface, its limits lifted, at the same loads in turns. Visitors have
no browsers but make a page's requests, from this process, over real sockets. `late` is the time
from the first question to the last reply's end over what the source needs for one reply. Where a
server cannot keep up it shows there and in the gaps between a stream's updates.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

from benchmarks.report import aim, load, percentile, setting, table
from benchmarks.server import OURS, PLAIN, Server, serving
from benchmarks.source import Pattern, question
from benchmarks.visitors import Connection, Page, ask_in_turn

RATE = 20.0
"""Tokens a second of each stream."""
PROBE_EVERY = 0.05
PROBES = {OURS: "/healthz", PLAIN: "/gradio_api/app_id"}
"""The cheapest answer of each: one without a queue, a page or a model."""


@dataclass(frozen=True)
class Plan:
    loads: tuple[int, ...]
    tokens: int


FULL = Plan(loads=(10, 50, 100), tokens=400)
QUICK = Plan(loads=(2, 10), tokens=60)


@dataclass(frozen=True)
class Load:
    """What was seen while `streams` replies were streaming."""

    streams: int
    late: float
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
    """`n` visitors ask at once, and each reads to the end."""
    page = await Page.load(which, address)
    cpu, began = server.cpu(), time.monotonic()
    async with watching(server, address + PROBES[which]) as (probes, sizes):
        answers = await asyncio.gather(*(page.ask(question(tokens)) for _ in range(n)))
        wall = time.monotonic() - began
    gaps = [gap for answer in answers for gap in answer.gaps]
    return Load(
        streams=n,
        late=wall / Pattern(RATE).seconds(tokens),
        updates=sum(len(answer.updates) for answer in answers) / n / wall,
        gap_p95=percentile(gaps, 0.95),
        gap_max=max(gaps),
        probe_p99=percentile(probes, 0.99),
        cpu=(server.cpu() - cpu) / wall,
        rss=max(sizes),
    )


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
        if not isinstance(ended, asyncio.CancelledError):
            raise ended


def measure(plan: Plan) -> tuple[dict[str, float], dict[tuple[str, int], Load]]:
    """Idle memory in MB, and what was seen at each load; one after the other."""
    idle: dict[str, float] = {}
    loads: dict[tuple[str, int], Load] = {}
    with ExitStack() as running:
        servers = {
            which: running.enter_context(serving(which, Pattern(RATE))) for which in (OURS, PLAIN)
        }
        for which, (server, address) in servers.items():
            ask_in_turn(which, address, [question(20)])
            idle[which] = server.rss()
        for n in plan.loads:
            for which, (server, address) in servers.items():
                seen = asyncio.run(put_under_load(which, server, address, n, plan.tokens))
                loads[which, n] = seen
    return idle, loads


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


def aims_table(idle: dict[str, float], loads: dict[tuple[str, int], Load]) -> str:
    """What was aimed at, of ours, and how the plain one compares."""
    counts = sorted({n for _, n in loads})
    most, middle = counts[-1], counts[-2]
    figures: list[tuple[str, float, float, float]] = [
        ("RSS idle, MB", idle[OURS], idle[PLAIN], 180),
        (f"RSS with {middle}, MB", loads[OURS, middle].rss, loads[PLAIN, middle].rss, 320),
    ]
    ours, plain = loads[OURS, most], loads[PLAIN, most]
    figures += [
        (f"late with {most}", ours.late, plain.late, 1.05),
        (f"gap p95 with {most}, ms", ours.gap_p95 * 1e3, plain.gap_p95 * 1e3, 500),
        (f"probe p99 with {most}, ms", ours.probe_p99 * 1e3, plain.probe_p99 * 1e3, 100),
    ]
    rows = [
        [name, f"{a:.4g}", f"{b:.4g}", f"{a / b:.3f}", aim(a, at_most)]
        for name, a, b, at_most in figures
    ]
    rows += [
        [f"CPU with {n}, %", f"{a * 100:.0f}", f"{b * 100:.0f}", f"{a / b:.3f}", ""]
        for n in counts
        for a, b in [(loads[OURS, n].cpu, loads[PLAIN, n].cpu)]
    ]
    return table(["", "ours", "plain", "ours / plain", "aim of ours"], rows)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="under a minute; figures mean little")
    plan = QUICK if parser.parse_args(argv).quick else FULL
    print(setting())
    print(
        f"* {plan.tokens} tokens at {RATE:g}/s each, probed every {PROBE_EVERY:g} s\n", flush=True
    )
    idle, loads = measure(plan)
    print(loads_table(loads), end="\n\n")
    print(aims_table(idle, loads))
    print(f"\nLoad average at the end: {load()}")


if __name__ == "__main__":
    main()
