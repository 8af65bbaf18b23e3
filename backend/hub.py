"""One file of a model on the Hugging Face hub, or its weights, or a copy fetched before.

The download runs in a child process (this file is its program), because a download in a thread
cannot be ended.
"""

from __future__ import annotations

import errno
import importlib
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from backend.fetching import Fetching
from settings import Secret

FORM = re.compile(r"([\w.-]+/[\w.-]+):([\w.-]+(?:/[\w.-]+)*\.gguf)(?:@([\w.-]+))?")
ROOT = Path(__file__).resolve().parent.parent

WEIGHTS = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]
"""Of a whole repository. Nothing that can run code when it is opened, such as pickled weights."""
FOLDERS = ["*/*"]
"""They hold the same weights in other forms (gpt-oss's `original` and `metal`)."""

MISSING, DENIED, UNREACHABLE, FULL = 3, 4, 5, 6  # exit codes of the child
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class NotOnHub(Exception):
    """The file could not be had from the hub. `str` says why, in the rest of a sentence."""


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file on the hub; `revision` is a commit, branch or tag, None for the newest.

    Without a `file`: the folder of the repository's `WEIGHTS`.
    """

    repo: str
    file: str
    revision: str | None


def parse(text: str) -> HubFile | None:
    """`owner/repo:file.gguf`, `owner/repo:folder/file.gguf@revision`; None for anything else."""
    match = FORM.fullmatch(text)
    return HubFile(match[1], match[2], match[3]) if match else None


def fetch(wanted: HubFile, fetching: Fetching, token: Secret | None) -> tuple[Path, str]:
    """The file in the hub's own cache, and the commit it is of.

    Raises `NotOnHub` and `Cancelled`.
    """
    environment = {**os.environ, "HF_HUB_DISABLE_TELEMETRY": "1"}
    if token is not None:
        environment["HF_TOKEN"] = token.reveal()
    command = [sys.executable, "-m", "backend.hub", wanted.repo, wanted.file, wanted.revision or ""]
    with _temporary() as said:
        try:
            child = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is for us, who then end it
            )
        except OSError:
            raise NotOnHub("the program that fetches it could not be started") from None
        code = fetching.follow(child, lambda: _share(said))
        if code == 0:
            path = Path(_last_line(said))
            return path, _commit(path)
    raise NotOnHub(_REASONS.get(code, "the download failed"))


_REASONS = {
    MISSING: "the hub has no such repository, revision or file",
    DENIED: "the hub does not allow it: set HF_TOKEN to the token of an account that may read it",
    UNREACHABLE: "the hub cannot be reached: connect this machine and ask again",
    FULL: "the disk is full: make room, or set HF_HOME to a folder on another disk",
}


def _temporary() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError:
        raise NotOnHub("no temporary file can be written: set TMPDIR to another folder") from None


def _share(said: IO[bytes]) -> float | None:
    try:
        return float(_last_line(said))
    except ValueError:
        return None


def _last_line(said: IO[bytes]) -> str:
    """The child's last whole line; read by position, since the child shares the offset."""
    size = os.fstat(said.fileno()).st_size
    tail = os.pread(said.fileno(), 8_192, max(0, size - 8_192)).decode("utf-8", "replace")
    lines = tail.split("\n")
    return lines[-2] if len(lines) > 1 else ""


def _commit(path: Path) -> str:
    """From the hub's cache layout, `snapshots/<commit>/<file>`."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts else ""


def main(repo: str, file: str, revision: str) -> int:
    """The child: fetch, telling the share done and at last the path, a line each."""
    huggingface_hub: Any = importlib.import_module("huggingface_hub")
    tqdm: Any = importlib.import_module("tqdm")
    errors: Any = importlib.import_module("huggingface_hub.errors")

    def update(bar: Any, n: float | None = 1) -> Any:
        shown = tqdm.tqdm.update(bar, n)
        # Of a whole repository there is a bar of files too, and one whose total still grows.
        if bar.total and bar.unit == "B" and "incomplete" not in (bar.desc or ""):
            print(f"{min(1.0, bar.n / bar.total):.3f}", flush=True)
        return shown

    told = type("Told", (tqdm.tqdm,), {"update": update})
    try:
        path: str = (
            huggingface_hub.hf_hub_download(repo, file, revision=revision or None, tqdm_class=told)
            if file
            else huggingface_hub.snapshot_download(
                repo,
                revision=revision or None,
                allow_patterns=WEIGHTS,
                ignore_patterns=FOLDERS,
                tqdm_class=told,
            )
        )
    except errors.GatedRepoError:
        return DENIED
    except errors.LocalEntryNotFoundError as error:  # not here, and no connection
        return FULL if no_room(error) else UNREACHABLE
    except (
        errors.RepositoryNotFoundError,
        errors.RevisionNotFoundError,
        errors.EntryNotFoundError,
    ):
        return MISSING
    except (errors.HfHubHTTPError, OSError) as error:
        return FULL if no_room(error) else UNREACHABLE
    except RuntimeError as error:  # the hub's downloader in Rust says it in its text only
        if no_room(error):
            return FULL
        raise
    print(path, flush=True)
    return 0


def no_room(error: BaseException | None) -> bool:
    """Whether a full disk, or a quota, is what `error` came of."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return True
        if any(f"os error {number}" in str(error) for number in NO_ROOM):
            return True
        error = error.__cause__ or error.__context__
    return False


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
