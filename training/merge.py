"""The exact merge: `python -m training.merge --base … --adapter … --out …`.

The adapter's delta goes into the weights that it was trained on, in fp32, and every other byte of
the checkpoint is copied as it is: gpt-oss's experts stay in MXFP4, and the result serves wherever
the base did. Memory does not grow with the model: a part of one weight is held at a time.

It checks before it writes, writes into a folder beside `--out`, verifies what it wrote, and only
then gives it its name: a folder of that name is whole.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from training.adapter import AdapterError
from training.delta import DeltaError
from training.hub import HubError, fetch
from training.logits import LogitsError, check_room, compare
from training.merge_plan import MergeError, Plan, adapter_sha256, plan
from training.merge_report import Report, write_report
from training.merged_shard import write_shards
from training.shards import ShardError, read_tensors

REFUSED = (MergeError, AdapterError, ShardError, HubError, LogitsError, DeltaError)
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

__all__ = ["MergeError", "Plan", "main", "merge", "plan"]


def merge(planned: Plan, then: Callable[[Path, Report], None] | None = None) -> Report:
    """Write, verify, name. `then` sees the verified folder before it gets its name.

    Raises what `REFUSED` holds, and `OSError`; nothing is left of a merge that did not succeed.
    """
    with _partial(planned) as folder:
        for file in planned.copied:
            shutil.copyfile(file, folder / file.name)
        hashes = write_shards(planned, folder)
        if (written := read_tensors(folder)) != planned.tensors:
            raise MergeError("The merged checkpoint's headers differ from the base's.")
        report = Report(
            base=planned.base.resolve().name,
            adapter=planned.adapter.folder.resolve().name,
            adapter_sha256=adapter_sha256(planned.adapter.folder),
            base_hashes={name: base for name, (base, _) in hashes.items()},
            changed={name: hashes[name][1] for name in planned.adapter.deltas},
            size=sum(tensor.size for tensor in written.values()),
            rank=planned.adapter.rank,
            scale=planned.adapter.scale,
            merged_before=planned.merged_before,
        )
        if then is not None:
            then(folder, report)
        write_report(report, folder)
        for file in folder.iterdir():
            _sync(file)
        _sync(folder)
        if planned.out.exists():
            planned.out.rmdir()
        folder.rename(planned.out)
    _sync(planned.out.parent)
    return report


@contextmanager
def _partial(planned: Plan) -> Generator[Path, None, None]:
    """The folder to write into, empty and ours alone; removed if anything goes wrong in it."""
    folder = planned.partial
    folder.mkdir(parents=True, exist_ok=True)
    held = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MergeError(f"Another merge is writing {planned.out.name}: wait for it.") from None
        for left in folder.iterdir():  # by a run that was killed
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        os.close(held)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def main(given: list[str] | None = None) -> int:
    """0 when merged and verified; 2 with one sentence where it is not; 130 where stopped."""
    wanted = _arguments(given)
    before = {each: signal.signal(each, _stop) for each in ENDS}
    try:
        report = _run(wanted, shlex.join(sys.argv[1:] if given is None else given))
    except REFUSED as error:
        return _say(str(error), 2)
    except KeyboardInterrupt:
        return _say(_stopped(wanted.out), 130)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        what = "the disk is full" if full else (error.strerror or "the disk failed").lower()
        return _say(f"Nothing was merged: {what}.", 2)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    print(f"{wanted.out}: {report.sentence()}")
    return 0


def _run(wanted: argparse.Namespace, words: str) -> Report:
    for name in ("torch", "numpy"):  # before gigabytes are copied that it would be missing for
        if find_spec(name) is None:
            raise MergeError(f"{name} is missing: pip install -r requirements-local.txt")
    base = fetch(wanted.base, wanted.base_revision)
    adapter = fetch(wanted.adapter, wanted.adapter_revision)
    planned = plan(base.folder, adapter.folder, wanted.out, base.name, base.revision)
    if wanted.check_logits:
        check_room(planned.tensors.values())
    print(f"{len(planned.adapter.deltas)} of {len(planned.tensors)} tensors will change.")

    def complete(folder: Path, report: Report) -> None:
        report.base, report.adapter = str(base), str(adapter)
        report.command = f"python -m training.merge {words}"
        if wanted.check_logits:
            report.logits = compare(base.folder, adapter.folder, folder)

    return merge(planned, complete)


def _stop(*_: object) -> None:
    for each in ENDS:  # a second one must not cut the cleaning short
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _stopped(out: Path) -> str:
    if out.is_dir() and any(out.iterdir()):  # it came after the last step
        return f"Stopped; {out.name} was whole by then."
    return "Stopped; nothing was left behind."


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m training.merge", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    hub = "a folder, or owner/name[@revision] of the hub"
    parser.add_argument("--base", required=True, help=hub)
    parser.add_argument("--base-revision", help="its commit on the hub")
    parser.add_argument("--adapter", required=True, help=hub)
    parser.add_argument("--adapter-revision", help="its commit on the hub")
    parser.add_argument("--out", type=Path, required=True, help="the merged checkpoint's folder")
    parser.add_argument(
        "--check-logits",
        action="store_true",
        help="also compare next-token logits with base and base plus adapter; needs the model "
        "unpacked in memory",
    )
    return parser.parse_args(given)


def _say(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
