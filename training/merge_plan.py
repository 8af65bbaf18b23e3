"""What a merge will do, with everything checked that can be known before a byte is written."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from training.adapter import WEIGHTS, Adapter, read_adapter
from training.merge_report import NAME as REPORT
from training.shards import Tensor, read_tensors

GPT_OSS_20B = ("gpt_oss", 24)
CHANGED_IN_20B = frozenset(
    f"model.layers.{layer}.self_attn.{kind}_proj.weight" for layer in range(24) for kind in "qkvo"
)
NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")
LEFT_BEHIND = (".bin", ".pt", ".pth", ".safetensors", ".gguf", ".onnx", ".h5", ".msgpack")
"""Weights in other forms, or in no index: they would stay unmerged beside the merged."""


class MergeError(RuntimeError):
    """A merge that was refused, or did not verify, and why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be written, checked and not begun."""

    base: Path
    out: Path
    tensors: dict[str, Tensor]
    adapter: Adapter
    copied: tuple[Path, ...]
    """The base's other files: tokenizer, config, chat template, licence."""
    merged_before: tuple[str, ...] = ()
    """The sha256 of adapters that are in the base already."""

    @property
    def partial(self) -> Path:
        """Where it is written; it becomes `out` once it is whole."""
        return self.out.with_name(self.out.name + ".partial")


def plan(base: Path, adapter: Path, out: Path, base_name: str = "", base_commit: str = "") -> Plan:
    """Writes nothing. Raises `MergeError`, `AdapterError`, `ShardError`.

    `base_name` and `base_commit` are the base's on the hub, where it was fetched from there.
    """
    if out.name in ("", ".."):
        raise MergeError(f"--out {out} is no name for a new folder: give it one.")
    tensors = read_tensors(base)
    kind = _kind(base)
    found = read_adapter(adapter, tensors)
    # A path in the adapter's config says where its base lay on another machine, and nothing more.
    if all(NAME.fullmatch(name) for name in (base_name, found.base)) and base_name != found.base:
        raise MergeError(f"The adapter was trained on {found.base}, not on {base_name}.")
    if base_commit and found.revision and base_commit != found.revision:
        raise MergeError(
            f"The adapter was trained on {base_name} at {found.revision}, and this is "
            f"{base_commit}: name its own with --base-revision."
        )
    merged_before = _merged_with(base)
    if merged_before and adapter_sha256(adapter) in merged_before:
        raise MergeError(f"{base.name} has this adapter in it already: merge into the base itself.")
    if kind == GPT_OSS_20B and found.deltas.keys() != CHANGED_IN_20B:
        raise MergeError(
            f"The adapter changes {len(found.deltas)} tensors; for gpt-oss-20b it must be "
            f"{len(CHANGED_IN_20B)}: q, k, v and o of each layer."
        )
    others = tuple(
        file
        for file in sorted(base.iterdir())
        if file.is_file() and not file.name.endswith(LEFT_BEHIND)
    )
    planned = Plan(base, out, tensors, found, others, tuple(merged_before))
    _place(planned)
    return planned


def adapter_sha256(adapter: Path) -> str:
    """Of the file with its matrices."""
    with (adapter / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _merged_with(base: Path) -> list[str]:
    """The adapters that are in it already, by their hashes."""
    if not (base / REPORT).is_file():
        return []
    try:
        report = cast("dict[str, Any]", json.loads((base / REPORT).read_text("utf-8")))
        return [report["adapter_sha256"], *report.get("merged_before", [])]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise MergeError(
            f"{base.name} was merged before, and its {REPORT} cannot be read: take the base itself."
        ) from None


def _kind(base: Path) -> tuple[Any, Any]:
    try:
        config = cast("dict[str, Any]", json.loads((base / "config.json").read_text("utf-8")))
        return config.get("model_type"), config.get("num_hidden_layers")
    except (OSError, ValueError, AttributeError):
        raise MergeError(f"{base.name} has no readable config.json: fetch it again.") from None


def _place(planned: Plan) -> None:
    out, partial = planned.out, planned.partial
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise MergeError(f"{out.name} is there already: name another folder, or remove it.")
    if partial.is_symlink() or (partial.exists() and not partial.is_dir()):
        raise MergeError(f"{partial.name} is in the way: remove it.")
    needed = sum(tensor.size for tensor in planned.tensors.values())
    needed += _size(planned.copied)
    there = next(parent for parent in out.absolute().parents if parent.is_dir())
    free = shutil.disk_usage(there).free
    if partial.is_dir():  # what a killed run left is removed first
        free += _size(partial.iterdir())
    if free < needed:
        raise MergeError(
            f"{needed / 1e9:.1f} GB are needed on the disk and {free / 1e9:.1f} free: make room, "
            "or name a folder on another disk."
        )


def _size(files: Iterable[Path]) -> int:
    return sum(file.stat().st_size for file in files)
