"""What `benchmarks.small_cpu` measures under a limit on CPU: starts, answers, idling and chats."""

from __future__ import annotations

import asyncio
import http.client
import re
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from benchmarks.many_chats import PROBES
from benchmarks.overhead import BARE
from benchmarks.quota import small_cpu
from benchmarks.server import OURS, PLAIN, Server, ServerFailed, free_port, serving
from benchmarks.source import ENDED, Pattern, question
from benchmarks.visitors import Connection, Page

ENDPOINT, MODEL = "ours, an endpoint", "ours, its own model"
"""`python app.py` as render.yaml runs it, with MODAL_ENDPOINT and without. `OURS` is the page over
the token source that the plain one has too, both within the process."""
RENDER = {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""What render.yaml sets for the process."""
RATE = 20.0
"""Tokens a second of each chat."""
LATE = 1.2
START_LIMIT = 120.0
PROBE_EVERY = 1.0
OPEN = 5
"""Pages that stand open."""
FOOT = re.compile(r"foot foot-")
FIRST, SPEED = re.compile(r"first token after ([\d.]+) s"), re.compile(r"([\d.]+) tokens/s")


@dataclass(frozen=True)
class Plan:
    loads: dict[float, tuple[int, ...]]
    """For each share of a core, the numbers of chats that are tried until one does not keep up."""
    starts: int
    tokens: int
    idle: float
    """Seconds."""


@dataclass
class Starts:
    """In seconds from the start of the process, but for `cpu`."""

    healthy: list[float] = field(default_factory=list[float])
    page: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])
    """Seconds of CPU till then."""
    ready: list[float] = field(default_factory=list[float])
    """The model answers."""


@dataclass(frozen=True)
class Answered:
    """A question, and then two at once, with the model in the process."""

    first: float
    """Seconds to the first text, as the page tells it."""
    speed: float
    """Tokens a second, as the page tells it."""
    alone: float
    """The most memory in MB (10^6 bytes), while one question is answered."""
    both: float
    """And while two are."""
    probe: float


@dataclass(frozen=True)
class Load:
    chats: int
    late: float
    """Of the slowest, a multiple of the time that the source takes."""
    probe: float
    """Seconds that the slowest look at the server's health took meanwhile."""


@dataclass
class Seen:
    """All that was measured at one share of a core."""

    starts: dict[str, Starts] = field(default_factory=dict[str, Starts])
    answered: list[Answered] = field(default_factory=list[Answered])
    idle: dict[tuple[str, int], float] = field(default_factory=dict[tuple[str, int], float])
    loads: dict[str, list[Load]] = field(default_factory=dict[str, list[Load]])


def measure(share: float, plan: Plan) -> Seen:
    """One after the other, in turns where it is repeated."""
    seen = Seen({which: Starts() for which in (ENDPOINT, MODEL, PLAIN)})
    for _ in range(plan.starts):
        for which, starts in seen.starts.items():
            with started(which, share, starts) as (server, address):
                if which == MODEL:
                    starts.ready.append(_until(server, address, "/readyz", b"ready"))
                    seen.answered.append(asyncio.run(answers(server, address)))
    for which in (ENDPOINT, OURS, PLAIN):
        with chatting(which, share, plan.tokens) as (server, address):
            asyncio.run(visits(which, address, 1, 20))
            for pages in (0, OPEN):
                left_alone = idle(which, server, address, pages, plan.idle)
                seen.idle[which, pages] = asyncio.run(left_alone)
            seen.loads[which] = ladder(which, server, address, plan.loads[share], plan.tokens)
    return seen


@contextmanager
def started(which: str, share: float, seen: Starts) -> Generator[tuple[Server, str]]:
    """The program as its owner starts it, and its address; how long that took goes to `seen`."""
    port = free_port()
    arguments, health = ["app.py", "--port", str(port)], "/healthz"
    if which == PLAIN:
        arguments, health = ["-c", BARE.format(port)], PROBES[PLAIN]
    endpoint = {"MODAL_ENDPOINT": "http://127.0.0.1:9/v1"} if which == ENDPOINT else {}
    address = f"http://127.0.0.1:{port}"
    with small_cpu(share) as quota:
        server = Server(*arguments, quota=quota, environ={**RENDER, **endpoint})
        try:
            seen.healthy.append(_until(server, address, health))
            seen.page.append(_until(server, address, "/"))
            seen.cpu.append(server.cpu())
            yield server, address
        finally:
            server.close()


@contextmanager
def chatting(which: str, share: float, tokens: int) -> Generator[tuple[Server, str]]:
    """A server to chat with. Behind `ENDPOINT` every reply has `tokens` tokens."""
    if which != ENDPOINT:
        with small_cpu(share) as quota, serving(which, Pattern(RATE), quota) as running:
            yield running
        return
    source = Server("-m", "benchmarks.sse_source", "0")
    try:
        base = f"{source.address()}/chunked/{tokens}/{1e6 / RATE:.0f}/v1"
        with small_cpu(share) as quota:
            port = str(free_port())
            environ = {**RENDER, "MODAL_ENDPOINT": base, "PORT": port, "HOST": "127.0.0.1"}
            server = Server("app.py", quota=quota, environ=environ)
            try:
                _until(server, f"http://127.0.0.1:{port}", "/")
                yield server, f"http://127.0.0.1:{port}"
            finally:
                server.close()
    finally:
        source.close()


async def answers(server: Server, address: str) -> Answered:
    """Ask the model."""
    page = await Page.load(OURS, address)
    async with watching(server, address, "/healthz") as (probes, sizes):
        text = (await page.ask("What is asthma?", FOOT, 128)).text
        alone = max(sizes)
        two = [page.ask(f"What is {what}?", FOOT, 128) for what in ("a stroke", "sepsis")]
        await asyncio.gather(*two)
    first, speed = FIRST.search(text), SPEED.search(text)
    assert first is not None
    assert speed is not None
    return Answered(float(first[1]), float(speed[1]), alone, max(sizes), max(probes))


async def visits(which: str, address: str, n: int, tokens: int) -> float:
    """Seconds of the slowest of `n`, who come within the first quarter of the first one's reply."""
    page = await Page.load(PLAIN if which == PLAIN else OURS, address)
    come = Pattern(RATE).seconds(tokens) / 4

    async def visit(number: int) -> float:
        await asyncio.sleep(come * number / n)
        answer = await page.ask(question(tokens), FOOT if which == ENDPOINT else ENDED)
        return time.monotonic() - answer.asked

    return max(await asyncio.gather(*(visit(number) for number in range(n))))


def ladder(
    which: str, server: Server, address: str, loads: Sequence[int], tokens: int
) -> list[Load]:
    """The loads that keep up, and the first that does not."""
    ideal, probed = Pattern(RATE).seconds(tokens), PROBES.get(which, "/healthz")

    async def under(n: int) -> Load:
        async with watching(server, address, probed) as (probes, _):
            slowest = await visits(which, address, n, tokens)
        return Load(n, slowest / ideal, max(probes))

    seen: list[Load] = []
    for n in loads:
        tried = asyncio.run(under(n))
        if tried.late > LATE:
            tried = min(tried, asyncio.run(under(n)), key=lambda each: each.late)
        seen.append(tried)
        if tried.late > LATE:
            break
    return seen


async def idle(which: str, server: Server, address: str, pages: int, seconds: float) -> float:
    """Share of a core while `pages` stand open and nobody asks."""
    page = await Page.load(PLAIN if which == PLAIN else OURS, address)
    standing = [asyncio.create_task(page.stay_open()) for _ in range(pages)]
    try:
        await asyncio.sleep(3.0)  # what the visits before left to do
        return await asyncio.to_thread(server.idle, seconds)
    finally:
        for each in standing:
            each.cancel()
        await asyncio.gather(*standing, return_exceptions=True)


@asynccontextmanager
async def watching(
    server: Server, address: str, path: str
) -> AsyncGenerator[tuple[list[float], list[float]]]:
    """Seconds that each look at `path` took, and the memory at it, until the block ends."""
    probes: list[float] = []
    sizes: list[float] = []

    async def watch() -> None:
        async with Connection.to(address) as connection:
            while True:
                began = time.monotonic()
                await connection.get(path)
                probes.append(time.monotonic() - began)
                sizes.append(server.rss())
                await asyncio.sleep(PROBE_EVERY)

    watcher = asyncio.create_task(watch())
    try:
        yield probes, sizes
    finally:
        sizes.append(server.rss())
        watcher.cancel()
        (ended,) = await asyncio.gather(watcher, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended


def _until(server: Server, address: str, path: str, body: bytes = b"") -> float:
    """Seconds from the start of the server to the first 200 for `path` with `body` in it."""
    while not _answered(address, path, body):
        if server.ended or time.monotonic() > server.started + START_LIMIT:
            raise ServerFailed(server.said())
        time.sleep(0.05)
    return time.monotonic() - server.started


def _answered(address: str, path: str, body: bytes) -> bool:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=START_LIMIT)
    try:
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", path)
            response = connection.getresponse()
            return body in response.read() and response.status == 200
        return False
    finally:
        connection.close()
