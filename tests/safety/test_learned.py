"""The learned weights: what they add to the rules, what they may take, and where they are from."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from safety import learned
from safety.finding import LEARNED, NOTHING, Level
from safety.learned import ALONE, BESIDE, FILE, SHORT, Judged, Learned, Weight, features, row
from safety.notices import language_of
from safety.red_flags import read
from safety.rules import load
from tests.safety.sets import rows

BIAS = {"": Weight(1.0, -1.0, -2.0)}


def held_for(level: Level, likely: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, the weights hold every message for `level`."""
    judged = Judged(likely, 0.0) if level is Level.EMERGENCY else Judged(0.0, likely)
    monkeypatch.setattr(Learned, "judge", lambda self, features: judged)


def test_the_probability_is_that_of_the_logistic_regression() -> None:
    weights = {**BIAS, "w a": Weight(30.0, 2.0, 0.0), "w b": Weight(40.0, 0.0, 5.0)}
    scale = 50.0**-0.5  # the root of the length, and that is of 30 and 40
    odds = [math.exp(-1.0 + 2.0 * 30.0 * scale), math.exp(-2.0 + 5.0 * 40.0 * scale)]
    judged = Learned(weights.items()).judge(["w a", "w b", "w unknown"])
    assert judged == pytest.approx([each / (1 + sum(odds)) for each in odds])
    assert judged.alarm(ALONE) is Level.CRISIS


def test_three_words_weigh_no_more_than_in_a_message_of_four() -> None:
    weights = {**BIAS, "w a": Weight(SHORT / 4, 2.0, 0.0), "w b": Weight(SHORT / 2, 0.0, 0.0)}
    judge = Learned(weights.items()).judge
    assert judge(["w a"]) == judge(["w a", "w b"])


def test_a_message_is_weighed_by_its_words_their_beginnings_and_its_pairs() -> None:
    assert features(["chest", "hurts", "3.5"]) == {
        "w chest", "w hurts", "w #", "p ches", "p hurt",
        "b ^ chest", "b chest hurts", "b hurts #", "b # $",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("Dad's tea keeps dribbling out of one corner and he is talking like he is drunk",
         Level.EMERGENCY),
        ("i wrote everyone a letter and cleaned my flat, after friday nobody has to bother",
         Level.CRISIS),
    ],
)  # fmt: skip
def test_the_weights_find_by_themselves_what_they_hold_for_likely(
    text: str, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"{LEARNED}{level.value}" in read([text]).rules
    held_for(level, 0.01, monkeypatch)
    assert f"{LEARNED}{level.value}" not in read([text]).rules


def test_what_is_told_in_two_messages_is_weighed_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(self: Learned, features: frozenset[str]) -> Judged:
        return Judged(0.99 if {"w plums", "w figs"} <= features else 0.0, 0.0)

    monkeypatch.setattr(Learned, "judge", judge)
    assert read(["He likes plums.", "Now he likes figs too."]).level is Level.EMERGENCY
    assert read(["He likes plums.", "We have a cat.", "Now he likes figs too."]).level is Level.NONE


def test_a_rule_counts_where_the_weights_do_not_hold_the_message_for_harmless(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [text, rule] = ["My chest is being crushed and my left arm hurts.", "cardiac"]
    held_for(Level.EMERGENCY, BESIDE[Level.EMERGENCY], monkeypatch)
    assert [each for each in read([text]).rules if each.startswith(rule)]
    held_for(Level.EMERGENCY, BESIDE[Level.EMERGENCY] - 0.01, monkeypatch)
    assert read([text]) == NOTHING


def test_an_emergency_is_no_reason_for_a_rule_of_a_crisis(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "I want to kill myself tonight."
    held_for(Level.CRISIS, BESIDE[Level.CRISIS], monkeypatch)
    assert read([text]).level is Level.CRISIS
    held_for(Level.EMERGENCY, 0.99, monkeypatch)
    assert read([text]).level is Level.EMERGENCY


def test_no_rule_is_overruled_in_what_its_author_wrote() -> None:
    for rule in load().rules:
        for example in rule.examples:
            assert rule.id in read([example]).rules, example


def test_a_rule_is_not_overruled_where_there_is_too_little_to_weigh() -> None:
    for text in ("unconscious", "unresponsive", "choking", "not breathing!!!"):
        assert read([text]).level is Level.EMERGENCY, text


def test_what_is_told_in_the_middle_of_a_long_harmless_letter_is_mostly_found() -> None:
    chance = random.Random(7)  # noqa: S311
    told = [row for row in rows("frozen") if row.level is not Level.NONE and row.pair is None]
    harmless = [
        row.text
        for row in rows("frozen")
        if row.category in ("minor_complaint", "chronic_and_admin", "medication_question")
    ]
    found = 0
    for danger in chance.sample(told, 100):
        around = chance.sample(harmless, 6)
        text = "\n".join([*around[:3], danger.text, *around[3:]])
        found += read([text]).level is not Level.NONE
    assert found >= 65


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("i do not want to be here any more, the letters are written", "en"),
        ("no hope no way out", "en"),
        ("Me? no point. no more tomorrows", "en"),
        ("no future no money no nothing. game over 4 me", "en"),
        ("kms", "en"),
        ("Ya no puedo más con esto, he escrito las cartas y lo dejo todo en orden", "es"),
        (
            "ich habe die Briefe geschrieben und alles geregelt, ihr seid ohne mich besser dran",
            "de",
        ),
        ("j'ai écrit les lettres, tout est en ordre, vous serez mieux sans moi", "fr"),
        ("mektupları yazdım, artık kimseye yük olmak istemiyorum, bu son", "tr"),
        ("maine chitthi likh di hai, ab mujhe kisi par bojh nahi banna hai", "hi"),
        ("मैंने चिट्ठी लिख दी है, अब मुझे किसी पर बोझ नहीं बनना है", "hi"),
        ("信我都写好了，我不想再拖累你们了，都结束了", "zh"),
    ],
)
def test_what_the_weights_alone_find_is_answered_in_its_language(
    text: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safety.red_flags.find", lambda rules, heard: [])
    held_for(Level.CRISIS, 0.99, monkeypatch)
    assert language_of(read([text]).rules) == language


def test_nothing_at_all_is_held_for_nothing() -> None:
    assert learned.load().judge(()).alarm(ALONE) is Level.NONE


@pytest.mark.parametrize("file", [FILE, learned.TURKISH], ids=["english", "turkish"])
def test_the_file_is_what_is_learned_from_the_messages(file: Path) -> None:
    """Where scikit-learn is there; else it is not known."""
    pytest.importorskip("sklearn")
    from tests.safety.learn import RARE, RARE_TURKISH, Fit, told, told_in_turkish

    fit = Fit(told(), RARE) if file == FILE else Fit(told_in_turkish(), RARE_TURKISH)
    written = dict(map(row, file.read_text("utf-8").splitlines()))
    assert written.keys() - {""} == fit.index.keys()
    for name, at in fit.index.items():
        assert written[name] == pytest.approx((fit.rarity[at], *fit.weights[1:, at]), abs=0.02)
