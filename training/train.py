"""The fine-tune: `python -m training.train training/recipe.yaml --out runs/medical`.

A LoRA on a frozen base, by TRL's SFTTrainer, from one recipe. Run it again to go on where it
stopped: after every step the adapter, the optimizer and the place in the data are on disk.
`accelerate launch -m training.train …` uses several GPUs.
"""

# torch and its family are not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

import argparse
import errno
import json
import signal
import sys
from pathlib import Path
from typing import Any

from training.base import load_base, load_tokenizer
from training.checkpoints import last_whole, mark_whole
from training.curve import save_curve
from training.dataset import Examples, make_examples
from training.preflight import Lacking, check
from training.recipe import Expect, Recipe, RecipeError, read_recipe
from training.rows import RowError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(given: list[str] | None = None) -> int:
    """0 when trained; 2 with one sentence where it cannot be; 130 where it was stopped."""
    wanted = _arguments(given)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(read_recipe(wanted.recipe), wanted.out, wanted.preflight_only)
    except (RecipeError, RowError, Lacking) as error:
        return _say(str(error), 2)
    except ModuleNotFoundError as error:
        return _say(f"{error.name} is missing: pip install -r requirements-train.txt", 2)
    except KeyboardInterrupt:
        return _say("Stopped. Run the same command again to go on from the last step.", 130)
    except Exception as error:
        if not disk_full(error):
            raise
        return _say("The disk is full. Make room and run the same command again: it goes on.", 2)
    return 0


def disk_full(error: Exception) -> bool:
    """Whether `error` says so: libraries in Rust and C++ say it in their text only."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    return any(f"os error {number}" in str(error) for number in FULL) or any(
        words in str(error)
        for words in ("file write failed", "unexpected pos")  # torch.save
    )


def run(recipe: Recipe, out: Path, preflight_only: bool = False) -> dict[str, Any]:
    """Train as `recipe` says, into `out`; the run's own numbers.

    Raises `RecipeError`, `RowError`, `Lacking`, `OSError`.
    """
    check(recipe, out)
    if preflight_only:
        return {}
    tokenizer = load_tokenizer(recipe.base)
    examples = make_examples(recipe, tokenizer)
    print(f"rows: {examples.counted}", flush=True)
    if not examples.train:
        raise RowError("No row is left to train on.")
    trainer = make_trainer(recipe, tokenizer, examples, out)
    counted = check_parameters(trainer.model, recipe.expect)
    before = trainer.evaluate()["eval_loss"] if examples.heldout else None
    last = last_whole(out)
    if last is not None:
        print(f"going on after step {last.rpartition('-')[2]}", flush=True)
    trainer.train(resume_from_checkpoint=last)
    after = trainer.evaluate()["eval_loss"] if examples.heldout else None
    trainer.save_model(str(out / "adapter"))
    numbers: dict[str, Any] = {
        "name": recipe.name,
        "rows": str(examples.counted),
        "parameters": {"trainable": counted.trainable, "all": counted.all},
        "heldout": len(examples.heldout),
        "loss": {"base": before, "adapter": after},
        "steps": trainer.state.global_step,
    }
    if trainer.is_world_process_zero():
        save_curve(trainer.state.log_history, out)
        (out / "run.json").write_text(json.dumps(numbers, indent=1) + "\n", "utf-8")
    return numbers


def make_trainer(recipe: Recipe, tokenizer: Any, examples: Examples, out: Path) -> Any:
    """TRL's trainer around the frozen base and the new adapter."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Whole(TrainerCallback):
        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.is_world_process_zero:
                mark_whole(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    how, cuda = recipe.train, torch.cuda.is_available()
    model: Any = load_base(recipe.base)
    # TRL would add the router's balance to the loss; the router is frozen, and the loss is to
    # count what the assistant says and nothing else.
    experts = hasattr(model.config, "output_router_logits")
    config = SFTConfig(
        output_dir=str(out),
        learning_rate=how.learning_rate,
        per_device_train_batch_size=how.batch,
        per_device_eval_batch_size=how.batch,
        gradient_accumulation_steps=how.accumulation,
        num_train_epochs=how.epochs,
        max_length=None,  # rows that are too long are left out before
        lr_scheduler_type=how.schedule,
        warmup_steps=how.warmup_ratio,
        router_aux_loss_coef=0.0 if experts else None,
        optim=how.optimizer if cuda else "adamw_torch",
        weight_decay=how.weight_decay,
        max_grad_norm=how.max_grad_norm,
        seed=how.seed,
        data_seed=how.seed,
        gradient_checkpointing=how.checkpointing,
        bf16=cuda and recipe.base.dtype == "bfloat16",
        use_cpu=not cuda,
        eval_strategy="steps" if examples.heldout else "no",
        eval_steps=how.eval_steps,
        logging_steps=1,
        save_steps=1,
        save_total_limit=2,
        report_to=[],
        packing=False,
        push_to_hub=False,
    )

    def rows(of: list[Any]) -> Any:
        return Dataset.from_list([{"input_ids": e.input_ids, "labels": e.labels} for e in of])

    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    trainer = SFTTrainer(
        model=model,
        args=config,
        train_dataset=rows(examples.train),
        eval_dataset=rows(examples.heldout) if examples.heldout else None,
        processing_class=tokenizer,
        peft_config=lora_config(recipe, LoraConfig),
        callbacks=[Whole()],
    )
    # peft writes where the base lay on this machine; others need its name.
    adapted = trainer.model.peft_config["default"]
    adapted.base_model_name_or_path, adapted.revision = recipe.base.model, recipe.base.revision
    return trainer


def lora_config(recipe: Recipe, kind: Any) -> Any:
    lora = recipe.lora
    return kind(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets),
        bias="none",
        task_type="CAUSAL_LM",
    )


def check_parameters(model: Any, expect: Expect | None) -> Expect:
    """How many parameters `model` has. Raises `RecipeError` where the recipe expects others."""
    counted = Expect(
        trainable=sum(p.numel() for p in model.parameters() if p.requires_grad),
        all=sum(p.numel() for p in model.parameters()),
    )
    share = counted.trainable / counted.all
    print(f"parameters: {counted.trainable:,} trainable of {counted.all:,} ({share:.2%})")
    if expect is not None and counted != expect:
        raise RecipeError(
            f"The recipe expects {expect.trainable:,} trainable parameters of {expect.all:,}: this "
            "is another base, or another adapter."
        )
    return counted


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m training.train", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("recipe", type=Path, help="a YAML file, such as training/recipe.yaml")
    parser.add_argument("--out", type=Path, help="the run's folder; default runs/<recipe's name>")
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
