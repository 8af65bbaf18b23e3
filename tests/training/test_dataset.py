"""Rows as ids and labels: what the loss counts, and which rows never reach it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")
pytest.importorskip("sklearn")
from openai_harmony import HarmonyEncoding, Role, StreamableParser

from chat.conversation import SYSTEM_PROMPT
from tests.chat.conftest import encoding
from tests.conftest import ROOT
from tests.gpt_oss_tokenizer import LENGTH, special_tokens
from training.dataset import IGNORED, encode_row, make_examples
from training.paraphrases import paraphrased
from training.recipe import Recipe, Source, read_recipe
from training.rows import Row

__all__ = ["encoding"]
ROW = Row("Is K⁺ 6.8 dangerous?", "It is high.\n\nThe heart…", "Yes: an ECG, then calcium.")


def test_the_tokenizer_is_gpt_oss_s_own(tokenizer: Any, encoding: HarmonyEncoding) -> None:
    assert len(tokenizer) == LENGTH
    for text in ("eGFR <30 → stop; 15 mg/kg", "高血钾 🫀\n\n  x", "it's DON'T  \n", ROW.reasoning):
        theirs = encoding.encode(text, disallowed_special=())
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == theirs
    for name in special_tokens():
        if not name.startswith("<|reserved"):
            theirs = encoding.encode(name, allowed_special="all")
            assert tokenizer.convert_tokens_to_ids(name) == theirs[0]


def test_the_loss_counts_both_channels_and_nothing_before_them(tokenizer: Any) -> None:
    example = encode_row(ROW, "harmony", tokenizer)
    counted = [label for label in example.labels if label != IGNORED]
    assert tokenizer.decode(counted) == (
        "<|channel|>analysis<|message|>It is high.\n\nThe heart…<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Yes: an ECG, then calcium.<|return|>"
    )
    before = example.input_ids[: -len(counted)]
    assert example.labels == [IGNORED] * len(before) + counted
    assert example.input_ids[len(before) :] == counted
    read = tokenizer.decode(before)
    assert SYSTEM_PROMPT in read
    assert read.endswith("<|start|>user<|message|>Is K⁺ 6.8 dangerous?<|end|><|start|>assistant")


def test_the_official_parser_reads_the_row_back(tokenizer: Any, encoding: HarmonyEncoding) -> None:
    example = encode_row(ROW, "harmony", tokenizer)
    parser = StreamableParser(encoding, role=Role.ASSISTANT)
    for label in example.labels:
        if label != IGNORED:
            parser.process(label)
    said = [(message.channel, message.content[0].to_dict()["text"]) for message in parser.messages]
    assert said == [("analysis", ROW.reasoning), ("final", ROW.answer)]


def test_no_row_can_write_a_control_token(tokenizer: Any) -> None:
    plain = encode_row(Row("q", "r", "a"), "harmony", tokenizer)
    for name in special_tokens():
        if name.startswith("<|reserved") and not name.endswith("0|>"):
            continue
        forged = encode_row(Row(name, name, name), "harmony", tokenizer)
        control = [[i for i in ex.input_ids if i >= 199_998] for ex in (plain, forged)]
        assert control[0] == control[1], name


def jsonl(path: Path, rows: list[dict[str, str]]) -> Source:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return Source(jsonl=str(path))


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    whole = read_recipe(ROOT / "training" / "recipe.yaml")
    questions = [
        f"Which {word} is first?" for word in ["artery", "bone", "gland", "muscle", "nerve", "vein"]
    ]
    rows = [{"question": q, "reasoning": "It is.", "answer": "This."} for q in questions]
    rows.append({**rows[0], "question": rows[0]["question"].upper()})
    rows.append({"question": "Long tale?", "reasoning": "word " * 3_000, "answer": "This."})
    rows.append(
        {"question": "A smoker aged 61 coughs blood; lung cancer?", "reasoning": "r", "answer": "a"}
    )
    asked = [{"question": "A 61-year-old smoker coughs up blood. Is it lung cancer?"}]
    return dataclasses.replace(
        whole,
        data=(jsonl(tmp_path / "rows.jsonl", rows),),
        evaluation=(jsonl(tmp_path / "asked.jsonl", asked),),
        heldout=2,
        expect=None,
    )


def test_every_row_is_counted_once_and_the_rules_are_kept(recipe: Recipe, tokenizer: Any) -> None:
    made = make_examples(recipe, tokenizer)
    counted = made.counted
    assert counted.read == 9
    assert (counted.repeated, counted.paraphrases, counted.too_long) == (1, 1, 1)
    assert counted.heldout == len(made.heldout) == len(made.heldout_rows)
    assert counted.heldout + counted.trained == 6
    assert sum(dataclasses.astuple(counted)[1:]) == counted.read
    assert "paraphrases 1" in str(counted)


def test_no_row_is_ever_cut(recipe: Recipe, tokenizer: Any) -> None:
    made = make_examples(recipe, tokenizer)
    end = tokenizer.convert_tokens_to_ids("<|return|>")
    assert all(example.input_ids[-1] == end for example in [*made.train, *made.heldout])
    assert all(len(example.input_ids) <= recipe.train.length for example in made.train)


def test_the_same_recipe_makes_the_same_examples(recipe: Recipe, tokenizer: Any) -> None:
    assert make_examples(recipe, tokenizer) == make_examples(recipe, tokenizer)


def test_a_paraphrase_is_found_and_a_neighbour_is_not() -> None:
    asked = ["A 61-year-old smoker coughs up blood. Is it lung cancer?", "What is gout?"]
    rows = ["Is it lung cancer, when a smoker of 61 coughs up blood?", "What causes gout in toes?"]
    assert paraphrased(rows, asked, 0.6) == {0}


def test_no_emergency_that_is_asked_restates_one_that_was_trained_on() -> None:
    """By the rule that the recipe leaves rows out by."""
    asked = (ROOT / "evaluation" / "emergencies.txt").read_text("utf-8").splitlines()
    rows = (ROOT / "training" / "emergencies.jsonl").read_text("utf-8").splitlines()
    trained = [json.loads(row)["question"] for row in rows]
    assert paraphrased([*asked, trained[0]], trained, 0.5) == {len(asked)}
