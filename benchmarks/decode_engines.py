"""The two engines that `benchmarks.decode` compares, and what the memory could deliver."""

# torch and its family are not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
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
from benchmarks.report import load
from chat.events import EndReason
from tests.gpt_oss_tokenizer import build_tokenizer
from tests.tiny_gpt_oss import config as tiny_shape

PROMPT = 500


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


def chosen(*, tiny: bool) -> tuple[Plan, str | None]:
    """What will be run, and why its experts are not in MXFP4 where a GPU cannot."""
    if tiny:
        return Plan(tiny_shape(2), "cpu", False, 3, 64, 1_024), None
    missing = mxfp4.obstacle()
    return Plan(SHAPE, "cuda", missing is None, 5, 256, 8_192), missing


def measure(plan: Plan, folder: Path) -> tuple[str, dict[str, list[Told]]]:
    """How our step is run, and every reply of both. `folder` is for the tokenizer."""
    tokenizer = build_tokenizer(folder)
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


def bound(plan: Plan) -> tuple[float, float]:
    """Tokens a second if a token's weights were all that is ever read, and the bandwidth in bytes a
    second that this takes: what a copy reads and writes, the best of ten."""
    device = plan.device
    source = torch.empty(10**9 if device == "cuda" else 10**8, dtype=torch.uint8, device=device)
    target, best = torch.empty_like(source), 0.0
    for _ in range(10):
        began = time.perf_counter()
        target.copy_(source)
        if device == "cuda":
            torch.cuda.synchronize()
        best = max(best, 2 * source.numel() / (time.perf_counter() - began))
    return best / step_bytes(plan.shape, packed=plan.packed), best
