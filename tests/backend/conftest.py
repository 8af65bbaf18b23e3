"""The embedded model, found or fetched as the app does it, and loaded once for all tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.base import NotReady
from backend.embedded import EmbeddedBackend
from backend.fetching import Fetching
from backend.loading import Loaded
from backend.model_file import obtain
from settings import Settings


def unwatched() -> Fetching:
    return Fetching(lambda share: None, threading.Event())


@pytest.fixture(scope="session")
def model_path() -> Path:
    try:
        return obtain(Settings(), unwatched()).path
    except NotReady as error:
        # Where everything must run, what does not run has failed.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))


@pytest.fixture(scope="session")
def embedded(model_path: Path) -> Iterator[EmbeddedBackend]:
    backend = EmbeddedBackend.from_settings(Settings(embedded_model=str(model_path)))
    yield backend
    backend.close()


@pytest.fixture(scope="session")
def loaded(embedded: EmbeddedBackend) -> Loaded:
    """The model inside `embedded`, for tests that look at tokens."""
    model = embedded._loading.wait(60.0)  # pyright: ignore[reportPrivateUsage]
    assert model is not None
    return model
