"""The card says what the run was: of the recipe's, with made-up numbers, and of a real run's."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

pytest.importorskip("torch")

from tests.conftest import ROOT
from training.card import card
from training.dataset import Counted
from training.heldout import estimate
from training.recipe import Expect, Recipe, read_recipe
from training.record import COMMITS, Done, commits, note_commit, record

CARD = ROOT / "training" / "recipe.yaml"
COUNTED = Counted(read=10_000, repeated=3, paraphrases=211, too_long=17, heldout=200, trained=9_569)
LOSSES = {"base": [2.0, 2.2, 2.4], "adapter": [1.5, 1.9, 2.0]}


def made(recipe: Recipe, losses: dict[str, list[float]] = LOSSES) -> str:
    expect = recipe.expect or Expect(1, 2)
    done = Done("python -m training.train x.yaml", COUNTED, expect, losses, 9)
    with TemporaryDirectory() as out:
        note_commit(Path(out))
        return card(record(recipe, done, Path(out)))


def front(text: str) -> dict[str, Any]:
    return yaml.safe_load(text.split("---\n")[1])


def test_the_hub_learns_the_base_the_rows_and_the_licence() -> None:
    assert front(made(read_recipe(CARD))) == {
        "base_model": "openai/gpt-oss-20b",
        "base_model_relation": "adapter",
        "datasets": ["FreedomIntelligence/medical-o1-reasoning-SFT"],
        "license": "apache-2.0",
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "language": ["en"],
        "tags": ["lora", "medical", "reasoning", "harmony"],
    }
    small = front(made(read_recipe(ROOT / "training" / "embedded.yaml")))
    assert small["base_model"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert small["datasets"] == ["FreedomIntelligence/medical-o1-reasoning-SFT"]


def test_every_number_of_the_run_stands_on_its_card() -> None:
    recipe = read_recipe(CARD)
    text = made(recipe)
    assert recipe.base.revision is not None
    assert recipe.data[0].revision is not None
    for part in (
        recipe.base.revision, recipe.data[0].revision, "licence apache-2.0", "seed 42",
        "| read | 10,000 |", "asked twice | 3 |", "question | 211 |", "2,048 tokens | 17 |",
        "| held out | 200 |", "| trained on | 9,569 |", "3,981,312 trainable of 20,918,738,496",
        "| rows a step | 16 |", "| steps | 9 |", "(n =\n3)", "| base | 2.200 (1.974 to 2.426) |",
        "LangAGI-Lab/medbullets (`test`, no pinned revision)",
        "cais/mmlu (`anatomy`, `test`, revision `c30699e8356da336a370243923dbaf21066bb9fe`)",
        "| change | -0.400 (-0.513 to -0.287) |", "`python -m training.train x.yaml`",
        "is not a medical device", "education and research", "peft 0.21.2",
    ):  # fmt: skip
        assert part in text, part
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f"commit: `{head.stdout.strip()}" in text


def test_what_the_original_card_is_silent_about_is_marked_and_nothing_else() -> None:
    recipe = read_recipe(CARD)
    marked = set(re.findall(r"^\| (\w+) \| .* \(ours\) \|$", made(recipe), re.MULTILINE))
    assert marked == set(recipe.ours) - {"license"}
    of_the_card = {"rank", "targets", "learning_rate", "batch", "accumulation", "epochs", "length"}
    assert not marked & (of_the_card | {"schedule", "warmup_ratio"})
    in_comments = {
        line.split(":")[0].strip()
        for line in CARD.read_text("utf-8").splitlines()
        if "# ours" in line
    }
    assert in_comments == set(recipe.ours)


def test_of_a_folder_on_this_machine_only_its_name_is_told(tmp_path: Path) -> None:
    recipe = read_recipe(CARD)
    base = dataclasses.replace(recipe.base, model=str(tmp_path / "base"), revision=None)
    rows = dataclasses.replace(recipe.data[0], hub=None, jsonl=str(tmp_path / "rows.jsonl"))
    text = made(dataclasses.replace(recipe, base=base, data=(rows,)))
    assert str(tmp_path) not in text
    assert "`rows.jsonl`" in text
    assert "base_model" not in front(text)


def test_without_held_out_rows_it_says_that_nothing_was_measured() -> None:
    assert "nothing was measured" in made(read_recipe(CARD), {"base": [], "adapter": []})


def test_a_run_that_went_on_under_other_code_says_so(tmp_path: Path) -> None:
    (tmp_path / COMMITS).write_text("a" * 40 + "\n")
    for _ in range(2):
        note_commit(tmp_path)
    began, went_on = commits(tmp_path)
    assert began == "a" * 40
    done = Done("x", COUNTED, Expect(1, 2), LOSSES, 9)
    assert f"`{began}`, then `{went_on}`" in card(record(read_recipe(CARD), done, tmp_path))


def test_the_interval_is_that_of_a_mean_over_rows() -> None:
    found = estimate([1.0, 2.0, 3.0, 4.0])
    assert (found.mean, found.n) == (2.5, 4)
    assert found.high - found.mean == pytest.approx(1.96 * 1.2909944 / 2)
    assert estimate([2.0]).low == 2.0
