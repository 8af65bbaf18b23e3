"""What the page and its client add to an endpoint: to the first token, and between tokens.

    python -m benchmarks.proxy [--quick]

One endpoint (`benchmarks.sse_source`) is asked in turns through the page of `python app.py` with
BACKEND=remote, and by a bare client (`requests`) at the endpoint itself. Every token is the wall
clock's reading when it was sent, so that the delay to whoever sees it is known by the same
machine's clock. A page shows what has come 6 times a second: its gaps are told beyond that.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.client import with_requests
from benchmarks.report import aim, load, percentile, setting, table
from benchmarks.server import OURS, Server, free_port
from benchmarks.sse_source import STAMP
from benchmarks.visitors import Answer, BadAnswer, Connection, Page
from ui.run import PACE

GAP, WAIT = 20_000, 300_000
"""Microseconds: 50 tokens a second, after a mean wait for the first."""
TOKENS = 150
BARE = "bare"


@dataclass
class Seen:
    """Of one reply, in milliseconds."""

    first: float = 0.0
    """From the first token's sending until it was seen."""
    gaps: list[float] = field(default_factory=list[float])
    """Between two updates that had more text."""


class Watched(Page):
    """A page that notes when it saw the first token, and each update with text."""

    seen: Seen

    async def _read(self, session: str, answer: Answer, ended: object) -> Answer:
        self.seen, last = Seen(), 0.0
        async with Connection.to(self.address) as http:
            path = f"/gradio_api/queue/data?session_hash={session}"
            async with aclosing(http.events(path)) as events:
                async for line in events:
                    now = time.time() * 1e3
                    if b'"close_stream"' in line:
                        return answer
                    ages = _ages(line.decode(), now) if b"process_generating" in line else []
                    if ages and not last:
                        self.seen.first = max(ages)
                    elif ages:
                        self.seen.gaps.append(now - last)
                    last = now if ages else last
        raise BadAnswer("a reply did not come to its end")


def _ages(text: str, now: float) -> list[float]:
    """Milliseconds since each token in `text` was sent. Gradio's names have digits too."""
    ages = [now - int(stamp) / 1e3 for stamp in STAMP.findall(text)]
    return [age for age in ages if 0 <= age < 60_000]


def through_page(address: str, questions: int) -> list[Seen]:
    async def ask() -> list[Seen]:
        page, found = await Watched.load(OURS, address), list[Seen]()
        for n in range(questions):
            await page.ask(f"Question {n}?")
            found.append(page.seen)
        return found

    return asyncio.run(ask())


def bare(base: str, questions: int) -> list[Seen]:
    read, found = with_requests(base), list[Seen]()
    for _ in range(questions):
        seen, last = Seen(), 0.0
        for text in read(TOKENS):
            now = time.time() * 1e3
            if last:
                seen.gaps.append(now - last)
            else:
                seen.first = now - int(text) / 1e3
            last = now
        found.append(seen)
    return found


def rows(found: dict[str, list[Seen]]) -> list[list[str]]:
    firsts = {who: [seen.first for seen in all_] for who, all_ in found.items()}
    gaps = {who: [gap for seen in all_ for gap in seen.gaps] for who, all_ in found.items()}
    lines: list[list[str]] = []
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        ours, plain = (percentile(firsts[who], share) for who in (OURS, BARE))
        judged = aim(ours - plain, 50) if share == 0.95 else ""
        lines.append([f"first token, {name}", f"{ours:.1f}", f"{plain:.1f}", "", judged])
        lines[-1][3] = f"{ours - plain:.1f}"
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        ours, plain = percentile(gaps[OURS], share), percentile(gaps[BARE], share)
        beyond = ours - PACE * 1e3
        judged = aim(beyond, 20) if share == 0.95 else ""
        beside = [f"{ours:.1f}", f"{plain:.1f}", f"{beyond:.1f}", judged]
        lines.append([f"gap between updates, {name}", *beside])
    return lines


def ready(address: str, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with urlopen(address):  # noqa: S310, our own address
                return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    raise SystemExit("the page did not start")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="under a minute; figures mean little")
    rounds, questions = (1, 3) if parser.parse_args(argv).quick else (4, 10)
    source = Server("-m", "benchmarks.sse_source", str(free_port()))
    base = f"{source.address()}/chunked/{{}}/{GAP}/{WAIT}/v1"
    os.environ["MODAL_ENDPOINT"] = base.format(TOKENS)
    port = free_port()
    page = Server("app.py", "--backend", "remote", "--port", str(port))
    try:
        address = f"http://127.0.0.1:{port}"
        ready(address)
        through_page(address, 1)
        found: dict[str, list[Seen]] = {OURS: [], BARE: []}
        for _ in range(rounds):
            found[OURS] += through_page(address, questions)
            found[BARE] += bare(base, questions)
    finally:
        page.close()
        source.close()
    print(setting())
    print(f"* {rounds * questions} questions of each, {TOKENS} tokens at 50/s\n")
    head = ["ms", "page and client", "bare client", "added, or beyond the page's 167", "aim"]
    print(table(head, rows(found)))
    print(f"\nLoad average at the end: {load()}")


if __name__ == "__main__":
    main()
