"""What the local backend gains over transformers' own `generate` with its text streamer.

    python -m benchmarks.decode            # on a CUDA GPU: gpt-oss-20b's full shape
    python -m benchmarks.decode --tiny     # on a CPU, two layers: shows that it works, no more

Both use the same weights, random and made on the device, the same prompt and number of tokens, in
turns, in one process. Experts are in MXFP4 where this machine can compute in it, else in bf16.
Tokens per second are those after the first, over the time from the first to the last; the time to
the first token is from the question's ids to its text. The bound is what the memory could deliver
if a token's weights were all that was ever read, with the bandwidth of a copy measured here.
Needs requirements-local.txt, and requirements-dev.txt for the tokenizer.
"""

# torch and its family are not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
import transformers

from backend import mxfp4
from backend.base import Options
from backend.decoder import Decoder, Speed
from backend.kv_cache import register
from backend.token_reader import TokenReader, Vocabulary
from backend.weights import read_vocabulary
from benchmarks.random_gpt_oss import SHAPE, make, step_bytes
from benchmarks.report import load, setting, table
from chat.events import EndReason
from tests.gpt_oss_tokenizer import build_tokenizer
from tests.tiny_gpt_oss import config as tiny_shape

PROMPT = 500
AIM = 4.0


@dataclass(frozen=True)
class Told:
    """One reply: seconds to the first text, tokens a second from then on."""

    first: float
    per_second: float


@dataclass(frozen=True)
class Plan:
    shape: dict[str, Any]
    device: str
    packed: bool
    rounds: int
    tokens: int
    context: int


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.decode")
    parser.add_argument("--tiny", action="store_true", help="two small layers, on the CPU")
    tiny = parser.parse_args(argv).tiny
    if not tiny and not torch.cuda.is_available():
        print("torch sees no CUDA GPU; --tiny needs none.", file=sys.stderr)
        return 2
    missing = None if tiny else mxfp4.obstacle()
    plan = (
        Plan(tiny_shape(2), "cpu", False, 3, 64, 1_024)
        if tiny
        else Plan(SHAPE, "cuda", missing is None, 5, 256, 8_192)
    )
    print(setting())
    print(f"* torch {torch.__version__}, transformers {transformers.__version__}")
    print("* device: " + ("CPU" if tiny else torch.cuda.get_device_name()))
    print(
        f"* experts: {'MXFP4' if plan.packed else 'bf16'}" + (f", as {missing}" if missing else "")
    )
    print(
        f"* {PROMPT} tokens of prompt, {plan.tokens} of reply, {plan.rounds} rounds\n", flush=True
    )
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on the compiler's first graphs
        report(plan, *measure(plan, build_tokenizer(Path(folder))))
    print(f"\nLoad average at the end: {load()}")
    return 0


def measure(plan: Plan, tokenizer: Path) -> tuple[str, dict[str, list[Told]]]:
    """How our step is run, and every reply of both."""
    model = make(plan.shape, plan.device, packed=plan.packed)
    model.set_attn_implementation(register())
    wanted = Speed.GRAPH if plan.packed else Speed.COMPILED
    decoder = Decoder(model, plan.context, plan.device, wanted)
    decoder.warm_up()
    vocabulary = read_vocabulary(tokenizer)
    plain = transformers.AutoTokenizer.from_pretrained(tokenizer)
    ids: list[int] = torch.randint(0, 199_000, (PROMPT,), generator=torch.manual_seed(1)).tolist()
    engines: dict[str, Callable[[int], Told]] = {
        "local backend": lambda tokens: _ours(decoder, model, vocabulary, ids, tokens),
        "generate": lambda tokens: _theirs(model, plain, ids, tokens),
    }
    told: dict[str, list[Told]] = {name: [] for name in engines}
    for engine in engines.values():
        engine(8)
    for number in range(plan.rounds):
        for name, engine in engines.items():
            told[name].append(engine(plan.tokens))
        print(f"round {number + 1} of {plan.rounds}, load {load()}", file=sys.stderr, flush=True)
    return decoder.speed.value, told


def report(plan: Plan, step: str, told: dict[str, list[Told]]) -> None:
    ours, theirs = told["local backend"], told["generate"]
    bandwidth = _bandwidth(plan.device)
    bound = bandwidth / step_bytes(plan.shape, packed=plan.packed)
    rows = [
        [
            f"{name}, {step}" if each is ours else f"{name} + TextIteratorStreamer",
            f"{median(one.per_second for one in each):.1f}",
            f"{max(one.per_second for one in each):.1f}",
            f"{median(one.first for one in each) * 1000:.1f}",
            f"{median(one.per_second for one in each) / bound:.1%}",
        ]
        for name, each in told.items()
    ]
    head = ["engine", "tokens/s, median", "best", "first token, ms, median", "of the bound"]
    print(table(head, rows), end="\n\n")
    ratio = median(a.per_second / b.per_second for a, b in zip(ours, theirs, strict=True))
    first = median(a.first / b.first for a, b in zip(ours, theirs, strict=True))
    print(f"{ratio:.2f} times the tokens/s of generate, {first:.2f} of its time to the first token")
    if plan.device == "cuda":
        print(f"at least {AIM:g}: {'met' if ratio >= AIM else 'missed'}")
    print(f"bound: {bound:.0f} tokens/s at {bandwidth / 1e12:.3f} TB/s, measured by a copy")


def _ours(decoder: Decoder, model: Any, vocabulary: Vocabulary, ids: list[int], n: int) -> Told:
    model.set_attn_implementation(register())
    reader, began, first = TokenReader(vocabulary), time.perf_counter(), 0.0
    for token in decoder.generate(ids, n, Options(temperature=1.0, seed=1)):
        reader.feed(token)
        first = first or time.perf_counter()
    reader.finish(EndReason.LENGTH, len(ids))
    return Told(first - began, (n - 1) / (time.perf_counter() - first))


def _theirs(model: Any, tokenizer: Any, ids: list[int], n: int) -> Told:
    """As the model card's own example streams."""
    model.set_attn_implementation("eager")
    prompt = torch.tensor([ids], device=model.device)
    streamer = transformers.TextIteratorStreamer(tokenizer, skip_prompt=True)
    given = {"input_ids": prompt, "attention_mask": torch.ones_like(prompt), "max_new_tokens": n}
    began, first = time.perf_counter(), 0.0
    thread = threading.Thread(
        target=model.generate, kwargs={**given, "do_sample": True, "streamer": streamer}
    )
    thread.start()
    for _ in streamer:  # "" while a word is not whole: it counts as the first sign too
        first = first or time.perf_counter()
    ended = time.perf_counter()
    thread.join()
    return Told(first - began, (n - 1) / (ended - first))


def _bandwidth(device: str) -> float:
    """Bytes a second that a copy reads and writes, the best of ten."""
    source = torch.empty(10**9 if device == "cuda" else 10**8, dtype=torch.uint8, device=device)
    target, best = torch.empty_like(source), 0.0
    for _ in range(10):
        began = time.perf_counter()
        target.copy_(source)
        if device == "cuda":
            torch.cuda.synchronize()
        best = max(best, 2 * source.numel() / (time.perf_counter() - began))
    return best


if __name__ == "__main__":
    sys.exit(main())
