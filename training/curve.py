"""The loss of a run, as JSON and as a picture."""

# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any


def save_curve(
    log: Sequence[Mapping[str, Any]], heldout: Mapping[str, Sequence[float]], folder: Path
) -> None:
    """`loss.json` and `loss.png` in `folder`. Losses are nats a token of the assistant's.

    `heldout` has the loss of each held-out row, before (`base`) and after (`adapter`).
    """
    curves = {name: _points(log, name) for name in ("loss", "eval_loss")}
    if curves["loss"] and heldout["base"]:
        first, last = (
            (0, fmean(heldout["base"])),
            (curves["loss"][-1][0], fmean(heldout["adapter"])),
        )
        between = [point for point in curves["eval_loss"] if point[0] != last[0]]
        curves["eval_loss"] = [first, *between, last]
    content = {**curves, "heldout": heldout}
    (folder / "loss.json").write_text(json.dumps(content) + "\n", "utf-8")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes: Any = figure.subplots()
    for (name, points), label in zip(curves.items(), ("training", "held out"), strict=True):
        if points:
            axes.plot(*zip(*points, strict=True), label=label, lw=1 if name == "loss" else 2)
    axes.set(xlabel="step", ylabel="loss (nats a token)")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(folder / "loss.png", dpi=120)


def _points(log: Sequence[Mapping[str, Any]], name: str) -> list[tuple[int, float]]:
    return [(int(entry["step"]), float(entry[name])) for entry in log if name in entry]
