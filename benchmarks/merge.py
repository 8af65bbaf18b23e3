"""The exact merge beside a plain copy of the same files, and beside peft's merge.

    python -m benchmarks.merge --layers 24 --peft-layers 2,6 --folder /a/disk/with/45/GB

Needs requirements-train.txt. Each runs in a process of its own, so that its peak RSS is its own;
merge and copy take turns. The peak counts pages of mapped files, which peft's way has and ours not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.report import aim, load, setting, table
from training.merge_report import READABLE

GB = 1e9
ROUNDS = 3
PEFT = """
import sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, Mxfp4Config
base, adapter, out = sys.argv[1:]
model = AutoModelForCausalLM.from_pretrained(
    base, dtype=torch.bfloat16, quantization_config=Mxfp4Config(dequantize=True))
PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(out)
"""


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds, and peak RSS in GB, of a command that must succeed."""
    began = time.monotonic()
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(running.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{command[2]} failed")
    return time.monotonic() - began, usage.ru_maxrss * 1024 / GB


def made(folder: Path, layers: int) -> tuple[Path, Path]:
    """Base and adapter. By a process of its own: the peak of a child begins at its parent's."""
    command = [sys.executable, "-m", "benchmarks.merge_source", str(folder), str(layers)]
    subprocess.run(command, check=True)
    return folder / "base", folder / "adapter"


def ours(base: Path, adapter: Path, out: Path, report: Path | None = None) -> tuple[float, float]:
    where = ["--base", str(base), "--adapter", str(adapter), "--out", str(out)]
    found = timed([sys.executable, "-m", "training.merge", *where])
    if report is not None:
        shutil.copyfile(out / READABLE, report)
    shutil.rmtree(out)
    return found


def copied(base: Path, out: Path) -> tuple[float, float]:
    """`cp`, and everything brought to the disk, as ours does."""
    found = timed(["bash", "-c", 'cp -r "$0" "$1" && sync -f "$1"', str(base), str(out)])
    shutil.rmtree(out)
    return found


def peft(base: Path, adapter: Path, out: Path) -> tuple[float, float]:
    found = timed([sys.executable, "-c", PEFT, str(base), str(adapter), str(out)])
    shutil.rmtree(out)
    return found


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.merge")
    parser.add_argument("--layers", type=int, default=24, help="of 24")
    parser.add_argument("--peft-layers", default="2,6", help="slices for peft, which needs memory")
    parser.add_argument("--folder", type=Path, help="where the checkpoints go for the while")
    parser.add_argument("--report", type=Path, help="where to keep the merge's own report")
    wanted = parser.parse_args()
    print(setting())
    with tempfile.TemporaryDirectory(prefix="merge-", dir=wanted.folder) as name:
        folder = Path(name)
        rows: list[list[str]] = []
        for layers in map(int, wanted.peft_layers.split(",")):
            rows += beside_peft(folder / f"slice-{layers}", layers)
        rows = beside_copy(folder / "whole", wanted.layers, wanted.report) + rows
    print("\n" + table(["checkpoint", "way", "seconds", "peak RSS, GB", "ratio", "aim"], rows))
    print(f"\nLoad average at the end: {load()}")


def beside_copy(folder: Path, layers: int, report: Path | None) -> list[list[str]]:
    base, adapter = made(folder, layers)
    size = sum(file.stat().st_size for file in base.iterdir()) / GB
    merges, copies = [], []
    for _ in range(ROUNDS):
        copies.append(copied(base, folder / "copy"))
        merges.append(ours(base, adapter, folder / "out", report))
    shutil.rmtree(folder)
    took, plain = (median(seconds for seconds, _ in runs) for runs in (merges, copies))
    peak = max(rss for _, rss in merges)
    what = f"{layers} layers, {size:.1f} GB"
    return [
        [what, "cp", f"{plain:.1f}", "", "1", ""],
        [what, "ours", f"{took:.1f}", "", f"{took / plain:.2f}", aim(took / plain, 2.5)],
        [what, "ours", "", f"{peak:.2f}", "", aim(peak, 1.5)],
    ]


def beside_peft(folder: Path, layers: int) -> list[list[str]]:
    base, adapter = made(folder, layers)
    size = sum(file.stat().st_size for file in base.iterdir()) / GB
    theirs = peft(base, adapter, folder / "theirs")
    mine = ours(base, adapter, folder / "out")
    shutil.rmtree(folder)
    what = f"{layers} layers, {size:.1f} GB"
    return [
        [what, name, f"{seconds:.1f}", f"{rss:.2f}", f"{rss / theirs[1]:.2f} of the memory", ""]
        for name, (seconds, rss) in (("peft", theirs), ("ours", mine))
    ]


if __name__ == "__main__":
    main()
