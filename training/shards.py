"""A checkpoint in safetensors, seen as named ranges of bytes; nothing of it is loaded.

Source of the layout: safetensors' format (8 bytes of header length, a JSON header, the data).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
CHUNK = 8 * 2**20
MAX_HEADER = 100 * 2**20
"""safetensors' own limit."""


class ShardError(ValueError):
    """A checkpoint that cannot be read as it says."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a tensor lies: `start` and `size` in bytes from the beginning of its file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str
    start: int
    size: int


def shard_files(folder: Path) -> list[str]:
    """The names of the checkpoint's weight files. Raises `ShardError`."""
    if (folder / INDEX).is_file():
        places = json.loads((folder / INDEX).read_text("utf-8"))["weight_map"]
        return sorted(set(cast("dict[str, str]", places).values()))
    if (folder / SINGLE).is_file():
        return [SINGLE]
    raise ShardError(f"{folder.name} has no {SINGLE} and no {INDEX}: only safetensors are read.")


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """Every tensor of the checkpoint by name. Raises `ShardError`."""
    found: dict[str, Tensor] = {}
    for file in shard_files(folder):
        for tensor in read_header(folder / file):
            if tensor.name in found:
                raise ShardError(f"{tensor.name} is in two files of {folder.name}.")
            found[tensor.name] = tensor
    if (folder / INDEX).is_file():
        places = json.loads((folder / INDEX).read_text("utf-8"))["weight_map"]
        if {name: tensor.file for name, tensor in found.items()} != places:
            raise ShardError(f"{INDEX} of {folder.name} and its files disagree: fetch it again.")
    return found


def read_header(path: Path) -> Iterator[Tensor]:
    """The tensors of one file, in the order of their bytes. Raises `ShardError`."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > MAX_HEADER:
                raise ValueError
            header = cast("dict[str, dict[str, Any]]", json.loads(file.read(length)))
        header.pop("__metadata__", None)
        entries = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except (OSError, ValueError, KeyError, TypeError):
        raise ShardError(
            f"{path.name} is missing or no safetensors file: fetch it again."
        ) from None
    if 8 + length + end != size:
        raise ShardError(
            f"{path.name} is {size:,} bytes and says {8 + length + end:,}: fetch it again."
        )
    for name, entry in entries:
        first, last = entry["data_offsets"]
        shape = tuple(entry["shape"])
        yield Tensor(name, entry["dtype"], shape, path.name, 8 + length + first, last - first)
