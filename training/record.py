"""What a run was: the content of `run.json`, which the card is made of.

No path of the machine, no row and no name of a user is in it.
"""

# torch is not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from training import processes
from training.dataset import Counted
from training.heldout import estimate
from training.recipe import Expect, Recipe
from training.rows import HERE

COMMITS = "commits.txt"
PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate", "datasets")


@dataclass(frozen=True, slots=True)
class Done:
    """What was done and came out. `losses` are those of the held-out rows, of base and adapter."""

    command: str
    counted: Counted
    parameters: Expect
    losses: dict[str, list[float]]
    steps: int


def note_commit(out: Path) -> None:
    """Called at each start: a run may go on under other code than it began with."""
    known, now = commits(out), commit() or "unknown"
    if now not in known:
        out.mkdir(parents=True, exist_ok=True)
        (out / COMMITS).write_text("".join(f"{each}\n" for each in [*known, now]), "utf-8")


def commits(out: Path) -> list[str]:
    """Of this code, in order, over all starts of the run."""
    place = out / COMMITS
    return place.read_text("utf-8").split() if place.exists() else []


def record(recipe: Recipe, done: Done, out: Path) -> dict[str, Any]:
    base, adapter = done.losses["base"], done.losses["adapter"]
    change = [after - before for before, after in zip(base, adapter, strict=True)]
    losses = {"base": base, "adapter": adapter, "change": change}
    return {
        "name": recipe.name,
        "recipe": _named(recipe),
        "rows": asdict(done.counted),
        "parameters": asdict(done.parameters),
        "loss": {name: asdict(estimate(rows)) for name, rows in losses.items() if rows},
        "steps": done.steps,
        "processes": processes.count(),
        "versions": {"python": platform.python_version()} | {n: version(n) for n in PACKAGES},
        "command": done.command,
        "commits": commits(out),
        "hardware": hardware(),
    }


def commit() -> str | None:
    """Of this code, with a plus where files differ from it; `MEDICALGPT_COMMIT` where there is no
    repository."""
    asked = [["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"]]
    try:
        head, changed = (
            subprocess.run(
                ["git", *words], cwd=HERE, capture_output=True, text=True, check=True
            ).stdout.strip()
            for words in asked
        )
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("MEDICALGPT_COMMIT") or None
    return head + ("+" if changed else "")


def hardware() -> str:
    import torch

    if torch.cuda.is_available():
        return f"{processes.count()} x {torch.cuda.get_device_name()}"
    return f"{os.cpu_count()} cores of a CPU ({platform.machine()}), no GPU"


def _named(recipe: Recipe) -> dict[str, Any]:
    """The recipe; of a folder or file on this machine its own name only."""
    content = asdict(recipe)
    for place in (content["base"], *content["data"], *content["evaluation"]):
        for key in ("model", "jsonl"):
            if Path(str(place.get(key) or "")).is_absolute():
                place[key] = Path(place[key]).name
    return content
