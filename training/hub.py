"""A folder on this disk, or a snapshot from the hub at a pinned revision."""

# pyright: reportUnknownVariableType=false

from __future__ import annotations

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

WANTED = ["*.safetensors", "*.json", "*.txt", "*.jinja", "*.model", "LICENSE*", "README*"]
UNWANTED = ["original/*", "metal/*", "*.bin", "*.py"]


class HubError(RuntimeError):
    """A model that could not be had."""


def fetch(name: str, revision: str | None = None) -> Path:
    """The folder that holds `name`. Raises `HubError`."""
    if Path(name).expanduser().is_dir():
        return Path(name).expanduser()
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise HubError(f"{name} is no folder here and no name of the hub (owner/name).")
    try:
        return Path(
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
        at = f" at revision {revision}" if revision else ""
        raise HubError(
            f"{name}{at} could not be had from the hub ({type(error).__name__}): look at the name, "
            "the revision and the connection."
        ) from None
