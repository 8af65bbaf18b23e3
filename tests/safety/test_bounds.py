"""Any text is read, and the cost of reading grows as its length."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety.finding import Finding
from safety.red_flags import read
from safety.rules import load

WORDS = sorted(word for word in load().lexicon.vocabulary if word.isascii())[::7]
SCRIPTS = st.text(max_size=300)
MIXED = st.lists(
    st.one_of(
        st.sampled_from(WORDS),
        st.text(max_size=8),
        st.sampled_from(
            ["我想死", "मरना चाहता", "n't", "39.5", "...", "?", "\n", '"', "\u200f", "ı", "🙂"]
        ),
    ),
    max_size=60,
).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(SCRIPTS, MIXED))
def test_any_text_of_any_script_is_read(text: str) -> None:
    assert isinstance(read([text]), Finding)


@settings(max_examples=100, deadline=None)
@given(st.lists(MIXED, max_size=5))
def test_any_conversation_is_read_the_same_each_time(texts: list[str]) -> None:
    assert read(texts) == read(texts)


@settings(max_examples=100, deadline=None)
@given(MIXED)
def test_invisible_characters_change_nothing(text: str) -> None:
    hidden = text.replace(" ", " \u200b").replace("a", "a\u00ad")
    assert read([hidden]) == read([text])


HOSTILE = {
    "one word": "a",
    "words of the rules": " ".join(WORDS[:400]) + " ",
    "one phrase": "cannot not want to die ",
    "misspelt": " ".join(f"{word}q" for word in WORDS[:300]) + " ",
    "chinese": "我想死不想活",
    "no sentence ends": "chest arm, jaw or not ",
    "many sentences": "no. is it? my chest. ",
    "quotes": '"i" " ',
    "stars": "s*i*c*i*d*e ",
    "digits": "39.5,38 ",
    "accents": "é\u0301",
    "turkish": "Göğsümde çok şiddetli ağrı var, kusuyorum, ateşim yok. ",
    "what keeps a rule from firing": "My chest has felt tight for 40 minutes now when i press. ",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_four_times_the_text_costs_about_four_times_as_much(piece: str) -> None:
    def seconds(length: int) -> float:
        text = (piece * (length // len(piece) + 1))[:length]
        times: list[float] = []
        for _ in range(5):
            began = time.process_time()
            read([text])
            times.append(time.process_time() - began)
        return min(times)

    assert seconds(32_000) < 10 * seconds(8_000) + 0.01  # 16 would be quadratic
