"""The official harmony library, offline: its ranks come from the PyPI package bpe-openai."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from openai_harmony import HarmonyEncoding, HarmonyEncodingName, load_harmony_encoding


@pytest.fixture(scope="session")
def encoding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HarmonyEncoding]:
    """gpt-oss's encoding. The library checks the sha256 of the ranks itself."""
    folder = tmp_path_factory.mktemp("ranks")
    package = find_spec("bpe_openai")  # importing it would load ranks that nobody needs
    assert package is not None, "run: python -m pip install -r requirements-dev.txt"
    packed = Path(package.origin or "").parent / "data" / "o200k_base.tiktoken.gz"
    (folder / "o200k_base.tiktoken").write_bytes(gzip.decompress(packed.read_bytes()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_ENCODINGS_BASE", str(folder))
        yield load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)
