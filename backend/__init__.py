"""Where replies come from. `open_backend` is the one place that chooses."""

from __future__ import annotations

from dataclasses import dataclass

from backend.base import Backend
from backend.gpu import Gpu, look, nvidia_gpu
from backend.why import Reason, Why
from settings import Settings

__all__ = ["Opened", "choose", "nvidia_gpu", "open_backend"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A backend, and why it was this one."""

    backend: Backend
    why: Why


def open_backend(settings: Settings) -> Opened:
    """The backend the settings ask for. Loads nothing that takes long; raises `SettingsError`."""
    why = choose(settings)
    match why.backend:
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


def choose(settings: Settings, gpu: Gpu | None = None) -> Why:
    """Which backend, and the reason. `gpu` is looked up if None and nobody chose."""
    if settings.backend != "auto":
        return Why(Reason.CHOSEN, settings.backend)
    if settings.modal_endpoint is not None:
        return Why(Reason.ENDPOINT, "remote")
    gpu = look() if gpu is None else gpu
    if gpu.usable:
        return Why(Reason.GPU, "local", gpu.memory)
    if not gpu.present:
        return Why(Reason.NO_GPU, "embedded")
    if not gpu.installed:
        return Why(Reason.NO_LIBRARIES, "embedded")
    reason = Reason.SMALL_GPU if gpu.memory else Reason.UNSEEN_GPU
    return Why(reason, "embedded", gpu.memory)
