"""Whether this machine can carry a run, asked before anything is downloaded."""

# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import os
import shutil
from pathlib import Path

from training import processes
from training.recipe import Recipe

GB = 10**9


class Lacking(RuntimeError):
    """The machine has too little of something, and how much is needed."""


def check(recipe: Recipe, out: Path) -> None:
    """Prints what is there and what is needed; makes nothing. Raises `Lacking`, `OSError`."""
    needs = recipe.needs
    have = {
        "GPU memory": (_gpu_bytes(), needs.gpu_gb),
        "RAM": (os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), needs.ram_gb),
        "free disk": (_disk_bytes(recipe, out), needs.disk_gb),
    }
    for name, (there, needed) in have.items():
        processes.say(f"{name}: {there / GB:.1f} GB here, {needed:g} GB needed")
    # A machine sold as 32 GB shows a little less.
    short = [
        f"{there / GB:.1f} GB of {name} where {needed:g} are needed"
        for name, (there, needed) in have.items()
        if there < 0.93 * needed * GB
    ]
    if short:
        raise Lacking(
            f"For {recipe.name} this machine has {' and '.join(short)}: rent a larger one, or "
            "train the small model with training/embedded.yaml."
        )


def _gpu_bytes() -> int:
    """The memory of this process's GPU; 0 without one."""
    import torch

    if not torch.cuda.is_available():
        return 0
    return torch.cuda.get_device_properties(processes.place_here()).total_memory


def _disk_bytes(recipe: Recipe, out: Path) -> int:
    """What is free for the run and for the base's copy from the hub, and what they already have:
    a run that goes on has fetched it."""
    from huggingface_hub.constants import HF_HUB_CACHE

    cache = Path(HF_HUB_CACHE)
    fetched = cache / f"models--{recipe.base.model.replace('/', '--')}"
    used = sum(
        file.stat().st_size
        for folder in (out, fetched)
        for file in folder.rglob("*")
        if file.is_file() and not file.is_symlink()
    )
    return used + min(shutil.disk_usage(_there(place)).free for place in (out, cache))


def _there(place: Path) -> Path:
    """It, or the folder that it would be made in."""
    place = place.absolute()
    return next(each for each in (place, *place.parents) if each.exists())
