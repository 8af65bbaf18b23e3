"""Harmony's parts as token ids, by a tokenizer of transformers.

A marker becomes its one control token. Text never does, whatever it spells: it is tokenised with
special tokens split into ordinary ones. Imports no tokenizer; one is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from chat.harmony_prompt import Marker, Part


class Tokenizer(Protocol):
    """What of `transformers.PreTrainedTokenizerFast` is used."""

    def __call__(
        self, text: str, *, add_special_tokens: bool, split_special_tokens: bool
    ) -> Mapping[str, Any]: ...

    def convert_tokens_to_ids(self, tokens: str) -> Any: ...


def encode(parts: Sequence[Part], tokenizer: Tokenizer) -> list[int]:
    """The ids of `parts`. Raises `ValueError` where the vocabulary lacks a marker."""
    ids: list[int] = []
    for part in parts:
        if isinstance(part, Marker):
            ids.append(_control(part, tokenizer))
        elif part.text:
            text = tokenizer(part.text, add_special_tokens=False, split_special_tokens=True)
            ids += text["input_ids"]
    return ids


def _control(marker: Marker, tokenizer: Tokenizer) -> int:
    found: object = tokenizer.convert_tokens_to_ids(marker.name)
    unknown: object = getattr(tokenizer, "unk_token_id", None)
    if not isinstance(found, int) or found == unknown:
        raise ValueError(f"This tokenizer has no {marker.name}: the model does not speak harmony.")
    return found
