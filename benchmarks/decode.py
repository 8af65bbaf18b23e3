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
import warnings
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.report import load, setting, table

AIM = 4.0


def main(argv: Sequence[str] | None = None) -> int:
    """0 when measured; 2 with one sentence where it cannot be."""
    parser = argparse.ArgumentParser("python -m benchmarks.decode", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--tiny", action="store_true", help="two small layers, on the CPU")
    tiny = parser.parse_args(argv).tiny
    try:
        # Not before: --help needs none of it.
        import torch
        import transformers

        from benchmarks import decode_engines as engines
    except ModuleNotFoundError as error:
        needed = "requirements-local.txt -r requirements-dev.txt"
        print(f"{error.name} is missing: pip install -r {needed}", file=sys.stderr)
        return 2
    if not tiny and not torch.cuda.is_available():
        print("torch sees no CUDA GPU; --tiny needs none.", file=sys.stderr)
        return 2
    plan, missing = engines.chosen(tiny=tiny)
    print(setting())
    print(f"* torch {torch.__version__}, transformers {transformers.__version__}")
    print("* device: " + ("CPU" if tiny else torch.cuda.get_device_name()))
    print(
        f"* experts: {'MXFP4' if plan.packed else 'bf16'}" + (f", as {missing}" if missing else "")
    )
    print(
        f"* {engines.PROMPT} tokens of prompt, {plan.tokens} of reply, {plan.rounds} rounds\n",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on the compiler's first graphs
        step, told = engines.measure(plan, Path(folder))
    report(plan.device, engines.bound(plan), step, told)
    print(f"\nLoad average at the end: {load()}")
    return 0


def report(device: str, limit: tuple[float, float], step: str, told: dict[str, list[Any]]) -> None:
    ours, theirs = told["local backend"], told["generate"]
    bound, bandwidth = limit
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
    if device == "cuda":
        print(f"at least {AIM:g}: {'met' if ratio >= AIM else 'missed'}")
    print(f"bound: {bound:.0f} tokens/s at {bandwidth / 1e12:.3f} TB/s, measured by a copy")


if __name__ == "__main__":
    sys.exit(main())
