"""Where replies come from. `open_backend` is the one place that chooses."""

from __future__ import annotations

from dataclasses import dataclass

from backend.base import Backend
from backend.gpu import INSTALL, NEEDED, Gpu, look, nvidia_gpu
from settings import Settings

__all__ = ["Opened", "choose", "nvidia_gpu", "open_backend"]


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
            from backend.local import LocalBackend

            return Opened(LocalBackend.from_settings(settings), why)


def choose(settings: Settings, gpu: Gpu | None = None) -> tuple[str, str]:
    """The backend's name and the reason. `gpu` is looked up if None and nobody chose."""
    if settings.backend != "auto":
        return settings.backend, f"BACKEND is {settings.backend}."
    if settings.modal_endpoint is not None:
        return "remote", "MODAL_ENDPOINT is set."
    gpu = look() if gpu is None else gpu
    if gpu.usable:
        return "local", f"torch sees a GPU with {gpu.memory / 1e9:.0f} GB."
    if not gpu.present:
        why = "No endpoint is set and there is no NVIDIA GPU, so the CPU answers."
    elif not gpu.installed:
        why = (
            "An NVIDIA GPU is here, but not what uses it, so the small embedded model answers on "
            f"the CPU. To use the GPU: {INSTALL}"
        )
    elif gpu.memory:
        why = (
            f"The GPU has {gpu.memory / 1e9:.0f} GB and gpt-oss needs {NEEDED / 1e9:.0f}, so the "
            "small embedded model answers on the CPU."
        )
    else:
        why = "torch does not see the NVIDIA GPU, so the small embedded model answers on the CPU."
    return "embedded", why
