"""The token source that every page here is fed by: the same words at the same pace.

A question says how many tokens its reply has, a third of them reasoning. The first token is `t`
and the last is `e` before a reading of the wall clock in microseconds, so that whoever sees one
knows how long ago it left the source.
"""

from __future__ import annotations

import argparse
import random
import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from backend.base import Options
from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Stage, Usage

WORDS = ("the", "most", "likely", "cause", "of", "this", "fever", "is", "an", "infection", "and")
PARAGRAPH = 60
"""Tokens in a paragraph."""
BEGAN, ENDED = re.compile(r"t(\d{16})"), re.compile(r"e(\d{16})")


@dataclass(frozen=True)
class Pattern:
    """How every reply goes."""

    rate: float = 50.0
    """Tokens a second."""
    wait: float = 0.0
    """Mean seconds of prefill; each reply's own lies between half and one and a half of it, so
    that the first token meets every phase of whatever is polled."""

    def seconds(self, tokens: int) -> float:
        """From the first token to the last, where nothing holds the source up."""
        return (tokens - 1) / self.rate

    def flags(self) -> list[str]:
        return [f"--{each.name}={getattr(self, each.name)}" for each in fields(self)]


def question(tokens: int) -> str:
    """A question whose reply has that many."""
    return f"What could it be, in {tokens} tokens?"


def read_pattern(argv: Sequence[str] | None = None) -> Pattern:
    """The pattern in a server's command line."""
    parser = argparse.ArgumentParser()
    for each in fields(Pattern):
        parser.add_argument(f"--{each.name}", type=type(each.default), default=each.default)
    return Pattern(**vars(parser.parse_args(argv)))


def source(pattern: Pattern) -> ScriptedBackend:
    """A backend that gives `pattern` to every question. Its waits are the same in every run."""
    jitter, lock = random.Random(1), threading.Lock()  # noqa: S311

    def wait() -> float:
        with lock:
            return pattern.wait * jitter.uniform(0.5, 1.5)

    def script(conversation: Conversation, options: Options) -> Iterator[Step]:
        asked = re.search(r"(\d+) tokens", conversation.turns[-1].text)
        return _reply(int(asked[1]) if asked else 100, pattern.rate, wait())

    return ScriptedBackend(script)


def _reply(tokens: int, rate: float, wait: float) -> Iterator[Step]:
    if wait:
        yield Pause(wait, Stage.READING)
    began = time.monotonic()
    reasoning = tokens // 3
    for n in range(tokens):
        # By the wall, so that a late token does not delay the rest.
        time.sleep(max(0.0, began + n / rate - time.monotonic()))
        text = _token(n, tokens)
        yield ReasoningDelta(text) if n < reasoning else AnswerDelta(text)
    yield Ended(EndReason.FINISHED, Usage(20, tokens, reasoning))


def _token(n: int, tokens: int) -> str:
    if n in (0, tokens - 1):
        return f"{'e' if n else 't'}{time.time_ns() // 1_000} "
    return WORDS[n % len(WORDS)] + ("\n\n" if n % PARAGRAPH == 0 else " ")
