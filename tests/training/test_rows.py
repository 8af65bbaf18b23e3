"""Rows from files: what is taken, what is refused, and by which place it is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.recipe import Source
from training.rows import RowError, key, present, read_questions, read_rows

ROW = {"question": "What is asthma?", "reasoning": "Airways narrow.", "answer": "A disease."}


def jsonl(path: Path, *rows: object) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def test_rows_come_in_order_with_their_blanks_trimmed(tmp_path: Path) -> None:
    name = jsonl(tmp_path / "rows.jsonl", ROW | {"answer": " A disease. \n"}, ROW)
    assert [row.answer for row in read_rows(Source(jsonl=name), 1)] == ["A disease."] * 2


def test_another_set_s_names_are_understood(tmp_path: Path) -> None:
    theirs = {"Question": "Q?", "Complex_CoT": "R.", "Response": "A."}
    names = {"question": "Question", "reasoning": "Complex_CoT", "answer": "Response"}
    name = jsonl(tmp_path / "rows.jsonl", theirs)
    row = read_rows(Source(jsonl=name, fields=names), 1)[0]
    assert (row.question, row.reasoning, row.answer) == ("Q?", "R.", "A.")


def test_the_same_seed_draws_the_same_rows(tmp_path: Path) -> None:
    name = jsonl(tmp_path / "rows.jsonl", *(ROW | {"question": f"Q{n}"} for n in range(50)))
    drawn = [[row.question for row in read_rows(Source(jsonl=name, rows=9), s)] for s in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 9


def test_a_reasoning_that_is_missing_is_the_source_s_or_a_fault(tmp_path: Path) -> None:
    name = jsonl(tmp_path / "rows.jsonl", ROW | {"reasoning": None})
    assert read_rows(Source(jsonl=name, reasoning="I decline."), 1)[0].reasoning == "I decline."
    with pytest.raises(RowError, match="line 1, has no reasoning"):
        read_rows(Source(jsonl=name), 1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"question": "Secret?", "reasoning": "r"}', "rows.jsonl, line 2, has no answer"),
        ('{"question": "  ", "reasoning": "r", "answer": "Secret"}', "line 2, has no question"),
        ('{"question": "Secret', "rows.jsonl, line 2, is no JSON object"),
        ('["Secret"]', "line 2, is no JSON object"),
        ('{"question": 7, "reasoning": "Secret", "answer": "a"}', "line 2, has no question"),
    ],
)
def test_a_wrong_row_is_named_by_its_place_and_never_quoted(
    line: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(ROW) + "\n" + line + "\n", "utf-8")
    with pytest.raises(RowError, match=said) as refused:
        read_rows(Source(jsonl=str(file)), 1)
    assert "Secret" not in str(refused.value)


def test_an_empty_file_and_a_missing_one_are_one_sentence_each(tmp_path: Path) -> None:
    with pytest.raises(RowError, match="has no rows"):
        read_rows(Source(jsonl=jsonl(tmp_path / "rows.jsonl")), 1)
    with pytest.raises(RowError, match=r"gone\.jsonl is not"):
        read_rows(Source(jsonl="gone.jsonl"), 1)


def test_a_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RowError, match="cannot be read as text"):
        read_rows(Source(jsonl=str(tmp_path / "rows.jsonl")), 1)


def test_a_folder_is_all_of_its_files(tmp_path: Path) -> None:
    for n in range(3):
        jsonl(tmp_path / f"{n}.jsonl", ROW | {"question": f"Q{n}"})
    assert read_questions(Source(jsonl=str(tmp_path))) == ["Q0", "Q1", "Q2"]


def test_a_question_may_lie_inside_another_field(tmp_path: Path) -> None:
    name = jsonl(tmp_path / "rows.jsonl", {"data": {"Question": "Q?"}}, {"data": "Q?"})
    assert read_questions(Source(jsonl=name, fields={"question": "data.Question"})) == ["Q?"]


def test_an_evaluation_in_which_no_question_is_found_is_a_fault(tmp_path: Path) -> None:
    """Or a set that was renamed would filter nothing, in silence."""
    name = jsonl(tmp_path / "rows.jsonl", {"prompt": "Q?"})
    with pytest.raises(RowError, match="has no questions, by the name of question"):
        read_questions(Source(jsonl=name))


def test_files_that_are_optional_are_read_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Source(jsonl="not-everywhere", optional=True)
    kept = Source(jsonl="needed")
    monkeypatch.setenv("MEDICAL_DATA", str(tmp_path))
    assert present([wanted, kept]) == (kept,)
    (tmp_path / "not-everywhere").mkdir()
    assert present([wanted, kept]) == (wanted, kept)


def test_two_spellings_of_a_question_are_one() -> None:
    assert key("What is  Asthma?") == key("what is asthma") != key("what is anaemia")
