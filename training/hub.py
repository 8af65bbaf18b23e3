"""A folder on this disk, or a snapshot from the hub at a revision."""

# pyright: reportUnknownVariableType=false

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from training.disk import disk_full

WANTED = ["*.safetensors", "*.json", "*.txt", "*.jinja", "*.model", "LICENSE*", "README*"]
UNWANTED = ["*/*"]
"""Folders hold the same weights in other forms (gpt-oss's `original`, `metal`), or checkpoints."""


class HubError(RuntimeError):
    """A model that could not be had."""


@dataclass(frozen=True, slots=True)
class Found:
    folder: Path
    name: str = ""
    """On the hub; empty for a folder of this disk."""
    revision: str = ""
    """The commit on the hub, whatever was asked for."""

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}" if self.name else self.folder.resolve().name


def fetch(name: str, revision: str | None = None) -> Found:
    """What `name` (a folder, or owner/name[@revision] of the hub) stands for. Raises `HubError`."""
    if Path(name).expanduser().is_dir():
        if revision:
            raise HubError(f"{name} is a folder of this disk, which has no revision {revision}.")
        return Found(Path(name).expanduser())
    name, _, named = name.partition("@")
    revision = revision or named or None
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise HubError(f"{name} is no folder here and no name of the hub (owner/name).")
    try:
        folder = Path(
            snapshot_download(
                name, revision=revision, allow_patterns=WANTED, ignore_patterns=UNWANTED
            )
        )
    except (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OSError,
        ValueError,
    ) as error:
        if disk_full(error):
            raise HubError(
                f"The disk is full, so {name} could not be fetched: make room, or set HF_HOME to a "
                "folder on another disk."
            ) from None
        at = f" at revision {revision}" if revision else ""
        raise HubError(
            f"{name}{at} could not be had from the hub ({type(error).__name__}): look at the name, "
            "the revision and the connection."
        ) from None
    return Found(folder, name, folder.name)  # the hub's cache names snapshots by their commit
