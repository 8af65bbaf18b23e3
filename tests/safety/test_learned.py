"""The learned weights: what they add to the rules, what they never take, and where they are from."""

from __future__ import annotations

import math

import pytest

from safety import learned
from safety.finding import LEARNED, Level
from safety.learned import FILE, Learned, Weight, features
from safety.notices import language_of
from safety.red_flags import hear, read
from safety.rules import load

FLAT = Weight(1.0, 0.0, 0.0)


def test_the_odds_are_those_of_the_logistic_regression() -> None:
    weights = {"": Weight(1.0, -1.0, -2.0), "w a": Weight(3.0, 2.0, 0.0), "w b": Weight(4.0, 0.0, 5.0)}
    emergency, crisis = Learned(weights, 0.5).odds(["w a", "w b", "w unknown"])
    assert emergency == pytest.approx(math.exp(-1.0 + 2.0 * 3.0 / 5.0))
    assert crisis == pytest.approx(math.exp(-2.0 + 5.0 * 4.0 / 5.0))


def test_the_likelier_level_is_told_and_none_where_neither_is_likely() -> None:
    weights = {"": FLAT, "w e": Weight(1.0, 3.0, 0.0), "w c": Weight(1.0, 0.0, 3.0)}
    weights["w n"] = Weight(1.0, -9.0, -9.0)
    judge = Learned(weights, 0.7).judge
    assert judge(["w e"]) is Level.EMERGENCY
    assert judge(["w c"]) is Level.CRISIS
    assert judge(["w n"]) is Level.NONE


def test_a_message_is_weighed_by_its_words_pairs_beginnings_and_what_the_rules_made_of_it() -> None:
    found = features(["chest", "hurts", "3.5"], ["pain"], ["fever"], ["now"])
    assert found == {
        "w chest", "w hurts", "w #", "b ^ chest", "b chest hurts", "b hurts #", "b # $",
        "p ches", "p hurt", "c pain", "x fever", "g now",
    }  # fmt: skip


def test_what_no_rule_names_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [
        text
        for text in TOLD
        if [each for each in read([text]).rules] == [f"{LEARNED}{TOLD[text].value}"]
    ]
    assert said


def test_what_the_rules_find_stands_whatever_was_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {"": Weight(1.0, -99.0, -99.0)}
    monkeypatch.setattr(learned, "load", lambda: Learned(weights, 0.5))
    for rule in load().rules:
        for example in rule.examples:
            assert rule.id in read([example]).rules


def test_what_is_told_in_two_messages_is_weighed_as_one() -> None: ...


def test_alone_the_weights_speak_english() -> None:
    assert language_of((f"{LEARNED}crisis",)) == "en"
    assert language_of(("crisis.german", f"{LEARNED}crisis")) == "de"


def test_the_file_is_what_is_learned_from_the_messages() -> None:
    """Where scikit-learn is there; else it is not known."""
    pytest.importorskip("sklearn")
    from tests.safety.learn import Fit, told

    fit = Fit(told())
    written = dict(map(learned.row, FILE.read_text("utf-8").splitlines()[1:]))
    assert written.keys() - {""} == fit.index.keys()
    for name, at in fit.index.items():
        assert written[name] == pytest.approx((fit.rarity[at], *fit.weights[1:, at]), abs=0.02)
