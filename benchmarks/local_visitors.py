"""Several visitors of the local backend at once: how long each waits, and how long all take.

    python -m benchmarks.local_visitors

One is answered at a time and the others queue. This is a gpt-oss of two small layers on the CPU:
how the wait grows with the visitors holds for any model, the seconds for none. Needs
requirements-local.txt, and requirements-dev.txt for the tokenizer.
"""

# torch and its family are not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Barrier

from backend.base import Options
from backend.local import LocalBackend
from benchmarks.report import load, setting, table
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, ReasoningDelta
from settings import Settings

VISITORS = (1, 4, 16)
ROUNDS = 5
TOKENS = 128


@dataclass(frozen=True)
class Seen:
    """Seconds from the question to the first text and to the end, and the tokens of the reply."""

    first: float
    whole: float
    tokens: int


def main(argv: Sequence[str] | None = None) -> int:
    """0 when measured; 2 with one sentence where it cannot be."""
    parser = argparse.ArgumentParser("python -m benchmarks.local_visitors", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.parse_args(argv)
    try:
        from tests.gpt_oss_tokenizer import build_tokenizer, link_tokenizer
        from tests.tiny_gpt_oss import checkpoint
    except ModuleNotFoundError as error:
        needed = "requirements-local.txt -r requirements-dev.txt"
        print(f"{error.name} is missing: pip install -r {needed}", file=sys.stderr)
        return 2
    print(setting())
    print(f"* tiny model on a CPU; {TOKENS} tokens each, {ROUNDS} rounds\n", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = checkpoint(Path(temporary) / "tiny")
        link_tokenizer(build_tokenizer(Path(temporary) / "tokenizer"), folder)
        given = Settings(model_id=str(folder), adapter_id="none")
        with closing(LocalBackend(given, device="cpu", context=1_024)) as backend:
            ask(backend, 0, Barrier(1))
            rows = [row(backend, visitors) for visitors in VISITORS]
    head = ["visitors", "first text, s: median", "last", "whole, s: median", "last", "tokens/s"]
    print(table(head, rows))
    print(f"\nLoad average at the end: {load()}")
    return 0


def row(backend: LocalBackend, visitors: int) -> list[str]:
    """Of every round the visitors are taken together; `tokens/s` is that of all in a round."""
    seen: list[Seen] = []
    speeds: list[float] = []
    for _ in range(ROUNDS):
        together = Barrier(visitors)
        with ThreadPoolExecutor(visitors) as pool:
            asked = [pool.submit(ask, backend, seed, together) for seed in range(visitors)]
            told = [each.result() for each in asked]
        seen += told
        speeds.append(sum(each.tokens for each in told) / max(each.whole for each in told))
    firsts, wholes = [each.first for each in seen], [each.whole for each in seen]
    found = (median(firsts), max(firsts), median(wholes), max(wholes))
    return [str(visitors), *(f"{each:.2f}" for each in found), f"{median(speeds):.0f}"]


def ask(backend: LocalBackend, seed: int, together: Barrier) -> Seen:
    together.wait()
    began, first, tokens = time.monotonic(), 0.0, 0
    options = Options(max_new_tokens=TOKENS, temperature=1.0, seed=seed)
    for event in backend.stream(Conversation.ask("What is asthma?"), options):
        if isinstance(event, ReasoningDelta | AnswerDelta):
            first = first or time.monotonic()
        elif isinstance(event, Ended):
            tokens = event.usage.completion_tokens or 0
    ended = time.monotonic()
    return Seen((first or ended) - began, ended - began, tokens)


if __name__ == "__main__":
    sys.exit(main())
