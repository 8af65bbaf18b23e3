"""The recipe as a command in a process of its own, on a base and rows small enough for a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT
from training.checkpoints import MARK

CARD = ROOT / "training" / "recipe.yaml"
SIGNS = (
    "asthma", "gout", "mumps", "lupus", "scurvy", "rickets", "angina", "croup", "measles", "stye",
)  # fmt: skip


ROWS = [
    {"question": f"What is {word}?", "reasoning": "It points to rest.", "answer": "Rest now."}
    for word in SIGNS
]


def tiny_recipe(
    folder: Path,
    base: Path,
    rows: Sequence[Mapping[str, str]] = ROWS,
    heldout: int = 2,
    **train: float,
) -> Path:
    """The card's recipe on `base`: with the ten rows of its own, eight steps of two rows."""
    content: dict[str, Any] = yaml.safe_load(CARD.read_text("utf-8"))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    content["base"] |= {"model": str(base), "revision": None}
    content["train"] |= {"learning_rate": 0.02, "batch": 1, "accumulation": 2, "eval_steps": 4}
    content["train"] |= train
    content |= {
        "data": [{"jsonl": str(folder / "rows.jsonl")}],
        "evaluation": [],
        "heldout": heldout,
        "similarity": 1.0,
        "expect": None,
        "needs": {"gpu_gb": 0, "ram_gb": 1, "disk_gb": 0.1},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    return path


def command(recipe: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "training.train", str(recipe), "--out", str(out)]


def run(
    recipe: Path, out: Path, *before: str, asked: list[str] | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [*before, *(asked or command(recipe, out))],
        cwd=ROOT,
        env=environment | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def last_marked(out: Path) -> int:
    """The last step that is whole on the disk; 0 before the first."""
    return max(
        (int(m.parent.name.split("-")[1]) for m in out.glob(f"checkpoint-*/{MARK}")), default=0
    )
