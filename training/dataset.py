"""Rows to token ids and labels: what the model reads, and what of it the loss counts.

The question is the user's turn, after the app's own system prompt; the reasoning is the `analysis`
channel and the answer the `final` one. The loss counts what the assistant writes, in both channels
with their headers and ends, and nothing before it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from chat.conversation import SYSTEM_PROMPT, Conversation, Role, Turn
from chat.encoding import encode
from chat.harmony_prompt import Marker, Part, Text, prompt, reply
from chat.typed_markers import neutralise
from training import processes
from training.paraphrases import paraphrased
from training.recipe import Recipe
from training.rows import Row, key, read_questions, read_rows

IGNORED = -100
"""The label that the loss leaves out (torch's cross entropy)."""
EFFORT = "medium"
"""The rows do not say how much to think; this is what the page asks for unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row as ids; `labels` are the same ids, or `IGNORED`."""

    input_ids: list[int]
    labels: list[int]


@dataclass(frozen=True, slots=True)
class Counted:
    """Where the rows went. Every row read is in exactly one of the others."""

    read: int
    repeated: int
    paraphrases: int
    too_long: int
    heldout: int
    trained: int

    def __str__(self) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in asdict(self).items())


@dataclass(frozen=True, slots=True)
class Examples:
    train: list[Example]
    heldout: list[Example]
    heldout_rows: list[Row]
    counted: Counted


def make_examples(recipe: Recipe, tokenizer: Any) -> Examples:
    """Every row of the recipe, filtered, split and encoded. Raises `RowError`."""
    seed = recipe.train.seed
    sources = [read_rows(source, seed) for source in recipe.data]
    asked = [question for source in recipe.evaluation for question in read_questions(source)]
    first = _distinct(sources[0])
    mixed = [row for rows in sources[1:] for row in rows]
    restated = _restated(first, asked, recipe.similarity)
    kept = [row for row in first if row not in restated]
    random.Random(seed).shuffle(kept)  # noqa: S311
    heldout, rest = kept[: recipe.heldout], kept[recipe.heldout :]
    near = _restated(rest, [row.question for row in heldout], recipe.similarity)
    near |= _restated(mixed, asked, recipe.similarity)
    wanted = [row for row in [*rest, *mixed] if row not in near]
    encoded = _encoded(wanted, recipe, tokenizer)
    train = [example for _, example in encoded if len(example.input_ids) <= recipe.train.length]
    tested = _encoded(heldout, recipe, tokenizer)
    fitting = [(row, ex) for row, ex in tested if len(ex.input_ids) <= recipe.train.length]
    counted = Counted(
        read=sum(map(len, sources)),
        repeated=len(sources[0]) - len(first),
        paraphrases=len(first) - len(kept) + len(rest) + len(mixed) - len(wanted),
        too_long=len(encoded) - len(train) + len(tested) - len(fitting),
        heldout=len(fitting),
        trained=len(train),
    )
    return Examples(train, [ex for _, ex in fitting], [row for row, _ in fitting], counted)


def _encoded(rows: Sequence[Row], recipe: Recipe, tokenizer: Any) -> list[tuple[Row, Example]]:
    from tqdm.auto import tqdm

    seen = tqdm(rows, "encoding", disable=not processes.first() or len(rows) < 1_000)
    return [(row, encode_row(row, recipe.base.format, tokenizer)) for row in seen]


def encode_row(row: Row, form: str, tokenizer: Any) -> Example:
    """`row` as ids and labels. `form` is the recipe's `format`."""
    asked = Conversation((Turn(Role.USER, row.question),))
    written = reply(row.reasoning, row.answer)
    if form == "harmony":
        before, after = encode(prompt(asked, EFFORT), tokenizer), encode(written, tokenizer)
    else:
        before = chat_prompt(row.question, tokenizer)
        after = [id_ for text in as_text(written) for id_ in plain(text, tokenizer)]
    return Example(before + after, [IGNORED] * len(before) + after)


def as_text(parts: Sequence[Part]) -> list[str]:
    """Harmony's markers as literal text, joined as the embedded backend writes them.

    What a row says stands apart from the headers around it, because the backend tokenises its
    headers apart too: other ids would be another prompt.
    """
    pieces: list[str] = []
    header = ""
    for part, before in zip(parts, [None, *parts], strict=False):
        if isinstance(part, Text) and before == Marker("<|message|>"):
            pieces += [header, part.text]
            header = ""
        else:
            header += part.text if isinstance(part, Text) else part.name
    return [*pieces, header]


def chat_prompt(question: str, tokenizer: Any) -> list[int]:
    """The question in the model's own chat template; what was asked can be no control token."""
    slots = {"system": "0x7f3a", "user": "1x7f3a"}
    texts = [SYSTEM_PROMPT, neutralise(question)]
    messages = [{"role": role, "content": slot} for role, slot in slots.items()]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    parts: list[str] = re.split("[01]x7f3a", rendered)
    ids = list(tokenizer(parts[0], add_special_tokens=False)["input_ids"])
    for text, template in zip(texts, parts[1:], strict=True):
        ids += plain(text, tokenizer)
        ids += tokenizer(template, add_special_tokens=False)["input_ids"]
    return ids


def plain(text: str, tokenizer: Any) -> list[int]:
    """Ids of `text`, none of them special."""
    return encode([Text(text)], tokenizer)


def _distinct(rows: Sequence[Row]) -> list[Row]:
    return list({key(row.question): row for row in rows}.values())


def _restated(rows: Sequence[Row], questions: Sequence[str], similarity: float) -> set[Row]:
    return {rows[n] for n in paraphrased([row.question for row in rows], questions, similarity)}
