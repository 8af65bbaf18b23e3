"""Serves the real page around a script instead of a model, for tests, benchmarks, the gallery.

    python -m tests.serve_scripted slow --rate 20 --reasoning 40 --answer 60 [--port 0]

Prints the address when it answers, and `asked N open N` at the end. Exits as `app.py` does.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

from backend.base import Busy, Failed, Interrupted, Options, Unreachable
from backend.scripted import Pause, Script, ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Stage, Usage, Waiting
from settings import Settings
from ui.listening import listen
from ui.logs import configure_logging
from ui.serve import Server
from ui.server import create_app


@dataclass(frozen=True)
class Pattern:
    """How a script plays. `rate` is tokens a second, 0 for as fast as it goes."""

    rate: float = 20.0
    reasoning: int = 40
    answer: int = 60
    wait: float = 0.0
    """Seconds of prefill before the first token."""
    stall: float = 60.0
    """Seconds of silence where a script has one."""


class Clock:
    """Paces tokens by the wall, so that a late one does not delay the rest."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._began = time.monotonic()
        self._count = 0

    def tick(self) -> None:
        self._count += 1
        if self._rate:
            time.sleep(max(0.0, self._began + self._count / self._rate - time.monotonic()))


def thinking(pattern: Pattern, clock: Clock) -> Iterator[Step]:
    yield Waiting(Stage.READING, 0.0)
    if pattern.wait:
        yield Pause(pattern.wait, Stage.READING)
    for n in range(pattern.reasoning):
        clock.tick()
        yield ReasoningDelta(f"thought{n} ")


def answering(pattern: Pattern, clock: Clock) -> Iterator[Step]:
    for n in range(pattern.answer):
        clock.tick()
        yield AnswerDelta(f"word{n} ")


def slow(pattern: Pattern) -> Iterator[Step]:
    """Reasoning, then an answer, finished."""
    clock = Clock(pattern.rate)
    yield from thinking(pattern, clock)
    yield from answering(pattern, clock)
    count = pattern.reasoning + pattern.answer
    yield Ended(EndReason.FINISHED, Usage(20, count, pattern.reasoning))


def stall(pattern: Pattern) -> Iterator[Step]:
    """Reasoning, then silence, then an answer."""
    clock = Clock(pattern.rate)
    yield from thinking(pattern, clock)
    yield Pause(pattern.stall)
    yield from answering(pattern, Clock(pattern.rate))
    yield Ended(EndReason.FINISHED)


def silent(pattern: Pattern) -> Iterator[Step]:
    """Nothing but waiting."""
    yield Pause(pattern.stall, Stage.CONNECTING)
    yield Ended(EndReason.FINISHED)


def length(pattern: Pattern) -> Iterator[Step]:
    """The budget runs out while it thinks."""
    yield from thinking(pattern, Clock(pattern.rate))
    yield Ended(EndReason.LENGTH, Usage(20, pattern.reasoning, pattern.reasoning))


def fail(pattern: Pattern) -> Iterator[Step]:
    """No connection."""
    yield Pause(pattern.wait, Stage.CONNECTING)
    yield Unreachable("refused")


def busy(pattern: Pattern) -> Iterator[Step]:
    """Too many people."""
    yield Busy("full", retry_after=20)


def cut(pattern: Pattern) -> Iterator[Step]:
    """It breaks in the middle of the answer."""
    clock = Clock(pattern.rate)
    yield from thinking(pattern, clock)
    yield from answering(pattern, clock)
    yield Interrupted("reset")


SCRIPTS = {f.__name__: f for f in (slow, stall, silent, length, fail, busy, cut)}


def script(name: str, pattern: Pattern) -> Script:
    """The script of that name as a backend takes it: the same for every question."""

    def play(conversation: Conversation, options: Options) -> Iterable[Step]:
        return SCRIPTS[name](pattern)

    return play


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("script", choices=SCRIPTS)
    for field in fields(Pattern):
        kind = type(field.default)
        parser.add_argument(f"--{field.name}", type=kind, default=field.default)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--drain", type=float, default=25.0)
    parser.add_argument("--down", action="store_true", help="the backend says that it has failed")
    given = parser.parse_args(argv)
    pattern = Pattern(**{field.name: getattr(given, field.name) for field in fields(Pattern)})
    settings = Settings(drain_seconds=given.drain)
    configure_logging(settings.log_level)
    backend = ScriptedBackend(script(given.script, pattern))
    if given.down:
        backend.state = Failed(Unreachable("refused"))
    listener = listen("127.0.0.1", given.port)
    server = Server(create_app(backend, "A script answers.", settings), settings.drain_seconds)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def announce() -> None:
        while not server.started:
            time.sleep(0.01)
        print(address, flush=True)

    threading.Thread(target=announce, daemon=True).start()
    server.run(sockets=[listener])
    backend.close()
    print(f"asked {len(backend.asked)} open {backend.open}", flush=True)
    return 130 if server.force_exit else 0


if __name__ == "__main__":
    sys.exit(main())
