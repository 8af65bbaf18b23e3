"""TRL's SFTTrainer around the frozen base and a new adapter, as a recipe says."""

# torch and its family are not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

from pathlib import Path
from typing import Any

from training import processes
from training.base import load_base
from training.checkpoints import mark_whole
from training.dataset import Examples
from training.recipe import Expect, Recipe, RecipeError


def make_trainer(recipe: Recipe, tokenizer: Any, examples: Examples, out: Path) -> Any:
    """Loads the base. Raises `RecipeError`."""
    import torch
    from accelerate import PartialState
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import TrainerCallback
    from trl import SFTTrainer

    class Whole(TrainerCallback):
        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            PartialState().wait_for_everyone()  # each process has a file of its own in it
            if state.is_world_process_zero:
                mark_whole(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    cuda = torch.cuda.is_available()
    config = settings_of(recipe, out, cuda=cuda, heldout=bool(examples.heldout))
    # Onto the GPU at once: unpacked, gpt-oss-20b is larger than the RAM that the recipe asks for.
    model: Any = load_base(recipe.base, {"": processes.place_here()} if cuda else None)

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
    # It would be written with every step: 28 MB and a third of a second, and the base has it.
    trainer.processing_class = None
    # peft writes where the base lay on this machine; others need its name.
    adapted = trainer.model.peft_config["default"]
    adapted.base_model_name_or_path, adapted.revision = recipe.base.model, recipe.base.revision
    return trainer


def settings_of(recipe: Recipe, out: Path, *, cuda: bool, heldout: bool) -> Any:
    """The recipe in TRL's words. Raises `RecipeError`."""
    from trl import SFTConfig

    how = recipe.train
    return SFTConfig(
        output_dir=str(out),
        learning_rate=how.learning_rate,
        per_device_train_batch_size=how.batch,
        per_device_eval_batch_size=1,  # then the loss is the mean over rows, as at the end
        gradient_accumulation_steps=processes.accumulation(how),
        num_train_epochs=how.epochs,
        max_length=None,  # rows that are too long are left out before
        lr_scheduler_type=how.schedule,
        warmup_steps=how.warmup_ratio,
        # TRL would add the router's balance to the loss; the router is frozen, and the loss is to
        # count what the assistant says and nothing else.
        router_aux_loss_coef=0.0,
        optim=how.optimizer if cuda else "adamw_torch",
        weight_decay=how.weight_decay,
        max_grad_norm=how.max_grad_norm,
        seed=how.seed,
        data_seed=how.seed,
        gradient_checkpointing=how.checkpointing,
        bf16=cuda and recipe.base.dtype == "bfloat16",
        use_cpu=not cuda,
        eval_strategy="steps" if heldout else "no",
        eval_steps=how.eval_steps,
        logging_steps=1,
        save_steps=1,
        save_total_limit=2,
        ddp_find_unused_parameters=False,  # every matrix of the adapter is used for every row
        report_to=[],
        packing=False,
        push_to_hub=False,
    )


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
    processes.say(f"parameters: {counted.trainable:,} trainable of {counted.all:,} ({share:.2%})")
    if expect is not None and counted != expect:
        raise RecipeError(
            f"The recipe expects {expect.trainable:,} trainable parameters of {expect.all:,}: this "
            "is another base, or another adapter."
        )
    return counted
