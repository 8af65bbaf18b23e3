"""Which wordings an answer is found to say."""

from __future__ import annotations

import pytest

from evaluation.wordings import says


@pytest.mark.parametrize(
    ("answer", "wording", "found"),
    [
        ("Tissues become Insulin-Resistant.", "insulin resistan*", True),
        ("There is resistance to insulin.", "insulin resistan*", False),
        ("There is resistance to insulin.", "resistance to insulin", True),
        ("Give oxygen, then aspirin 300 mg.", "aspirin", True),
        ("paraspirinal", "aspirin", False),
        ("An ACE inhibitor causes a dry cough.", "ace inhibitor .. cough", True),
        ("Take an ACE inhibitor. A cough is common.", "ace inhibitor .. cough", False),
        ("the loss of a b c d e f g haemoglobin", "loss .. hemoglobin", False),
        ("the loss of a b c d e haemoglobin", "loss .. hemoglobin", True),
        ("Anaemia and oedema", "anemia", True),
        ("Anaemia and oedema", "edema", True),
        ("Ménière’s disease", "meniere's", True),
        ("an HbA1c of 6.5% or more", "6.5%", True),
        ("an HbA1c of 6.5% or more", "hba1c .. 6.5%", True),
        ("It needs a beta-blocker.", "beta blocker*", True),
        ("**Type 2** diabetes\n- thirst", "diabetes", True),
        ("", "aspirin", False),
    ],
)
def test_a_wording_is_found_where_its_words_stand(answer: str, wording: str, found: bool) -> None:
    assert says(answer, [wording]) is found


def test_one_wording_of_several_is_enough() -> None:
    assert says("Start metformin.", ["sulfonylurea", "metformin"])
    assert not says("Start insulin.", ["sulfonylurea", "metformin"])
