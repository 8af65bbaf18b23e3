"""What the recipe costs over a plain TRL run: tokens trained a second, and the peak of memory.

    python -m benchmarks.training            # on a CUDA GPU: gpt-oss-20b's full shape, unpacked
    python -m benchmarks.training --tiny     # on a CPU, two layers: shows that it works, no more

The same random weights, adapter, rows of one length and steps, each run in a process of its own.
"plain" is an SFTTrainer with nothing but the recipe's numbers: its loss is on every token, and it
saves nothing, where the recipe's run masks the prompt and is on disk after each step. Tokens a
second are those of the steps after the first. Needs requirements-train.txt, and
requirements-dev.txt for the tokenizer.
"""

# torch and its family are not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.report import load, setting, table

RECIPE = Path("training/recipe.yaml")
WAYS = ("recipe", "plain")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.training", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--tiny", action="store_true", help="two small layers, on the CPU")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if missing := lacking(tiny=given.tiny):
        print(missing, file=sys.stderr)
        return 2
    if given.way:
        print(json.dumps(run(given.way, tiny=given.tiny)))
        return 0
    print(setting(), flush=True)
    told = {way: _alone(way, given.tiny) for way in WAYS}
    about = told["recipe"]
    print(f"* {about['device']}; {about['rows']} rows of {about['length']} tokens a step,", end=" ")
    print(f"{about['steps']} steps\n")
    rows = [
        [way, f"{each['per_second']:.0f}", f"{each['peak'] / 1e9:.2f}"]
        for way, each in told.items()
    ]
    print(table(["run", "tokens/s", "peak memory, GB"], rows), end="\n\n")
    speed, memory = (about[what] / told["plain"][what] for what in ("per_second", "peak"))
    print(f"{speed:.2f} times the tokens/s of plain, {memory:.2f} of its memory")
    print(f"\nLoad average at the end: {load()}")
    return 0


def lacking(*, tiny: bool) -> str | None:
    """Why it cannot be measured here."""
    for name in ("torch", "trl", "bpe_openai"):
        if find_spec(name) is None:
            needed = "requirements-train.txt -r requirements-dev.txt"
            return f"{name} is missing: pip install -r {needed}"
    import torch

    if not tiny and not torch.cuda.is_available():
        return "torch sees no CUDA GPU; --tiny needs none."
    return None


def run(way: str, *, tiny: bool) -> dict[str, Any]:
    """One run, in this process: what `main` prints of it."""
    import torch
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.ends: list[float] = []

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.ends.append(time.perf_counter())

    length, steps = (64, 4) if tiny else (640, 6)
    device = "cpu" if tiny else torch.cuda.get_device_name()
    with tempfile.TemporaryDirectory() as folder:
        trainer, rows = (_recipe if way == "recipe" else _plain)(Path(folder), length, steps, tiny)
        clock = Clock()
        trainer.add_callback(clock)
        trainer.args.max_steps = steps
        trainer.train()
    seconds = clock.ends[-1] - clock.ends[0]
    peak = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if tiny
        else torch.cuda.max_memory_allocated()
    )
    return {
        "per_second": (steps - 1) * rows * length / seconds,
        "peak": peak,
        "device": device,
        "rows": rows,
        "length": length,
        "steps": steps,
    }


def _alone(way: str, tiny: bool) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.training", "--way", way]
    ended = subprocess.run(
        [*command, "--tiny"] if tiny else command, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(ended.stdout.splitlines()[-1])


def _model(tiny: bool) -> Any:
    from benchmarks.random_gpt_oss import SHAPE, make
    from tests.tiny_gpt_oss import config

    model = make(config(2) if tiny else SHAPE, "cpu" if tiny else "cuda", packed=False)
    model.set_attn_implementation("eager")  # the only one with sinks that has a backward
    return model


def _ids(count: int, length: int) -> list[list[int]]:
    drawn = random.Random(0)  # noqa: S311
    return [[drawn.randrange(199_000) for _ in range(length)] for _ in range(count)]


def _recipe(out: Path, length: int, steps: int, tiny: bool) -> tuple[Any, int]:
    """The recipe's own trainer; a third of each row is the prompt."""
    from training.dataset import Example, Examples
    from training.recipe import read_recipe
    from training.train import make_trainer

    recipe = read_recipe(RECIPE)
    rows, asked = recipe.train.batch * recipe.train.accumulation, length // 3
    train = [Example(ids, [-100] * asked + ids[asked:]) for ids in _ids(rows * steps, length)]
    counted: Any = None  # the trainer does not look at it
    home = sys.modules[make_trainer.__module__]
    with mock.patch.object(home, "load_base", return_value=_model(tiny)):
        return make_trainer(recipe, _tokenizer(out), Examples(train, [], [], counted), out), rows


def _plain(out: Path, length: int, steps: int, tiny: bool) -> tuple[Any, int]:
    """As TRL's own examples train an adapter."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    from training.recipe import read_recipe

    recipe = read_recipe(RECIPE)
    how, lora = recipe.train, recipe.lora
    rows = how.batch * how.accumulation
    trainer = SFTTrainer(
        model=_model(tiny),
        args=SFTConfig(
            output_dir=str(out),
            per_device_train_batch_size=how.batch,
            gradient_accumulation_steps=how.accumulation,
            learning_rate=how.learning_rate,
            max_length=how.length,
            gradient_checkpointing=how.checkpointing,
            bf16=not tiny,
            use_cpu=tiny,
            save_strategy="no",
            report_to=[],
        ),
        train_dataset=Dataset.from_list([{"input_ids": ids} for ids in _ids(rows * steps, length)]),
        processing_class=_tokenizer(out),
        peft_config=LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            target_modules=list(lora.targets),
            task_type="CAUSAL_LM",
        ),
    )
    return trainer, rows


def _tokenizer(out: Path) -> Any:
    from transformers import AutoTokenizer

    from tests.gpt_oss_tokenizer import build_tokenizer

    return AutoTokenizer.from_pretrained(build_tokenizer(out / "tokenizer"))


if __name__ == "__main__":
    sys.exit(main())
