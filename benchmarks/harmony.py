"""How fast harmony text is read, and whether the cost grows with the length.

    python -m benchmarks.harmony [--quick]

Characters per second at 1 kB, 10 kB, 100 kB and 1 MB, all from one run:

- ours, in pieces of 4 characters (about a token) and in one piece;
- openai-harmony's StreamableParser, token by token, where that package and bpe-openai are
  installed (tokenizing is not counted, nor is detokenizing for us: each gets what it reads);
- the plain alternative: keep the text, and at each piece match the whole of it with one regular
  expression. It is stopped at `NAIVE_LIMIT`.

Each figure is the best of up to five rounds within `PATIENCE`. The last column is the seconds per
character at that size over those at the smallest: 1.0 is linear, less is a fixed cost shared.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import os
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from chat.events import Ended, EndReason
from chat.harmony import HarmonyReader

SIZES = (1_000, 10_000, 100_000, 1_000_000)
NAIVE_LIMIT = 100_000
"""Characters; its cost grows with the square, and 1 MB would take an hour."""
PATIENCE = 3.0
"""Seconds after which no further round begins."""
TOKEN = 4

Prepare = Callable[[int], Callable[[], None]]
"""Makes the run that is timed, for a reply of so many characters."""

SENTENCE = "Serum potassium is 6.8 mmol/L, so an ECG comes first: peaked T waves? p < 0.05. "
NAIVE = re.compile(
    r"<\|channel\|>analysis<\|message\|>(.*?)(?:<\|end\|>.*?final<\|message\|>(.*))?$", re.DOTALL
)


def reply(size: int) -> str:
    """A reply of `size` characters, two thirds of them reasoning."""
    head, middle = "<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final"
    room = size - len(head + middle + "<|message|><|return|>")
    text = (SENTENCE * (room // len(SENTENCE) + 1))[:room]
    cut = 2 * room // 3
    return f"{head}{text[:cut]}{middle}<|message|>{text[cut:]}<|return|>"


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def ours(stream: Sequence[str]) -> None:
    reader = HarmonyReader()
    for piece in stream:
        reader.feed(piece)
    if reader.finish()[-1] != Ended(EndReason.FINISHED):
        raise RuntimeError("the reply was not read to its end")


def naive(stream: Sequence[str]) -> None:
    text = ""
    for piece in stream:
        text += piece
        NAIVE.match(text)


def official() -> tuple[Callable[[str], list[int]], Callable[[list[int]], None]] | None:
    """A tokenizer and a reader of tokens, or None where the packages are missing."""
    ranks = importlib.util.find_spec("bpe_openai")
    if ranks is None or ranks.origin is None or importlib.util.find_spec("openai_harmony") is None:
        return None
    from openai_harmony import HarmonyEncodingName, Role, StreamableParser, load_harmony_encoding

    packed = Path(ranks.origin).parent / "data" / "o200k_base.tiktoken.gz"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "o200k_base.tiktoken").write_bytes(gzip.decompress(packed.read_bytes()))
        os.environ["TIKTOKEN_ENCODINGS_BASE"] = folder
        encoding = load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)

    def tokenize(text: str) -> list[int]:
        # In parts, because tokenizing one long piece is quadratic there.
        parts = pieces(text, 4_000)
        return [t for part in parts for t in encoding.encode(part, allowed_special="all")]

    def read(tokens: list[int]) -> None:
        parser = StreamableParser(encoding, role=Role.ASSISTANT)
        for token in tokens:
            parser.process(token)
            _ = parser.last_content_delta

    return tokenize, read


def best(run: Callable[[], None], rounds: int = 5) -> float:
    """Seconds of the quickest round."""
    began = time.perf_counter()
    times: list[float] = []
    while len(times) < rounds and time.perf_counter() - began < PATIENCE:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def report(name: str, prepare: Prepare, sizes: Sequence[int]) -> dict[int, float]:
    """One line for each size, and the characters per second. Preparing is not timed."""
    speeds: dict[int, float] = {}
    for size in sizes:
        speeds[size] = size / best(prepare(size))
        growth = speeds[sizes[0]] / speeds[size]
        print(f"{name:<36} {size:>9,} {speeds[size]:>15,.0f} {growth:>8.2f}", flush=True)
    return speeds


def by(read: Callable[[Sequence[str]], None], cut: int | None) -> Prepare:
    def prepare(size: int) -> Callable[[], None]:
        stream = pieces(reply(size), cut or size)
        return lambda: read(stream)

    return prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="up to 10 kB only")
    sizes = SIZES[:2] if parser.parse_args().quick else SIZES
    print(f"{'':<36} {'chars':>9} {'chars/s':>15} {'growth':>8}")
    small = report(f"HarmonyReader, {TOKEN}-character pieces", by(ours, TOKEN), sizes)
    report("HarmonyReader, one piece", by(ours, None), sizes)
    if (library := official()) is None:
        print("StreamableParser: openai-harmony and bpe-openai are not installed")
    else:
        tokenize, read = library

        def prepare(size: int) -> Callable[[], None]:
            tokens = tokenize(reply(size))
            return lambda: read(tokens)

        report("openai-harmony StreamableParser", prepare, sizes)
    below = [size for size in sizes if size <= NAIVE_LIMIT]
    plain = report(f"regex over all, {TOKEN}-character pieces", by(naive, TOKEN), below)
    ratios = ", ".join(f"{small[size] / plain[size]:,.1f} at {size:,}" for size in below)
    print(f"HarmonyReader against regex over all, times as fast: {ratios} characters")


if __name__ == "__main__":
    main()
