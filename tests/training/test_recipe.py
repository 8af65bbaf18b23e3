"""A recipe is read strictly, and the two that are in the repository say what they should."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from training.recipe import RecipeError, read_recipe

CARD = ROOT / "training" / "recipe.yaml"


def test_the_recipe_says_what_the_model_card_says() -> None:
    recipe = read_recipe(CARD)
    assert recipe.base.model == "openai/gpt-oss-20b"
    assert (recipe.lora.rank, recipe.lora.targets) == (8, ("q_proj", "k_proj", "v_proj", "o_proj"))
    how = recipe.train
    assert (how.learning_rate, how.batch, how.accumulation, how.epochs) == (5e-5, 4, 4, 2)
    assert (how.length, how.schedule, how.warmup_ratio) == (2048, "cosine", 0.05)
    source = recipe.data[0]
    assert (source.hub, source.config) == ("FreedomIntelligence/medical-o1-reasoning-SFT", "en")
    assert source.rows == 10_000
    assert recipe.base.revision is not None
    assert source.revision is not None


def test_every_set_that_it_is_filtered_against_is_named_and_pinned_but_one() -> None:
    sets = read_recipe(CARD).evaluation
    assert {each.name for each in sets if each.hub and each.revision is None} == {
        "LangAGI-Lab/medbullets"
    }
    assert all(len(each.revision) == 40 for each in sets if each.revision)
    assert {each.hub for each in sets} >= {"openlifescienceai/medqa", "TsinghuaC3I/MedXpertQA"}
    assert {each.config for each in sets if each.hub == "cais/mmlu"} == {
        "anatomy", "clinical_knowledge", "college_biology",
        "college_medicine", "medical_genetics", "professional_medicine",
    }  # fmt: skip
    assert [each.jsonl for each in sets if each.optional] == ["eval"]


def test_what_the_card_does_not_say_is_marked_as_ours() -> None:
    lines = CARD.read_text("utf-8").splitlines()
    for choice in ("alpha", "dropout", "optimizer"):
        line = next(line for line in lines if line.strip().startswith(f"{choice}:"))
        assert "# ours" in line


def test_the_small_recipe_is_one_too() -> None:
    assert read_recipe(ROOT / "training" / "embedded.yaml").base.format == "text"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  rank: 8", "  ranks: 8", "unknown key, 'ranks'"),
        ("  rank: 8\n", "", "has no 'rank'"),
        ("  rank: 8", "  rank: eight", "lora: rank is 'eight'; it must be of the kind int"),
        ("  rank: 8", "  rank: true", "rank is True"),
        ("  format: harmony", "  format: chatml", "must be one of harmony, text"),
        ("- hub: Free", "- jsonl: a\n    hub: Free", "either `hub` or `jsonl`"),
        ("name: medical", "name: [medical", "no valid YAML"),
        ("    rows: 10000", "    optional: true", "only an evaluation's files may be optional"),
    ],
)
def test_a_wrong_line_is_refused_by_name(old: str, new: str, said: str, tmp_path: Path) -> None:
    text = CARD.read_text("utf-8")
    assert old in text
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(RecipeError, match=said) as refused:
        read_recipe(wrong)
    assert "\n" not in str(refused.value)


def test_a_missing_recipe_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"gone.yaml cannot be read"):
        read_recipe(tmp_path / "gone.yaml")
