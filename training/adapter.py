"""A LoRA adapter as peft saves it, paired with the weights that it changes.

Whatever cannot be merged exactly is refused: DoRA, trained biases, whole modules, ranks that differ
from layer to layer, a matrix without its partner, a shape that does not fit.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.shards import ShardError, Tensor, read_header

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
KEY = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
EXACT = ("BF16", "F16", "F32")
UNMERGEABLE: Mapping[str, object] = {
    "use_dora": False,
    "fan_in_fan_out": False,
    "bias": "none",
    "modules_to_save": None,
    "rank_pattern": {},
    "alpha_pattern": {},
    "lora_bias": False,
    "trainable_token_indices": None,
    "target_parameters": None,
}
"""What the config may say only so, or not at all."""


class AdapterError(ValueError):
    """An adapter that cannot be merged into this base, and why."""


@dataclass(frozen=True, slots=True)
class Delta:
    """W + scale * B A, for one weight. `a` is rank x columns, `b` rows x rank."""

    weight: Tensor
    a: Tensor
    b: Tensor


@dataclass(frozen=True, slots=True)
class Adapter:
    folder: Path
    base: str
    rank: int
    scale: float
    deltas: dict[str, Delta]
    """By the name of the weight in the base."""


def read_adapter(folder: Path, base: Mapping[str, Tensor]) -> Adapter:
    """The adapter in `folder`, checked against the tensors of `base`. Raises `AdapterError`."""
    config = _config(folder)
    rank, alpha = int(config["r"]), float(config["lora_alpha"])
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    try:
        pairs = _pairs(list(read_header(folder / WEIGHTS)))
    except ShardError as error:
        raise AdapterError(f"The adapter: {error}") from None
    deltas = {name: _delta(name, pair, base, rank) for name, pair in pairs.items()}
    if not deltas:
        raise AdapterError("The adapter holds no matrices.")
    return Adapter(folder, str(config.get("base_model_name_or_path")), rank, scale, deltas)


def _config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text("utf-8"))
        kind, _, _ = config["peft_type"], config["r"], config["lora_alpha"]
    except (OSError, ValueError, KeyError, TypeError):
        raise AdapterError(f"{folder.name} has no readable {CONFIG} of peft's.") from None
    if kind != "LORA":
        raise AdapterError(f"The adapter is {kind}; only LORA can be merged.")
    for name, plain in UNMERGEABLE.items():
        if config.get(name) not in (None, plain):
            raise AdapterError(f"The adapter's {name} is {config[name]!r}: it cannot be merged.")
    return config


def _pairs(tensors: list[Tensor]) -> dict[str, dict[str, Tensor]]:
    pairs: dict[str, dict[str, Tensor]] = {}
    for tensor in tensors:
        found = KEY.fullmatch(tensor.name)
        if found is None:
            raise AdapterError(f"The adapter's {tensor.name} is no LoRA matrix of a known form.")
        pairs.setdefault(f"{found[1]}.weight", {})[found[2]] = tensor
    return pairs


def _delta(name: str, pair: dict[str, Tensor], base: Mapping[str, Tensor], rank: int) -> Delta:
    if len(pair) != 2:
        raise AdapterError(f"The adapter has one matrix for {name} and lacks the other.")
    weight, a, b = base.get(name), pair["A"], pair["B"]
    if weight is None:
        raise AdapterError(f"The base has no {name}, which the adapter changes: another model?")
    for tensor in (weight, a, b):
        if tensor.dtype not in EXACT or len(tensor.shape) != 2:
            raise AdapterError(f"{tensor.name} is {tensor.dtype} {tensor.shape}: not mergeable.")
    if (a.shape[0], b.shape[1]) != (rank, rank):
        raise AdapterError(
            f"The adapter's config says rank {rank}, its matrices for {name} are {a.shape} and "
            f"{b.shape}."
        )
    if (b.shape[0], a.shape[1]) != weight.shape:
        raise AdapterError(
            f"The adapter's matrices for {name} make {b.shape[0]} x {a.shape[1]}, the weight is "
            f"{weight.shape[0]} x {weight.shape[1]}."
        )
    return Delta(weight, a, b)
