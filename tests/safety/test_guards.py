"""What is meant here and now: questions, stories, books, animals, and numbers that are no fever."""

from __future__ import annotations

import pytest

from safety.finding import Level
from safety.red_flags import find, hear
from safety.rules import load


def levels(text: str) -> set[Level]:
    """Of the rules alone, which the guards are for."""
    return {rule.level for rule in find(load(), [hear(load(), text)])}


@pytest.mark.parametrize(
    "text",
    [
        # A statement beside a question is about somebody, even where no person is named in it.
        "Which triptan acts fastest? Got hit by the worst headache of my life, been sick twice.",
        # So is a question that a statement about somebody follows.
        "Is it growing pains if a child screams when you move the hip and has 39.5? He's four.",
        # An age at the beginning is no exam's case by itself.
        "4yo choking on grape cant cry going blue",
        # A phrase that begins with "not" has used it up.
        "Is it normal to have not felt baby kick at all today at 36 weeks?",
        # What lasts counts however long ago it was.
        "I had a bypass in 2015. Tonight I have chest tightness at rest, it won't go away.",
        # Someone who is studying may be ill.
        "I'm a med student and right now I can't breathe and my lips are blue",
        # A dog beside a person.
        "My dog is fine. I have crushing chest pain and I'm sweating.",
        "throbbin chest pain goin down my arm, sweatin",
        "We're at 4,600 metres and he's confused and can't walk straight",
    ],
)
def test_it_is_meant(text: str) -> None:
    assert levels(text) == {Level.EMERGENCY}


@pytest.mark.parametrize(
    "text",
    [
        "In 2003 I had a heat stroke on a bike tour. I fell over and shook all over. "
        "My friend told me that I had been talking rubbish. Can it happen again?",
        "Please check my flash cards: a swollen tongue, pinpoint pupils, he cannot breathe.",
        "My cat had a seizure and she cannot stand, the vet is closed.",
        "The patient may complain of crushing chest pain, sweating and a sense of doom.",
        "I was awake for forty-eight hours with my newborn",
        "That horror film had my heart pounding out of my chest and I couldn't breathe",
    ],
)
def test_it_is_not_meant(text: str) -> None:
    assert levels(text) == set()


def test_a_story_of_long_ago_ends_where_the_present_begins() -> None:
    past = "In 2003 I fell off a horse. I was knocked out and saw double."
    assert levels(past) == set()
    assert levels(f"{past} Today I have crushing chest pain and I'm sweating.") == {Level.EMERGENCY}


def test_a_range_with_a_point_is_met_only_by_a_number_with_one() -> None:
    lexicon = load().lexicon
    assert lexicon.number(("#.38-42.5",)) in lexicon.numbers(["38.5"])[1][0]
    assert lexicon.number(("#.38-42.5",)) not in lexicon.numbers(["39"])[1][0]


@pytest.mark.parametrize(
    ("text", "read_as"),
    [("forty-eight hours", "48"), ("40 8", "40"), ("twenty one", "21"), ("forty, five", "40")],
)
def test_spelled_numbers_are_put_together(text: str, read_as: str) -> None:
    assert load().lexicon.read(text)[0] == read_as
