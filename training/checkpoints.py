"""Which checkpoint of a run may be gone on from: the newest that was written to its end."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MARK = "whole"


def mark_whole(checkpoint: Path) -> None:
    """Called when everything else in it is written; brings all of it to the disk first."""
    for file in checkpoint.iterdir():
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
    with (checkpoint / MARK).open("w") as mark:
        os.fsync(mark.fileno())


def last_whole(run: Path) -> str | None:
    """The newest whole checkpoint's path; newer ones that are half written are removed."""
    found = sorted(run.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    for checkpoint in reversed(found):
        if (checkpoint / MARK).exists():
            return str(checkpoint)
        shutil.rmtree(checkpoint, ignore_errors=True)  # with several GPUs, each tries
    return None
