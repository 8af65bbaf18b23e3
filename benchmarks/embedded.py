"""What our backend costs over raw llama.cpp, and what llama.cpp gains over transformers.

    python -m benchmarks.embedded [--quick] [--torch PYTHON]

The same prompt, token count and sampling, in turns, in one run. `--torch` names a Python that has
torch, transformers and gguf; without it that comparison is made only if this one has them.
Tokens per second are those after the first, over the time from the first to the last.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import xllamacpp

from backend.base import Options
from backend.embedded import EmbeddedBackend
from backend.fetching import Fetching
from backend.llama import _threads as our_threads  # pyright: ignore[reportPrivateUsage]
from backend.model_file import obtain
from backend.prompt import write_prompt
from backend.stages import PLAIN
from benchmarks.report import aim, load, setting, table
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, ReasoningDelta
from settings import Settings

QUESTION = "Explain how the renin-angiotensin-aldosterone system regulates blood pressure."
TEMPERATURE = 0.3
REPEAT_PENALTY = 1.15


@dataclass(frozen=True)
class Speed:
    """One reply. `first` is the time to the first token in seconds."""

    first: float
    per_second: float


Engine = Callable[[int], Speed]
"""Generates as many tokens as it is given."""


def main() -> None:
    flags = argparse.ArgumentParser(prog="benchmarks.embedded")
    flags.add_argument("--quick", action="store_true", help="one short round")
    flags.add_argument("--torch", default=sys.executable, help="a Python with torch")
    given = flags.parse_args()
    rounds, tokens, few = (1, 96, 24) if given.quick else (7, 384, 96)
    path = obtain(Settings(), Fetching(lambda share: None, threading.Event())).path
    with ExitStack() as stack:
        backend = stack.enter_context(_ours(Settings(embedded_model=str(path))))
        shipped = stack.enter_context(_ours(Settings()))
        engines: dict[str, tuple[Engine, int]] = {
            "our backend": (lambda n: _ask(backend, n), tokens),
            "our backend with the shipped adapter": (lambda n: _ask(shipped, n), tokens),
        }
        prompt = _prompt(backend)
        raw = stack.enter_context(_raw(path, prompt, same=True))
        engines["raw xllamacpp, our settings"] = (raw, tokens)
        plain = stack.enter_context(_raw(path, prompt, same=False))
        engines["raw xllamacpp, its defaults"] = (plain, tokens)
        if _has_torch(given.torch):
            torch = stack.enter_context(_transformers(given.torch, path, prompt))
            engines["transformers fp32"] = (torch, few)
        _report(_measure(engines, rounds))


def _measure(engines: dict[str, tuple[Engine, int]], rounds: int) -> dict[str, list[Speed]]:
    speeds: dict[str, list[Speed]] = {name: [] for name in engines}
    for engine, _ in engines.values():
        engine(16)  # warm
    for number in range(rounds):
        for name, (engine, tokens) in engines.items():
            speeds[name].append(engine(tokens))
        print(f"round {number + 1} of {rounds}, load {load()}", file=sys.stderr, flush=True)
    return speeds


def _report(speeds: dict[str, list[Speed]]) -> None:
    print(setting())
    print()
    rows: list[Sequence[str]] = []
    for name, each in speeds.items():
        rates = [speed.per_second for speed in each]
        first = median(speed.first for speed in each)
        rows.append((name, f"{median(rates):.1f}", f"{max(rates):.1f}", f"{first * 1000:.0f}"))
    print(table(("engine", "tokens/s, median", "best", "first token, ms, median"), rows))
    print()
    # Each round's engines ran one after the other, so that a ratio is of neighbours.
    ours = speeds["our backend"]
    for name, each in speeds.items():
        if each is not ours:
            ratio = median(a.per_second / b.per_second for a, b in zip(ours, each, strict=True))
            first = median(a.first / b.first for a, b in zip(ours, each, strict=True))
            print(f"our backend over {name}: {ratio:.2f} times the tokens/s, {first:.2f} the TTFT")
            if name == "raw xllamacpp, our settings":
                print(f"lost: {(1 - ratio) * 100:.1f} %; {aim((1 - ratio) * 100, 5)}")
            if name == "transformers fp32":
                print(f"at least 4: {'met' if ratio >= 4 else 'missed'}")


@contextmanager
def _ours(settings: Settings) -> Iterator[EmbeddedBackend]:
    backend = EmbeddedBackend.from_settings(settings)
    try:
        yield backend
    finally:
        backend.close()


def _ask(backend: EmbeddedBackend, tokens: int) -> Speed:
    options = Options(max_new_tokens=tokens, temperature=TEMPERATURE, top_p=1.0, seed=1)
    began, first = time.perf_counter(), 0.0
    for event in backend.stream(Conversation.ask(QUESTION), options):
        if isinstance(event, ReasoningDelta | AnswerDelta):
            first = first or time.perf_counter()
        if isinstance(event, Ended):
            counted = event.usage.completion_tokens or 0
            return Speed(first - began, (counted - 1) / (time.perf_counter() - first))
    raise RuntimeError("no end")


def _prompt(backend: EmbeddedBackend) -> list[int]:
    """The prompt of the first stage."""
    while (loaded := backend._loading.wait(60.0)) is None:  # pyright: ignore[reportPrivateUsage]
        continue
    written = write_prompt(loaded.llama, Conversation.ask(QUESTION), follow_up=PLAIN.follow_up)
    return written.head + loaded.llama.tokenise(PLAIN.opening, special=False)


@contextmanager
def _raw(path: Path, prompt: list[int], *, same: bool) -> Iterator[Engine]:
    """xllamacpp without anything of ours, with our settings or with its own."""
    wanted = xllamacpp.CommonParams()
    wanted.model.path, wanted.verbosity, wanted.n_ctx = str(path), -1, 8_192
    if same:
        wanted.n_parallel, wanted.n_batch, wanted.n_ubatch = 2, 32, 32
        wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = our_threads()
        wanted.flash_attn_type, wanted.cache_type_k = 0, 8
    with tempfile.TemporaryDirectory() as folder:
        wanted.hostnames = [str(Path(folder) / "s.sock")]
        server = xllamacpp.Server(wanted)

        def run(tokens: int) -> Speed:
            times: list[float] = []

            def take(chunk: dict[str, Any]) -> bool:
                times.append(time.perf_counter())
                return False

            request = {
                "prompt": prompt, "n_predict": tokens, "stream": True, "cache_prompt": False,
                "ignore_eos": True, "temperature": TEMPERATURE, "top_p": 1.0, "top_k": 40,
                "min_p": 0.05, "repeat_penalty": REPEAT_PENALTY, "repeat_last_n": 64, "seed": 1,
            }  # fmt: skip
            began = time.perf_counter()
            server.handle_completions(request, take)
            return Speed(times[0] - began, (tokens - 1) / (times[-1] - times[0]))

        yield run


@contextmanager
def _transformers(python: str, path: Path, prompt: list[int]) -> Iterator[Engine]:
    """transformers in a process of its own, idle while others run."""
    program = Path(__file__).with_name("transformers_engine.py")
    command = [python, str(program), str(path)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        asked, told = process.stdin, process.stdout
        assert asked is not None
        assert told is not None

        def run(tokens: int) -> Speed:
            print(json.dumps({"prompt": prompt, "tokens": tokens}), file=asked, flush=True)
            return Speed(**json.loads(told.readline()))

        yield run
        asked.close()


def _has_torch(python: str) -> bool:
    if python == sys.executable:
        return all(importlib.util.find_spec(name) for name in ("torch", "transformers", "gguf"))
    return True


if __name__ == "__main__":
    main()
