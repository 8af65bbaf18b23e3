"""Where replies come from. `open_backend` is the one place that chooses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backend.base import Backend
from settings import Settings, SettingsError

NOT_YET = "This version cannot use this machine's GPU: set BACKEND=embedded or MODAL_ENDPOINT."


@dataclass(frozen=True, slots=True)
class Opened:
    """A backend, and why it was this one: a sentence for the page and the terminal."""

    backend: Backend
    why: str


def open_backend(settings: Settings) -> Opened:
    """The backend the settings ask for. Loads nothing that takes long; raises `SettingsError`."""
    name, why = choose(settings)
    match name:
        case "embedded":
            # Each backend's library is imported only when that backend is opened.
            from backend.embedded import EmbeddedBackend

            return Opened(EmbeddedBackend.from_settings(settings), why)
        case "remote":
            from backend.remote import RemoteBackend

            return Opened(RemoteBackend.from_settings(settings), why)
        case _:
            raise SettingsError(NOT_YET)


def choose(settings: Settings, gpu: bool | None = None) -> tuple[str, str]:
    """The backend's name and the reason. `gpu`: is there an NVIDIA GPU; looked up if None."""
    if settings.backend != "auto":
        return settings.backend, f"BACKEND is {settings.backend}."
    if settings.modal_endpoint is not None:
        return "remote", "MODAL_ENDPOINT is set."
    if nvidia_gpu() if gpu is None else gpu:
        return "embedded", (
            "An NVIDIA GPU is here, but this version cannot use it yet, so the small embedded "
            "model answers on the CPU."
        )
    return "embedded", "No endpoint is set and there is no NVIDIA GPU, so the CPU answers."


def nvidia_gpu() -> bool:
    """Whether the NVIDIA driver sees a GPU. Imports no torch."""
    gpus = Path("/proc/driver/nvidia/gpus")
    return gpus.is_dir() and any(gpus.iterdir())
