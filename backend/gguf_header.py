"""What a GGUF file says about itself, read without loading it.

Reads the header only, a few MB at most: the architecture, the trained context and the number of
parameters. It is not a loader and checks no tensor.
Format: docs/gguf.md of github.com/ggml-org/ggml.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from backend.base import NotReady

MAGIC = b"GGUF"
# The value types of the format: their `struct` codes, and the two that have no fixed size.
SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?",
    10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
STRING = 8
ARRAY = 9

Value = int | float | str | None


@dataclass(frozen=True, slots=True)
class Header:
    """`context` is what the model was trained for, in tokens."""

    kind: str
    """`model` or `adapter`."""
    architecture: str
    context: int
    parameters: int


def read_header(path: Path) -> Header:
    """The header of `path`. Raises `NotReady` where it is no GGUF file, or is cut short."""
    try:
        with path.open("rb") as file:
            if file.read(4) != MAGIC:
                raise NotReady(f"{path.name} is not a GGUF file.")
            return _header(file)
    except (struct.error, UnicodeDecodeError, OverflowError, MemoryError):
        raise NotReady(f"{path.name} is a broken GGUF file; fetch it again.") from None
    except OSError as error:
        raise NotReady(f"{path.name} cannot be read: {error.strerror}.") from None


def _header(file: BinaryIO) -> Header:
    _, tensors, pairs = _unpack(file, "<IQQ")
    values: dict[str, Value] = {}
    for _ in range(pairs):
        key = _string(file)
        values[key] = _value(file, *_unpack(file, "<I"))
    architecture = str(values.get("general.architecture", ""))
    context = values.get(f"{architecture}.context_length")
    return Header(
        kind=str(values.get("general.type") or "model"),
        architecture=architecture,
        context=context if isinstance(context, int) else 0,
        parameters=sum(_elements(file) for _ in range(tensors)),
    )


def _elements(file: BinaryIO) -> int:
    """The elements of one tensor, by its entry in the header."""
    _string(file)
    (dimensions,) = _unpack(file, "<I")
    elements = math.prod(_unpack(file, f"<{dimensions}Q"))
    _unpack(file, "<IQ")
    return elements


def _value(file: BinaryIO, kind: int) -> Value:
    """One value; of an array, nothing: a vocabulary is long, and nobody here asks for it."""
    if kind == STRING:
        return _string(file)
    if kind == ARRAY:
        element, length = _unpack(file, "<IQ")
        if element in SCALARS:
            file.seek(struct.calcsize(SCALARS[element]) * length, 1)
        else:
            for _ in range(length):
                if element == STRING:
                    file.seek(_unpack(file, "<Q")[0], 1)
                else:
                    _value(file, element)
        return None
    if kind not in SCALARS:
        raise struct.error("no such type")
    return _unpack(file, SCALARS[kind])[0]


def _string(file: BinaryIO) -> str:
    (length,) = _unpack(file, "<Q")
    return file.read(length).decode("utf-8", "replace")


def _unpack(file: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))
