"""Questions from files and from the hub; what is drawn of them; what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation import refusals
from evaluation.questions import BANKS, QuestionsError, draw, read_bank
from tests.conftest import ROOT
from tests.evaluation.conftest import ROWS, questions, write_rows
from tests.rows_hub import rows_hub

DATA = os.environ.get("MEDICAL_DATA")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_rows(tmp_path, "eval/medqa_dev.jsonl", questions(ROWS + ROWS[:1]))
    return tmp_path


def test_a_question_that_is_asked_twice_is_kept_once_and_both_are_counted(folder: Path) -> None:
    read = read_bank("medqa", folder)
    assert [question.text for question in read.questions] == [text for text, *_ in ROWS]
    assert (read.data["rows"], read.data["asked_once"]) == (5, 4)
    assert (read.data["chance"], read.data["commonest"]) == (0.25, 0.25)
    assert read.data["revision"].startswith("tests@0000000 sha256:")


def test_more_questions_begin_with_those_of_fewer_and_another_seed_draws_others() -> None:
    rows = list(range(100))
    assert draw(rows, 1, 30) == draw(rows, 1, 60)[:30]
    assert draw(rows, 1, 30) != draw(rows, 2, 30)
    assert sorted(draw(rows, 1, 1_000)) == rows


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"options": ["a"]}, "has no question with options"),
        ({"options": ["a", ""]}, "has no question with options"),
        ({"options": "ab"}, "has no question with options"),
        ({"question": " "}, "has no question with options"),
        ({"answer_idx": 4}, "does not say which option is right"),
        ({"answer_idx": True}, "does not say which option is right"),
        ({"answer_idx": "1"}, "does not say which option is right"),
    ],
)
def test_a_row_that_cannot_be_scored_is_refused_by_its_place(
    folder: Path, row: dict, sentence: str
) -> None:
    rows = [*questions(ROWS[:1]), {**questions(ROWS[:1])[0], **row}]
    write_rows(folder, "eval/medqa_dev.jsonl", rows)
    with pytest.raises(QuestionsError, match=rf"^medqa_dev.jsonl, line 2, {sentence}"):
        read_bank("medqa", folder)


def test_a_missing_or_broken_file_is_told_in_a_sentence(folder: Path) -> None:
    with pytest.raises(QuestionsError, match="set MEDICAL_DATA to the folder"):
        read_bank("mmlu", folder)
    (folder / BANKS["mmlu"].file).write_text("[]\n")
    with pytest.raises(QuestionsError, match="line 1, is no JSON object"):
        read_bank("mmlu", folder)
    with pytest.raises(QuestionsError, match="set MEDICAL_DATA"):
        refusals.ask(None, 1, 1)


@pytest.mark.skipif(DATA is None, reason="MEDICAL_DATA is not set")
@pytest.mark.parametrize(
    ("name", "rows", "once", "options"),
    [("medqa", 1_272, 1_272, 4), ("medmcqa", 1_000, 1_000, 4), ("pubmedqa", 500, 500, 3),
     ("mmlu", 1_089, 1_011, 4)],
)  # fmt: skip
def test_the_real_files_are_read_whole(name: str, rows: int, once: int, options: int) -> None:
    read = read_bank(name, Path(DATA or ""))
    assert (read.data["rows"], read.data["asked_once"]) == (rows, once)
    assert {len(question.options) for question in read.questions} == {options}
    assert all(question.context for question in read.questions) is (name == "pubmedqa")
    assert len({question.id for question in read.questions}) == once


@pytest.mark.skipif(DATA is None, reason="MEDICAL_DATA is not set")
def test_no_refusal_that_the_adapter_was_trained_on_is_asked() -> None:
    from training.recipe import read_recipe
    from training.rows import find, read_rows

    recipe = read_recipe(ROOT / "training" / "embedded.yaml")
    [source] = [each for each in recipe.data if "refusals" in each.name]
    trained = {row.question for row in read_rows(source, recipe.train.seed)}
    assert len(trained) == source.rows == 80
    assert find(refusals.FILES[refusals.HARMFUL])
    asked = refusals.ask(Path(DATA or ""), 42, 1_000).items
    harmful = [item for item in asked if item.group == refusals.HARMFUL]
    assert len(harmful) == 120
    assert not {item.prompt.strip() for item in harmful} & trained


HUB = {
    "medqa": {"question": "Q?", "answer_idx": "B", "options": {"A": "a", "B": "b", "C": "c"}},
    "medmcqa": {"question": "Q?", "opa": "a", "opb": "b", "opc": "c", "opd": "d", "cop": 1,
                "choice_type": "single"},
    "pubmedqa": {"pubid": 7, "question": "Q?", "context": {"contexts": ["One.", "Two."]},
                 "final_decision": "no"},
    "mmlu": {"question": "Q?", "choices": ["a", "b", "c", "d"], "answer": 1},
}  # fmt: skip
READ = """
import json, sys
from evaluation.questions import QuestionsError, read_bank
try:
    read = read_bank(sys.argv[1], None)
    print(json.dumps([[q.id, q.text, q.options, q.right, q.context] for q in read.questions]))
except QuestionsError as error:
    print(error)
"""


def read_from_hub(name: str, address: str, home: Path) -> str:
    environ = {"PATH": os.environ["PATH"], "HF_HOME": str(home), "HF_ENDPOINT": address}
    command = [sys.executable, "-c", READ, name]
    ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    return ran.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize("name", HUB)
def test_the_hub_s_rows_are_asked_for_at_the_pinned_commit(name: str, tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    [wanted, *_] = BANKS[name].hub
    configs = [each.config or "default" for each in BANKS[name].hub]
    lines = "".join(
        f"- config_name: {config}\n  data_files:\n  - split: {wanted.split}\n    path: rows.json\n"
        for config in configs
    )
    row, other = HUB[name], {**HUB[name], "choice_type": "multi", "question": "Another?"}
    rows = [row, other] if name == "medmcqa" else [row]
    files = {
        "README.md": f"---\nconfigs:\n{lines}---\n".encode(),
        "rows.json": json.dumps(rows).encode(),
    }
    with rows_hub(wanted.name, wanted.revision, files) as address:
        [[tag, text, options, right, context]] = json.loads(read_from_hub(name, address, tmp_path))
    assert (text, right) == ("Q?", 1)
    assert options[:2] == (["yes", "no"] if name == "pubmedqa" else ["a", "b"])
    assert context == ("One.\n\nTwo." if name == "pubmedqa" else "")
    assert tag.startswith(name)
    with rows_hub(wanted.name, "d" * 40, files) as address:
        said = read_from_hub(name, address, tmp_path / "other")
    assert said.startswith(f"{wanted.name} could not be had from the hub (")


def test_the_hub_s_commits_are_those_that_training_keeps_apart_from() -> None:
    from training.recipe import read_recipe

    kept = {
        (each.hub, each.config, each.split, each.revision)
        for each in read_recipe(ROOT / "training" / "recipe.yaml").evaluation
    }
    for bank in BANKS.values():
        for each in bank.hub:
            assert (each.name, each.config, each.split, each.revision) in kept
