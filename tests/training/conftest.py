"""Shared by the tests of training; those that need torch are skipped where it is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.tiny_run import run, tiny_recipe


@pytest.fixture(scope="session")
def tokenizer(tokenizer_folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tokenizer_folder)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    """A gpt-oss of two layers, with its tokenizer."""
    from tests.gpt_oss_tokenizer import link_tokenizer
    from tests.tiny_gpt_oss import checkpoint

    folder = checkpoint(tmp_path_factory.mktemp("base"))
    link_tokenizer(tokenizer_folder, folder)
    return folder


@pytest.fixture(scope="session")
def tiny(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe for it."""
    return tiny_recipe(tmp_path_factory.mktemp("recipe"), base)


@pytest.fixture(scope="session")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of that recipe."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    ended = run(tiny, out)
    assert ended.returncode == 0, ended.stderr[-2_000:]
    assert "rows: read 10" in ended.stdout
    for bar in ("loss of the base: 100%", "| 8/8 [", "loss of the adapter: 100%"):
        assert bar in ended.stderr
    assert "aux_loss" not in ended.stdout, "the loss counts what is said, and no router's balance"
    return out
