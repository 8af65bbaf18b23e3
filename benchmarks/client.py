"""What reading a streamed reply costs, and how late it is: ours beside others, in one run.

    python -m benchmarks.client [--quick]

Each client runs in a process of its own and reads the same events of `benchmarks.sse_source`; all
parse each event's JSON and take its text. CPU is of the whole client process, all threads. Ours is
the remote backend, from the socket to typed events; the others stop at the text. Lag is from the
source's clock to the text, at an event every 20 ms. `requests` is `iter_lines()` as it comes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.report import aim, load, setting, table
from benchmarks.server import ROOT, Server, free_port
from benchmarks.sse_source import STAMP

OURS, REQUESTS = "ours", "requests"
BODY = {"model": "medicalgpt", "messages": [{"role": "user", "content": "hi"}], "stream": True}
WARM = 50
"""Events of a first reply that is not counted: connections are made and code is warm."""


def ours(base: str) -> Callable[[int], Iterator[str]]:
    from backend.base import Options
    from backend.remote import RemoteBackend
    from chat.conversation import Conversation
    from chat.events import AnswerDelta
    from settings import Settings

    backends: dict[int, RemoteBackend] = {}

    def read(events: int) -> Iterator[str]:
        settings = Settings(modal_endpoint=base.format(events), modal_model="medicalgpt")
        backend = backends.setdefault(events, RemoteBackend(settings))
        for event in backend.stream(Conversation.ask("hi"), Options()):
            if isinstance(event, AnswerDelta):
                yield event.text

    return read


def with_requests(base: str) -> Callable[[int], Iterator[str]]:
    import requests

    session = requests.Session()

    def read(events: int) -> Iterator[str]:
        url = f"{base.format(events)}/chat/completions"
        with session.post(url, json=BODY, stream=True, timeout=60) as response:
            yield from _texts(line.decode() for line in response.iter_lines())

    return read


def with_httpx(base: str) -> Callable[[int], Iterator[str]]:
    import httpx

    client = httpx.Client(timeout=60)

    def read(events: int) -> Iterator[str]:
        url = f"{base.format(events)}/chat/completions"
        with client.stream("POST", url, json=BODY) as response:
            yield from _texts(response.iter_lines())

    return read


def with_openai(base: str) -> Callable[[int], Iterator[str]]:
    import openai

    clients: dict[int, Any] = {}

    def read(events: int) -> Iterator[str]:
        client = clients.setdefault(
            events, openai.OpenAI(base_url=base.format(events), api_key="none", max_retries=0)
        )
        for chunk in client.chat.completions.create(**BODY):
            if chunk.choices and (text := chunk.choices[0].delta.content):
                yield text

    return read


def _texts(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line.startswith("data: ") and line != "data: [DONE]":
            choices = json.loads(line[6:])["choices"]
            if text := choices[0]["delta"].get("content"):
                yield text


CLIENTS = {OURS: ours, REQUESTS: with_requests, "httpx": with_httpx, "openai": with_openai}


def measure(client: str, base: str, events: int) -> dict[str, float]:
    """In a process of its own: microseconds of CPU an event, and the median lag in ms."""
    read = CLIENTS[client](base)
    for _ in read(WARM):
        pass
    began, lags, count = time.process_time(), list[float](), 0
    for text in read(events):
        now = time.time_ns() / 1e3
        stamps = STAMP.findall(text)
        count += len(stamps)
        lags += [(now - int(stamp)) / 1e3 for stamp in stamps]
    if count != events:
        raise SystemExit(f"{client}: {count} of {events} events came")
    return {"cpu": (time.process_time() - began) / events * 1e6, "lag": median(lags)}


@dataclass(frozen=True)
class Case:
    name: str
    framing: str
    gap: int
    """Microseconds between two events; 0 for as fast as it goes."""
    events: int
    figure: str


CASES = (
    Case("CPU an event, burst, us", "chunked", 0, 20_000, "cpu"),
    Case("CPU an event, one in 0.9 ms, us", "chunked", 900, 4_000, "cpu"),
    Case("lag, chunked, ms", "chunked", 20_000, 200, "lag"),
    Case("lag, ended by closing, ms", "closed", 20_000, 200, "lag"),
)


def in_turns(address: str, case: Case, rounds: int, share: float) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {client: [] for client in CLIENTS}
    events = max(WARM, int(case.events * share))
    base = f"{address}/{case.framing}/{{}}/{case.gap}/v1"
    for _ in range(rounds):
        for client, figures in found.items():
            command = [sys.executable, "-m", "benchmarks.client", "--client", client]
            child = subprocess.run(
                [*command, "--base", base, "--events", str(events)],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
            )
            figures.append(json.loads(child.stdout)[case.figure])
    return found


def row(case: Case, found: dict[str, list[float]]) -> list[str]:
    middle = {client: median(figures) for client, figures in found.items()}
    ratio = middle[OURS] / middle[REQUESTS]
    judged = aim(ratio, 1.2) if case.figure == "cpu" else ""
    figures = [f"{value:.3g}" for value in middle.values()]
    return [case.name, *figures, f"{ratio:.2f}", judged]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="under a minute; figures mean little")
    parser.add_argument("--client", choices=CLIENTS, help=argparse.SUPPRESS)
    parser.add_argument("--base", help=argparse.SUPPRESS)
    parser.add_argument("--events", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.client:
        return print(json.dumps(measure(given.client, given.base, given.events)))
    rounds, share = (1, 0.1) if given.quick else (5, 1.0)
    source = Server("-m", "benchmarks.sse_source", str(free_port()))
    try:
        address = source.address()
        print(setting())
        print(f"* median of {rounds}\n", flush=True)
        rows = [row(case, in_turns(address, case, rounds, share)) for case in CASES]
    finally:
        source.close()
    print(table(["", *CLIENTS, "ours / requests", "aim"], rows))
    print(f"\nLoad average at the end: {load()}")


if __name__ == "__main__":
    main()
