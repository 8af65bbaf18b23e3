"""The embedded model, found or fetched as the app does it; and the matrix's page."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.base import NotReady
from backend.embedded import EmbeddedBackend
from backend.fetching import Fetching
from backend.loading import Loaded
from backend.model_file import obtain
from settings import Settings
from tests.backend.scene import Stage, stage

Tell = Callable[..., None]


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


@pytest.fixture(scope="session")
def local_folder(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    """A whole gpt-oss of two layers with the real tokenizer, which says what it was made to say."""
    pytest.importorskip("peft")
    # These import torch, which the environment of the page does not have.
    from transformers import AutoTokenizer

    from tests.gpt_oss_tokenizer import link_tokenizer
    from tests.tiny_gpt_oss import checkpoint

    folder = tmp_path_factory.mktemp("gpt-oss-tiny")
    link_tokenizer(tokenizer_folder, folder)
    return checkpoint(folder, tokenizer=AutoTokenizer.from_pretrained(folder))


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The page that the rows of the acceptance matrix are played on."""
    with stage(tmp_path_factory.mktemp("certificates")) as ready:
        yield ready


@pytest.fixture
def tell(record_property: Callable[[str, object], None], request: pytest.FixtureRequest) -> Tell:
    """`tell(row, fault, expected, shown, posts)` puts the row into the report."""
    began = time.monotonic()
    both = "contract" in request.fixturenames
    contract = request.getfixturevalue("contract") if both else "openai"

    def keep(row: int, fault: str, expected: str, shown: str, posts: int) -> None:
        seconds = round(time.monotonic() - began, 1)
        fields = {"row": row, "fault": fault, "contract": contract, "scale": "1/20"}
        fields |= {"expected": expected, "shown": shown, "posts": posts, "seconds": seconds}
        record_property("matrix", fields)

    return keep
