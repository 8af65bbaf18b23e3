"""One file of a merged checkpoint: copied, its changed weights overwritten, and checked.

The copy is the system's own, which takes a file no byte of which passes through this process.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from training.adapter import Adapter
from training.delta import folded, is_folded
from training.merge_plan import MergeError, Plan
from training.shards import Tensor, chunks, shard_files

WORKERS = 2
"""They check one file while the next is copied: hashing takes longer than copying."""
Hashes = tuple[str, str]
"""sha256 of a tensor's bytes, in the base and in the merged checkpoint."""


def write_shards(planned: Plan, folder: Path) -> dict[str, Hashes]:
    """Each file of the checkpoint, on the disk and checked. Raises `MergeError` and its kin."""
    with _workers() as workers:
        looks: dict[str, Future[Hashes]] = {}
        for file in shard_files(planned.base):
            inside = [tensor for tensor in planned.tensors.values() if tensor.file == file]
            write_shard(planned.base / file, folder / file, inside, planned.adapter)
            for tensor in inside:
                looks[tensor.name] = workers.submit(
                    check, planned.base, folder, tensor, planned.adapter
                )
            with (folder / file).open("rb") as written:
                os.fsync(written.fileno())
        return {name: look.result() for name, look in looks.items()}


def write_shard(base: Path, place: Path, tensors: Iterable[Tensor], adapter: Adapter) -> None:
    shutil.copyfile(base, place)
    with base.open("rb", buffering=0) as source, place.open("r+b") as out:
        for tensor in tensors:
            if tensor.name in adapter.deltas:
                out.seek(tensor.start)
                for block in folded(source, adapter.deltas[tensor.name], adapter):
                    out.write(block)


def check(base: Path, merged: Path, tensor: Tensor, adapter: Adapter) -> Hashes:
    """Reads both again: an untouched tensor must be the same, a changed one the sum made anew.

    Raises `MergeError`.
    """
    delta = adapter.deltas.get(tensor.name)
    with (
        (base / tensor.file).open("rb", buffering=0) as before,
        (merged / tensor.file).open("rb", buffering=0) as after,
    ):
        hashes = _hashes(chunks(before, tensor), chunks(after, tensor))
        same = hashes[0] == hashes[1]
        if delta is None and not same:
            raise MergeError(f"{tensor.name} was changed by the copy: is the disk sound?")
        if delta is not None and same:
            raise MergeError(f"The adapter moves no value of {tensor.name}: was it trained?")
        if delta is not None and not is_folded(before, after, delta, adapter):
            raise MergeError(f"{tensor.name} is not what the base and the adapter make.")
    return hashes


def _hashes(before: Iterator[memoryview], after: Iterator[memoryview]) -> Hashes:
    import numpy as np

    of_base, of_merged = hashlib.sha256(), None
    for one, other in zip(before, after, strict=True):
        # Bytes that are equal need hashing once, up to where they first are not.
        if of_merged is None and not np.array_equal(one, other):
            of_merged = of_base.copy()
        of_base.update(one)
        if of_merged is not None:
            of_merged.update(other)
    return of_base.hexdigest(), (of_merged or of_base).hexdigest()


@contextmanager
def _workers() -> Generator[ThreadPoolExecutor, None, None]:
    workers = ThreadPoolExecutor(WORKERS)
    try:
        yield workers
    finally:
        workers.shutdown(cancel_futures=True)
