"""The fine-tune: `python -m training.train training/recipe.yaml --out runs/medical`.

A LoRA on a frozen base, by TRL's SFTTrainer, from one recipe. Run it again to go on where it
stopped: after every step the adapter, the optimizer and the place in the data are on disk. The
run's folder gets `adapter/` with its card, `run.json`, `loss.json` and `loss.png`.

On several GPUs, here four, with the same rows in each step:
`accelerate launch --multi_gpu --num_processes 4 -m training.train training/recipe.yaml`
"""

# torch and its family are not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
import signal
import sys
from pathlib import Path

from training import processes
from training.base import load_tokenizer
from training.begun import hold_to
from training.card import write_card
from training.checkpoints import last_whole
from training.curve import save_curve
from training.dataset import make_examples
from training.disk import SENTENCE, disk_full
from training.heldout import row_losses
from training.preflight import Lacking, check
from training.push import PushError, open_repository, push
from training.recipe import Recipe, RecipeError, Source, read_recipe
from training.record import Done, note_commit, record
from training.rows import HERE, RowError, present
from training.trainer import check_parameters, make_trainer


def main(given: list[str] | None = None) -> int:
    """0 when trained; 2 with one sentence where it cannot be; 130 where it was stopped."""
    wanted = _arguments(given)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    processes.one_gpu_each()
    try:
        recipe = read_recipe(wanted.recipe)
        if wanted.rows is not None:
            recipe = dataclasses.replace(recipe, data=(Source(jsonl=str(wanted.rows)),))
        if wanted.preflight_only:
            check(recipe, wanted.out)
        else:
            run(recipe, wanted.out, command(wanted.recipe, wanted.rows), wanted.push)
    except (RecipeError, RowError, Lacking, PushError) as error:
        return _say(str(error), 2)
    except ModuleNotFoundError as error:
        return _say(f"{error.name} is missing: pip install -r requirements-train.txt", 2)
    except KeyboardInterrupt:
        again = "Stopped. Run the same command again to go on from the last step."
        return _say(again, 130) if processes.first() else 130
    except Exception as error:
        if not disk_full(error):
            raise
        return _say(SENTENCE, 2)
    return 0


def run(recipe: Recipe, out: Path, command: str, push_to: str | None = None) -> None:
    """Train as `recipe` says, into `out`: the adapter with its card, `run.json`, the loss.

    `command` is what the card says that it was made with; `push_to` a repository of the hub.
    Raises `RecipeError`, `RowError`, `Lacking`, `PushError`, `OSError`.
    """
    # What is not there is no part of this run, and its card must not say that it was.
    recipe = dataclasses.replace(recipe, evaluation=present(recipe.evaluation))
    check(recipe, out)
    out.mkdir(parents=True, exist_ok=True)
    processes.quiet_unless_first()
    if push_to is not None and processes.first():
        open_repository(push_to)  # not after hours that it would be missing for
    tokenizer = load_tokenizer(recipe.base)
    examples = make_examples(recipe, tokenizer)
    processes.say(f"rows: {examples.counted}")
    if not examples.train:
        raise RowError("No row is left to train on.")
    hold_to(recipe, examples, out, write=processes.first())
    if processes.first():
        note_commit(out)
    trainer = make_trainer(recipe, tokenizer, examples, out)
    counted = check_parameters(trainer.model, recipe.expect)
    losses = {"base": row_losses(trainer, examples.heldout, "the base")}
    last = last_whole(out)
    if last is not None:
        processes.say(f"going on after step {last.rpartition('-')[2]}")
    trainer.train(resume_from_checkpoint=last)
    losses["adapter"] = row_losses(trainer, examples.heldout, "the adapter")
    trainer.save_model(str(out / "adapter"))
    if processes.first():
        save_curve(trainer.state.log_history, losses, out)
        done = Done(command, examples.counted, counted, losses, trainer.state.global_step)
        numbers = record(recipe, done, out)
        (out / "run.json").write_text(json.dumps(numbers, indent=1) + "\n", "utf-8")
        write_card(numbers, out)
        if push_to is not None:
            processes.say(f"pushed to {push(out, push_to)}")


def command(recipe: Path, rows: Path | None) -> str:
    """What somebody else would type; where files lie on this machine is left out."""
    inside = recipe.resolve().is_relative_to(HERE)
    words = [str(recipe.resolve().relative_to(HERE)) if inside else recipe.name]
    words += ["--rows", rows.name] if rows is not None else []
    several = processes.count() > 1
    launcher = (
        f"accelerate launch --multi_gpu --num_processes {processes.count()}"
        if several
        else "python"
    )
    return f"{launcher} -m training.train {shlex.join(words)}"


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m training.train", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("recipe", type=Path, help="a YAML file, such as training/recipe.yaml")
    parser.add_argument("--out", type=Path, help="the run's folder; default runs/<recipe's name>")
    parser.add_argument(
        "--rows",
        type=Path,
        help="a JSONL file, or a folder of them, instead of the recipe's rows: an object a line, "
        "with question, reasoning and answer",
    )
    parser.add_argument(
        "--push",
        metavar="OWNER/NAME",
        help="when it is trained, put adapter and card on the hub, in a private repository; needs "
        "HF_TOKEN. Nothing else is pushed",
    )
    parser.add_argument(
        "--preflight-only", action="store_true", help="say whether this machine suffices, and stop"
    )
    wanted = parser.parse_args(given)
    wanted.out = wanted.out or Path("runs") / wanted.recipe.stem
    return wanted


def _say(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
