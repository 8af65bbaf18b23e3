"""A LoRA adapter as peft saves it, paired with the weights that it changes.

Whatever cannot be merged exactly is refused: DoRA, trained biases, whole modules, ranks that differ
from layer to layer, a setting not known here, a matrix without its partner or of the wrong shape.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from training.shards import ShardError, Tensor, read_header

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
KEY = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
COMMIT = re.compile(r"[0-9a-f]{40}")
EXACT = ("BF16", "F16", "F32")
OF_NO_ACCOUNT = (
    "auto_mapping",
    "base_model_name_or_path",
    "exclude_modules",
    "inference_mode",
    "layers_pattern",
    "layers_to_transform",
    "lora_alpha",
    "lora_dropout",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "revision",
    "target_modules",
    "task_type",
    "use_rslora",
)
"""Settings that are honoured here, or that leave the sum as it is. Any other must be off."""
OFF: tuple[object, ...] = (False, "none", [], {})
KNOWN_STARTS = (True, False, None, "gaussian", "orthogonal")
"""Others (PiSSA, OLoRA, LoftQ …) begin by changing the base, so that this base is another."""


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
    """What its config names as its base: a name on the hub, or a path on another machine."""
    revision: str
    """That base's commit on the hub; empty where the config names none, or a branch."""
    rank: int
    scale: float
    deltas: dict[str, Delta]
    """By the name of the weight in the base."""


def read_adapter(folder: Path, base: Mapping[str, Tensor]) -> Adapter:
    """The adapter in `folder`, checked against the tensors of `base`. Raises `AdapterError`."""
    config = read_config(folder)
    rank, alpha = int(config["r"]), float(config["lora_alpha"])
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    try:
        pairs = _pairs(read_header(folder / WEIGHTS))
    except ShardError as error:
        raise AdapterError(f"The adapter: {error}") from None
    deltas = {name: _delta(name, pair, base, rank) for name, pair in pairs.items()}
    if not deltas:
        raise AdapterError("The adapter holds no matrices.")
    _nothing_missing(config, deltas, base)
    named = str(config.get("base_model_name_or_path") or "")
    revision = str(config.get("revision") or "")
    commit = revision if COMMIT.fullmatch(revision) else ""
    return Adapter(folder, named, commit, rank, scale, deltas)


def read_config(folder: Path) -> dict[str, Any]:
    """peft's, of a LoRA that can be added to a weight exactly. Raises `AdapterError`."""
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text("utf-8"))
        kind, rank, alpha = config["peft_type"], int(config["r"]), float(config["lora_alpha"])
    except (OSError, ValueError, KeyError, TypeError):
        raise AdapterError(f"{folder.name} has no readable {CONFIG} of peft's.") from None
    if kind != "LORA":
        raise AdapterError(f"The adapter is {kind}; only LORA can be merged.")
    if rank < 1 or not math.isfinite(alpha):
        raise AdapterError(f"The adapter's config says rank {rank} and alpha {alpha}.")
    for name, value in config.items():
        fits = value in KNOWN_STARTS if name == "init_lora_weights" else value in (*OFF, None)
        if name not in OF_NO_ACCOUNT and not fits:
            raise AdapterError(f"The adapter's {name} is {value!r}: it cannot be merged exactly.")
    return config


def _nothing_missing(
    config: dict[str, Any], deltas: Mapping[str, Delta], base: Iterable[str]
) -> None:
    """Each weight that `target_modules` names has its pair, where the config names them so."""
    targets = config.get("target_modules")
    chosen = ("exclude_modules", "layers_to_transform", "layers_pattern")
    if not isinstance(targets, list) or any(config.get(name) for name in chosen):
        return
    ends = tuple(f".{target}.weight" for target in cast("list[str]", targets))
    for name in base:
        if f".{name}".endswith(ends) and name not in deltas:
            raise AdapterError(f"The adapter lacks its matrices for {name}.")


def _pairs(tensors: Iterable[Tensor]) -> dict[str, dict[str, Tensor]]:
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
