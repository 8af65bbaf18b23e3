"""Which of several processes this is: `accelerate launch` starts one for each GPU.

Read from the environment that the launcher sets (torch's elastic agent), so that it is known before
torch is imported. Without a launcher there is one process, and it is the first.
"""

from __future__ import annotations

import os

from training.recipe import RecipeError, Train


def count() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def place_here() -> int:
    """Its number among those of this machine, which is its GPU's too."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def first() -> bool:
    """Whether this is the one that prints, writes and pushes."""
    return os.environ.get("RANK", "0") == "0"


def say(sentence: str) -> None:
    if first():
        print(sentence, flush=True)


def one_gpu_each() -> None:
    """Call before torch is imported. Without a launcher, transformers would else split each batch
    over every GPU of the machine, and a step would have more rows than the recipe says."""
    if "LOCAL_RANK" not in os.environ:
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")


def quiet_unless_first() -> None:
    """One process's warnings and bars are enough."""
    if not first():
        from transformers.utils import logging  # pyright: ignore

        logging.set_verbosity_error()  # pyright: ignore
        logging.disable_progress_bar()  # pyright: ignore


def accumulation(train: Train) -> int:
    """Batches a process adds up, so that a step has the recipe's rows on any number of GPUs.

    Raises `RecipeError` where they cannot be shared out evenly.
    """
    each, rest = divmod(train.accumulation, count())
    if rest or not each:
        raise RecipeError(
            f"A step has {train.accumulation} batches of {train.batch} rows, which {count()} "
            "processes cannot share evenly: launch a number of them that divides "
            f"{train.accumulation}."
        )
    return each
