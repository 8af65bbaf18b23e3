"""What a run was begun with, so that it never goes on with anything else.

Two hashes in the run's folder: of what the recipe says about base, adapter and training, and of the
rows as the model reads them. Not of what a row's source is called, nor of the machine's size.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from training.checkpoints import last_whole
from training.dataset import Examples
from training.recipe import Recipe, RecipeError

BEGUN = "begun.json"


def hold_to(recipe: Recipe, examples: Examples, out: Path, *, write: bool) -> None:
    """Note them where no step was made yet; else compare. One process of several writes.

    Raises `RecipeError` where the run in `out` was begun with another recipe or other rows.
    """
    now = {"recipe": _recipe(recipe), "rows": _rows(examples)}
    place = out / BEGUN
    if last_whole(out) is None:
        if write:
            half = place.with_suffix(".partial")
            half.write_text(json.dumps(now) + "\n", "utf-8")
            os.replace(half, place)
        return
    try:
        then = json.loads(place.read_text("utf-8"))
        changed = [name for name, value in now.items() if then[name] != value]
    except (OSError, ValueError, KeyError, TypeError):
        changed = ["recipe"]
    if changed:
        what = " and ".join({"recipe": "another recipe", "rows": "other rows"}[c] for c in changed)
        raise RecipeError(
            f"{out.name} holds a run that was begun with {what}: name another folder with --out, "
            "or go on with what it was begun with."
        )


def _recipe(recipe: Recipe) -> str:
    base = asdict(recipe.base) | {"model": _plain(recipe.base.model), "name_on_hub": None}
    content = {"base": base, "lora": asdict(recipe.lora), "train": asdict(recipe.train)}
    return _sha256([json.dumps(content, sort_keys=True)])


def _plain(model: str) -> str:
    """Without the place of a folder on this machine, which may move."""
    return Path(model).name if Path(model).is_absolute() else model


def _rows(examples: Examples) -> str:
    parts = (("train", examples.train), ("heldout", examples.heldout))
    return _sha256(
        json.dumps([name, each.input_ids, each.labels]) for name, part in parts for each in part
    )


def _sha256(texts: Iterable[str]) -> str:
    found = hashlib.sha256()
    for text in texts:
        found.update(text.encode() + b"\n")
    return found.hexdigest()
