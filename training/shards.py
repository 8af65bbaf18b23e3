"""A checkpoint in safetensors, seen as named ranges of bytes; nothing of it is loaded.

Source of the layout: safetensors' format (8 bytes of header length, a JSON header, the data,
without a gap). A file that departs from it is refused: it could not be copied range by range.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
CHUNK = 2**20
MAX_HEADER = 100 * 2**20
"""safetensors' own limit."""
WIDTHS = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "BF16": 2, "F16": 2, "U8": 1, "I8": 1, "BOOL": 1}
"""Bytes of a value. Of other dtypes the size is believed; they are only ever copied."""


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
        return sorted(set(_places(folder).values()))
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
        lying = {name: tensor.file for name, tensor in found.items()}
        if lying != _places(folder):
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
        entries = sorted(
            (*map(int, entry["data_offsets"]), name, str(entry["dtype"]), tuple(entry["shape"]))
            for name, entry in header.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ShardError(
            f"{path.name} is missing or no safetensors file: fetch it again."
        ) from None
    end = 0
    for first, last, name, dtype, shape in entries:
        width = WIDTHS.get(dtype)
        if first != end or (width and last - first != width * math.prod(shape)):
            raise ShardError(f"{path.name} does not hold {name} as it says: fetch it again.")
        end = last
        yield Tensor(name, dtype, shape, path.name, 8 + length + first, last - first)
    if 8 + length + end != size:
        raise ShardError(
            f"{path.name} is {size:,} bytes and says {8 + length + end:,}: fetch it again."
        )


def chunks(file: BinaryIO, tensor: Tensor) -> Iterator[memoryview]:
    """The tensor's bytes, a few at a time. Raises `ShardError`.

    Each is overwritten by the next but one: fresh memory for each costs more than to read it.
    """
    buffers = [memoryview(bytearray(min(CHUNK, tensor.size))) for _ in range(2)]
    for first in range(0, tensor.size, CHUNK):
        chunk = buffers[0][: tensor.size - first]
        _fill(chunk, file, tensor, first)
        yield chunk
        buffers.reverse()


def content(file: BinaryIO, tensor: Tensor, first: int = 0, size: int = -1) -> bytearray:
    """The tensor's bytes, or `size` of them from `first`. Raises `ShardError`."""
    found = bytearray(tensor.size if size < 0 else size)
    _fill(memoryview(found), file, tensor, first)
    return found


def _fill(buffer: memoryview, file: BinaryIO, tensor: Tensor, first: int) -> None:
    while buffer:
        got = os.preadv(file.fileno(), [buffer], tensor.start + first)
        if not got:
            raise ShardError(f"{tensor.file} ends too early: fetch it again.")
        buffer, first = buffer[got:], first + got


def _places(folder: Path) -> dict[str, str]:
    try:
        places = cast(
            "dict[str, str]", json.loads((folder / INDEX).read_text("utf-8"))["weight_map"]
        )
        # A name that leads elsewhere would be written there, too.
        if not all(Path(file).name == file for file in places.values()):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ShardError(f"{INDEX} of {folder.name} cannot be read: fetch it again.") from None
    return places
