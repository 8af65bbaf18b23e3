"""One weight with its adapter folded in, and the same sum made again in another way.

Rows by blocks, so that memory does not grow with the weight.
"""

# torch is not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from training.adapter import Adapter, Delta
from training.shards import WIDTHS, Tensor, content

BLOCK = 2 * 2**20
"""Bytes of a weight at a time."""
DTYPES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}
FP32_STEP = 2.0**-23


class DeltaError(ValueError):
    """A sum that is no number."""


def folded(base: BinaryIO, delta: Delta, adapter: Adapter) -> Iterator[memoryview]:
    """Blocks of W + scale * B A, in fp32 and rounded once, to W's dtype.

    Raises `DeltaError` where the sum is not finite.
    """
    import torch

    dtype = getattr(torch, DTYPES[delta.weight.dtype])
    a, b = (
        torch.from_numpy(_values(matrix, adapter.folder)).float() for matrix in (delta.a, delta.b)
    )
    columns = delta.weight.shape[1]
    for row, rows, first, size in _blocks(delta.weight):
        before = content(base, delta.weight, first, size)
        weight = torch.frombuffer(before, dtype=dtype).reshape(rows, columns)
        after = (b[row : row + rows] @ a).mul_(adapter.scale).add_(weight.float()).to(dtype)
        if not bool(torch.isfinite(after).all()):
            raise DeltaError(f"{delta.weight.name} would hold values that are not finite.")
        yield memoryview(after.view(torch.uint8).numpy()).cast("B")


def is_folded(base: BinaryIO, merged: BinaryIO, delta: Delta, adapter: Adapter) -> bool:
    """Whether `merged` holds W + scale * B A, computed again: by numpy, rounded by its bits.

    Two orders of the same fp32 sum can differ in their last bit and so fall to either side of a
    rounding. Where they do, both must be as near to the sum in doubles as fp32 allows.
    """
    a, b = (_values(matrix, adapter.folder) for matrix in (delta.a, delta.b))
    for row, rows, first, size in _blocks(delta.weight):
        found = content(merged, delta.weight, first, size)
        weight = _decode(content(base, delta.weight, first, size), delta.weight)
        product = b[row : row + rows] @ a
        product *= adapter.scale
        product += weight
        again = _encode(product, delta.weight.dtype)
        if bytes(found) != again and not _as_near(
            weight, a, b[row : row + rows], adapter.scale, *(
                _decode(each, delta.weight) for each in (found, again)
            )
        ):  # fmt: skip
            return False
    return True


def _as_near(weight: Any, a: Any, b: Any, scale: float, found: Any, again: Any) -> bool:
    import numpy as np

    rows, columns = np.nonzero(~(found == again))
    exact = weight[rows, columns].astype(np.float64)
    error = np.abs(exact)
    for rank in range(len(a)):
        term = scale * b[rows, rank].astype(np.float64) * a[rank, columns]
        exact += term
        error += np.abs(term)
    error *= FP32_STEP * (len(a) + 3)
    of_found, of_again = (np.abs(each[rows, columns] - exact) for each in (found, again))
    return bool((of_found <= of_again + 2 * error).all())


def _blocks(weight: Tensor) -> Iterator[tuple[int, int, int, int]]:
    """First row, number of rows, first byte, number of bytes."""
    wide = weight.shape[1] * WIDTHS[weight.dtype]
    most = max(1, BLOCK // max(1, wide))
    for row in range(0, weight.shape[0], most):
        rows = min(most, weight.shape[0] - row)
        yield row, rows, row * wide, rows * wide


def _values(matrix: Tensor, folder: Path) -> Any:
    with (folder / matrix.file).open("rb") as file:
        return _decode(content(file, matrix), matrix)


def _decode(raw: bytes | bytearray, tensor: Tensor) -> Any:
    """The values in fp32, which holds bf16 and fp16 exactly; rows as wide as the tensor's."""
    import numpy as np

    if tensor.dtype == "BF16":
        values = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
    else:
        values = np.frombuffer(raw, np.float16 if tensor.dtype == "F16" else np.float32)
    return values.astype(np.float32).reshape(-1, tensor.shape[1])


def _encode(values: Any, dtype: str) -> bytes:
    """fp32 in `dtype`, to nearest and ties to even."""
    import numpy as np

    if dtype != "BF16":
        with np.errstate(over="ignore"):  # an infinity then, and so not what was written
            return values.astype(np.float16 if dtype == "F16" else np.float32).tobytes()
    bits = values.view(np.uint32)
    return ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype(np.uint16).tobytes()
