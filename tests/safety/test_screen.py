"""Row 70: what may be shown of a reply, looked at while it grows."""

from __future__ import annotations

import random

import pytest

from safety.answer_rules import Kind, Rule, load
from safety.screen import Screen, screened
from safety.watch import Watch

RULE = load()[Kind.WITHHOLD]
BEFORE = "Paracetamol is a painkiller. It is safe at usual doses. "
AFTER = " And then more text follows."
FIRES = [(rule, text) for rule in RULE.rules for text in rule.examples]
PASSES = [text for rule in RULE.rules for text in rule.near_misses]


def watched(text: str, size: int) -> tuple[str, str | None]:
    """What passes of `text` in pieces of `size`, and the rule that fired."""
    watch, passed = Watch(), ""
    for at in range(0, len(text), size):
        passed += watch.take(text[at : at + size])
        assert RULE.judge(passed, ended=True).rule is None, "it was shown"
    return passed + watch.close(), watch.rule


@pytest.mark.parametrize(("rule", "text"), FIRES, ids=lambda each: getattr(each, "id", None))
@pytest.mark.parametrize("size", [1, 2, 5, 40])
def test_row_70_nothing_that_breaks_a_rule_passes_wherever_the_pieces_end(
    rule: Rule, text: str, size: int
) -> None:
    passed, fired = watched(BEFORE + text + AFTER, size)
    assert fired is not None
    assert passed.startswith(BEFORE[:20])
    assert len(passed) < len(BEFORE + text)


@pytest.mark.parametrize("text", PASSES)
@pytest.mark.parametrize("size", [1, 3, 40])
def test_row_70_teaching_passes_whole(text: str, size: int) -> None:
    whole = BEFORE + text + AFTER
    assert watched(whole, size) == (whole, None)


def test_a_number_waits_for_its_unit_only_where_something_lethal_is_spoken_of() -> None:
    watch = Watch()
    assert watch.take("A potassium of 7") == "A potassium of 7"
    watch = Watch()
    assert watch.take("It is fatal in 5").rstrip() == "It is fatal in"
    assert watch.take("% of cases") == "5% of "
    assert watch.close() == "cases"


def test_reasoning_is_held_against_the_same_rules_and_marked_the_same_way() -> None:
    kills = "The lethal dose is 10 g."
    assert screened(kills, "I cannot say.").withheld == "lethal-dose"
    assert screened("Hm.", kills).reasoning == ""
    shown = screened("<img> PMID 123456", "x")
    assert "<i" not in shown.reasoning
    assert "unverified" in shown.reasoning


def test_what_nobody_sees_hides_no_word_and_reverses_no_host() -> None:
    assert screened("", "The le\u200bthal dose is 1\u200b0 g.").withheld == "lethal-dose"
    assert "\u202e" not in screened("", "[\u202ea](https://nhs.uk)").answer


@pytest.mark.parametrize("unseen", "\u00ad\u034f\u200b\u200c\u200d\u2060\ufeff")
@pytest.mark.parametrize("size", [1, 3, 60])
def test_nothing_unseen_in_a_word_hides_it_from_the_rules(unseen: str, size: int) -> None:
    text = f"The le{unseen}th{unseen}{unseen}al do{unseen}se for an adult is 10 g. Take"
    assert watched(text, size)[1] == "lethal-dose"


def test_joiners_that_a_script_or_an_emoji_needs_stay() -> None:
    text = "می\u200cخواهم, क्\u200dष, 👩\u200d⚕️ help."
    assert watched(text, 1)[0] == text


CAUTIONS = [(rule, text) for rule in load()[Kind.CAUTION].rules for text in rule.examples]


@pytest.mark.parametrize(("rule", "text"), CAUTIONS, ids=lambda each: getattr(each, "id", None))
def test_row_70_a_dose_is_cautioned_as_soon_as_it_is_there(rule: Rule, text: str) -> None:
    draw, screen = random.Random(3), Screen()  # noqa: S311
    whole, at = f"{AFTER.strip()} {text}", 0
    while at < len(whole):
        at = min(len(whole), at + draw.randint(1, 6))
        seen = screen.read("", whole[:at], ended=False)
    assert seen.caution or screen.read("", whole + " and", ended=False).caution


def test_row_70_an_answer_without_a_dose_has_no_caution() -> None:
    plain = "A stroke is an emergency. A glucose of 126 mg/dL is high. Rest for two days."
    assert not screened("Perhaps 500 mg twice daily.", plain).caution
