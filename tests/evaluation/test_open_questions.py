"""The forty open questions: no point is given away, and good answers have their points."""

from __future__ import annotations

from collections import Counter

import pytest

from evaluation.form import Reply
from evaluation.open_answers import CLAIMS, UNJUDGED, judged, judging, questions, score
from evaluation.reading import NO_ANSWER
from evaluation.wordings import says
from safety.red_flags import read

QUESTIONS = {each.id: each for each in questions()}
ANSWERS = {
    "concept-05": """Type 1 diabetes is an autoimmune disease: the beta cells of the pancreas are
        destroyed, the body makes little or no insulin, and patients need insulin for life. It
        usually begins in children and young adults and may first show as ketoacidosis. In type 2
        the tissues are insulin resistant; it is tied to obesity and is treated with diet, exercise
        and metformin first.""",
    "differential-05": """Gout is the most likely. Septic arthritis has to be excluded, and
        pseudogout, trauma and cellulitis are possible. Aspiration of the joint fluid proves it:
        needle-shaped, negatively birefringent urate crystals under polarised light.""",
    "treatment-07": """Four drugs lower mortality: an ACE inhibitor or sacubitril/valsartan, a
        beta-blocker such as bisoprolol, a mineralocorticoid receptor antagonist such as
        spironolactone, and an SGLT2 inhibitor such as dapagliflozin. Loop diuretics relieve
        congestion. Doses are titrated while potassium and creatinine are monitored.""",
    "pathophysiology-08": """Fibrosis raises the resistance to portal flow: portal hypertension.
        Collateral veins of the oesophagus dilate and may rupture. Splanchnic vasodilation activates
        the renin system, so that sodium is retained; with low albumin, fluid collects as ascites.
        Bleeding is worse because clotting factors and platelets are low.""",
}
VAGUE = """It is important to talk to a doctor, who will look at the whole picture, take a history
    and decide on what is best. There are many possible reasons, and each person is different."""


def value(name: str, answer: str) -> float:
    found = score(QUESTIONS[name].facts, Reply("", answer, "finished"), {}).value
    assert found is not None
    return found


def test_each_claim_of_the_model_card_has_ten_questions_with_points_of_their_own() -> None:
    assert Counter(each.group for each in QUESTIONS.values()) == dict.fromkeys(CLAIMS.values(), 10)
    assert len(QUESTIONS) == len({each.prompt for each in QUESTIONS.values()}) == 40
    for each in QUESTIONS.values():
        points = each.facts["points"]
        assert 5 <= len(points) <= 7, each.id
        assert all(len(point) > 1 or len(point[0].split()) < 4 for point in points), each.id


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_gives_none_of_its_points_away(name: str) -> None:
    """A model that only repeats the question has nothing of the answer."""
    asked = QUESTIONS[name]
    given = [point[0] for point in asked.facts["points"] if says(asked.prompt, point)]
    assert not given


@pytest.mark.parametrize("name", ANSWERS)
def test_a_good_answer_has_the_points_of_its_question_and_of_no_other_claim(name: str) -> None:
    assert value(name, ANSWERS[name]) == 1.0
    others = [value(other, ANSWERS[name]) for other in QUESTIONS if other != name]
    assert sum(others) / len(others) < 0.15


def test_a_vague_answer_has_next_to_nothing() -> None:
    values = [value(name, VAGUE) for name in QUESTIONS]
    assert sum(values) / len(values) < 0.05


def test_no_question_is_taken_for_an_emergency() -> None:
    for each in QUESTIONS.values():
        assert read([each.prompt]).level.value == "none", each.id


def test_no_answer_is_unscored() -> None:
    assert (
        score(QUESTIONS["concept-01"].facts, Reply("a trace", " ", "length"), {}).why == NO_ANSWER
    )


FACTS = {"points": [["first", "one"], ["second"], ["third"]]}


@pytest.mark.parametrize(
    ("verdict", "found"),
    [
        ("1: yes\n2: no\n3: yes", 2 / 3),
        ("1. Yes\n2) No.\n- 3 - yes", 2 / 3),
        ("Here it is:\n\n1: yes\n2: yes\n3: yes\n\nDone.", 1.0),
        ("1: no\n2: no\n3: no", 0.0),
        ("1: yes\n2: no", None),
        ("1: yes\n2: no\n3: maybe", None),
        ("1: yes\n1: no\n2: no\n3: yes", None),
        ("1: yes\n2: no\n3: yes\n4: yes", None),
        ("", None),
    ],
)
def test_a_judge_s_verdict_counts_only_whole(verdict: str, found: float | None) -> None:
    read = judged(FACTS, verdict)
    assert read.value == (None if found is None else pytest.approx(found))
    assert read.why == (UNJUDGED if found is None else "")


def test_a_judge_sees_the_answer_and_no_reasoning() -> None:
    asked = judging("Why?", FACTS, Reply("SECRET", "Because.", "finished"))
    assert "SECRET" not in asked
    assert all(part in asked for part in ("Why?", "Because.", "1: first", "3: third"))
