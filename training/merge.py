"""The exact merge: `python -m training.merge --base … --adapter … --out …`.

The adapter's delta goes into the weights that it was trained on, in fp32, and every other byte of
the checkpoint is copied as it is: gpt-oss's experts stay in MXFP4, and the result serves wherever
the base did. Memory does not grow with the model: one weight is held at a time.

It checks before it writes, writes into a folder beside `--out`, verifies what it wrote, and only
then gives it its name: a folder of that name is whole.
"""

# torch is not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import argparse
import errno
import hashlib
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from training.adapter import Adapter, AdapterError, Delta, read_adapter
from training.hub import HubError, fetch
from training.logits import LogitsError, compare
from training.merge_report import Report, write_report
from training.shards import CHUNK, ShardError, Tensor, read_tensors, shard_files

GPT_OSS_20B = ("gpt_oss", 24)
CHANGED_IN_20B = 96
"""q, k, v and o of 24 layers."""
NAME = re.compile(r"[\w.-]+/[\w.-]+")
DTYPES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}
LEFT_BEHIND = (".bin", ".pt", ".pth", ".safetensors", ".gguf", ".onnx")
"""Weights in other forms would not be merged."""


class MergeError(RuntimeError):
    """A merge that was refused, or did not verify."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be written, checked and not begun."""

    base: Path
    out: Path
    tensors: dict[str, Tensor]
    adapter: Adapter


def plan(base: Path, adapter: Path, out: Path, base_name: str = "") -> Plan:
    """Everything that can be known before writing. Raises `MergeError` and its kin.

    `base_name` is the base's name on the hub, where it has one.
    """
    tensors = read_tensors(base)
    found = read_adapter(adapter, tensors)
    # A path in the adapter's config says where its base lay on another machine, and nothing more.
    if all(NAME.fullmatch(name) for name in (base_name, found.base)) and base_name != found.base:
        raise MergeError(f"The adapter was trained on {found.base}, not on {base_name}.")
    config = json.loads((base / "config.json").read_text("utf-8"))
    kind = (config.get("model_type"), config.get("num_hidden_layers"))
    if kind == GPT_OSS_20B and len(found.deltas) != CHANGED_IN_20B:
        raise MergeError(
            f"The adapter changes {len(found.deltas)} tensors; for gpt-oss-20b it must be "
            f"{CHANGED_IN_20B}: q, k, v and o of each layer."
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise MergeError(f"{out.name} is there already: name another folder, or remove it.")
    needed = sum(file.stat().st_size for file in base.iterdir() if file.is_file())
    out.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out.parent).free
    if free < needed:
        raise MergeError(f"{needed / 1e9:.1f} GB are needed on the disk and {free / 1e9:.1f} free.")
    return Plan(base, out, tensors, found)


def merge(planned: Plan, then: Callable[[Path, Report], None] | None = None) -> Report:
    """Write, verify, name. `then` sees the verified folder before it gets its name.

    Raises `MergeError`, `OSError`; nothing is left of a merge that did not succeed.
    """
    partial = planned.out.with_name(planned.out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
    partial.mkdir()
    try:
        for file in sorted(planned.base.iterdir()):
            if file.is_file() and not file.name.endswith(LEFT_BEHIND):
                shutil.copyfile(file, partial / file.name)
        hashes: dict[str, str] = {}
        for file in shard_files(planned.base):
            hashes |= _write_shard(planned, file, partial / file)
        report = _verify(planned, partial, hashes)
        if then is not None:
            then(partial, report)
        write_report(report, partial)
        for file in partial.iterdir():
            _sync(file)
        if planned.out.exists():
            planned.out.rmdir()
        os.rename(partial, planned.out)
        _sync(planned.out.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return report


def _write_shard(planned: Plan, file: str, place: Path) -> dict[str, str]:
    """One file of the new checkpoint; the sha256 of each tensor as the base has it."""
    hashes: dict[str, str] = {}
    inside = sorted((t for t in planned.tensors.values() if t.file == file), key=lambda t: t.start)
    first = min((t.start for t in inside), default=0)
    with (planned.base / file).open("rb") as base, place.open("wb") as out:
        out.write(base.read(first))
        for tensor in inside:
            digest = hashlib.sha256()
            delta = planned.adapter.deltas.get(tensor.name)
            if delta is None:
                for chunk in _chunks(base, tensor):
                    digest.update(chunk)
                    out.write(chunk)
            else:
                before = _bytes(base, tensor)
                digest.update(before)
                out.write(merged(before, delta, planned.adapter))
            hashes[tensor.name] = digest.hexdigest()
    return hashes


def merged(before: bytes, delta: Delta, adapter: Adapter) -> bytes:
    """The bytes of W + scale * B A, computed in fp32 and rounded once, to W's own dtype."""
    import torch

    with (adapter.folder / delta.a.file).open("rb") as file:
        a, b = (_matrix(_bytes(file, tensor), tensor) for tensor in (delta.a, delta.b))
    weight = _matrix(before, delta.weight)
    after = (weight.float() + adapter.scale * (b.float() @ a.float())).to(weight.dtype)
    if not bool(torch.isfinite(after).all()):
        raise MergeError(f"{delta.weight.name} would hold values that are not finite.")
    return after.contiguous().view(torch.uint8).numpy().tobytes()


def _verify(planned: Plan, folder: Path, hashes: dict[str, str]) -> Report:
    """What was written, read again from the disk. Raises `MergeError`."""
    written = read_tensors(folder)
    if written != planned.tensors:
        raise MergeError("The merged checkpoint's headers differ from the base's.")
    changed: dict[str, str] = {}
    for name, tensor in written.items():
        delta = planned.adapter.deltas.get(name)
        with (folder / tensor.file).open("rb") as file:
            if delta is None:
                digest = hashlib.sha256()
                for chunk in _chunks(file, tensor):
                    digest.update(chunk)
                if digest.hexdigest() != hashes[name]:
                    raise MergeError(f"{name} was changed by the copy: is the disk sound?")
                continue
            after = _bytes(file, tensor)
        with (planned.base / tensor.file).open("rb") as base:
            again = merged(_bytes(base, tensor), delta, planned.adapter)
        if after != again:
            raise MergeError(f"{name} is not what the base and the adapter make.")
        changed[name] = hashlib.sha256(after).hexdigest()
    for name, digest in changed.items():
        if digest == hashes[name]:
            raise MergeError(f"The adapter moves no value of {name}: was it trained?")
    return Report(
        base_hashes=hashes,
        changed=changed,
        size=sum(tensor.size for tensor in written.values()),
        rank=planned.adapter.rank,
        scale=planned.adapter.scale,
    )


def _chunks(file: BinaryIO, tensor: Tensor) -> Iterator[bytes]:
    file.seek(tensor.start)
    left = tensor.size
    while left:
        chunk = file.read(min(CHUNK, left))
        if not chunk:
            raise MergeError(f"{tensor.file} ends too early: fetch it again.")
        left -= len(chunk)
        yield chunk


def _bytes(file: BinaryIO, tensor: Tensor) -> bytes:
    return b"".join(_chunks(file, tensor))


def _matrix(content: bytes, tensor: Tensor) -> Any:
    import torch

    dtype = getattr(torch, DTYPES[tensor.dtype])
    return torch.frombuffer(bytearray(content), dtype=dtype).reshape(tensor.shape)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def main(given: list[str] | None = None) -> int:
    """0 when merged and verified; 2 with one sentence where it is not; 130 where stopped."""
    wanted = _arguments(given)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        base = fetch(wanted.base, wanted.base_revision)
        adapter = fetch(wanted.adapter, wanted.adapter_revision)
        planned = plan(base, adapter, wanted.out, wanted.base)
        print(f"{len(planned.adapter.deltas)} of {len(planned.tensors)} tensors will change.")

        def look(folder: Path, report: Report) -> None:
            report.logits = compare(base, adapter, folder)

        report = merge(planned, look if wanted.check_logits else None)
    except (MergeError, AdapterError, ShardError, HubError, LogitsError) as error:
        return _say(str(error), 2)
    except ModuleNotFoundError as error:
        return _say(f"{error.name} is missing: pip install -r requirements-local.txt", 2)
    except KeyboardInterrupt:
        return _say("Stopped; nothing was left behind.", 130)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        what = "the disk is full" if full else (error.strerror or "the disk failed").lower()
        return _say(f"Nothing was merged: {what}.", 2)
    print(f"{wanted.out}: {report.sentence()}")
    return 0


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m training.merge", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--base", required=True, help="a folder, or a model of the hub")
    parser.add_argument("--base-revision", help="its commit on the hub")
    parser.add_argument("--adapter", required=True, help="a folder, or an adapter of the hub")
    parser.add_argument("--adapter-revision", help="its commit on the hub")
    parser.add_argument("--out", type=Path, required=True, help="the merged checkpoint's folder")
    parser.add_argument(
        "--check-logits",
        action="store_true",
        help="also compare next-token logits with base and base plus adapter; needs both in memory",
    )
    return parser.parse_args(given)


def _say(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
