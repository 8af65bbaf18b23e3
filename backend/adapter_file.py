"""The embedded model's adapter: the one in `models/`, the owner's own, or none.

The one in `models/` was trained on the default model and fits no other (see `models/README.md`).
"""

from __future__ import annotations

from pathlib import Path

from backend.base import NotReady
from backend.gguf_header import read_header
from backend.model_file import NAME, SHA256, ModelFile, sha256
from settings import OWN_ADAPTER, Settings

SHIPPED = Path(__file__).parent.parent / "models" / "medical-reasoning.gguf"


def chosen(settings: Settings) -> ModelFile | None:
    """The owner's own adapter, if there is one. Raises `NotReady` where it is no adapter."""
    path = settings.embedded_adapter
    if not isinstance(path, Path):
        return None
    if read_header(path).kind != "adapter":
        raise NotReady(f"EMBEDDED_ADAPTER is {path.name}, which holds no adapter.")
    return _adapter(path)


def shipped(settings: Settings, model: ModelFile) -> ModelFile | None:
    """The one in `models/`, unless `model` is not what it was trained on, or it is not wanted.

    Raises `NotReady` where the file is missing.
    """
    trained_on = (model.name, model.revision) == (NAME, SHA256[:12])
    if settings.embedded_adapter != OWN_ADAPTER or not trained_on:
        return None
    try:
        return _adapter(SHIPPED)
    except OSError:
        raise NotReady(
            f"models/{SHIPPED.name} is missing: fetch the project whole, or set "
            "EMBEDDED_ADAPTER=none to use the model without it."
        ) from None


def _adapter(path: Path) -> ModelFile:
    return ModelFile(path, path.stem, sha256(path)[:12])
