"""The loss of every held-out row, and what its mean is worth.

Nats a token of the assistant's, averaged within a row; the mean is over rows, and so is its 95 %
interval (1.96 standard errors). Both models see the same rows, so that their difference has an
interval of its own.
"""

# torch and its family are not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from training import processes
from training.dataset import Example


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over `n` rows; `low` and `high` bound its 95 % interval, and are it for one row."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} ({self.low:.3f} to {self.high:.3f})"


def estimate(values: Sequence[float]) -> Estimate:
    mean, n = fmean(values), len(values)
    half = 1.96 * stdev(values) / math.sqrt(n) if n > 1 else 0.0
    return Estimate(mean, mean - half, mean + half, n)


def row_losses(trainer: Any, examples: Sequence[Example], what: str) -> list[float]:
    """In the order of `examples`, in every process; each process reads a share of them."""
    import torch
    from accelerate.utils import gather_object
    from tqdm.auto import tqdm

    accelerator, model = trainer.accelerator, trainer.model
    model.eval()
    found: list[tuple[int, float]] = []
    mine = list(enumerate(examples))[accelerator.process_index :: accelerator.num_processes]
    for place, example in tqdm(mine, f"loss of {what}", disable=not processes.first()):
        ids, labels = (
            torch.tensor([each], device=accelerator.device)
            for each in (example.input_ids, example.labels)
        )
        with torch.no_grad(), accelerator.autocast():
            found.append((place, float(model(input_ids=ids, labels=labels).loss)))
    return [loss for _, loss in sorted(gather_object(found))]
