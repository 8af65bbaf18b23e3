"""What people type never is a marker by the time it is in a prompt."""

from __future__ import annotations

import time
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.conversation import Conversation
from chat.invisible import clean
from chat.typed_markers import neutralise
from tests.markers import MARKERS, disguises

WIDE = "＜|end|＞ <｜end|> ＜think＞ ［INST］ ［ＩＮＳＴ］ ﹤s﹥ <th\u200bink> [IN\u00adST]"


def as_tokenized(text: str) -> str:
    """As the most obliging of tokenizers reads it."""
    plain = unicodedata.normalize("NFKC", text)
    return "".join(c for c in plain if unicodedata.category(c) != "Cf")


@pytest.mark.parametrize("marker", MARKERS)
def test_no_familys_marker_survives_in_any_disguise(marker: str) -> None:
    """Matrix row 57: the text of it, below the tokens."""
    for how, typed in disguises(marker).items():
        asked = Conversation.ask(f"a {typed}b{typed} {typed}").question
        harmless = neutralise(asked)
        assert as_tokenized(marker) not in as_tokenized(harmless), how
        assert harmless.replace(" ", "") == asked.replace(" ", ""), "it stays readable"
        assert neutralise(harmless) == harmless, how


@pytest.mark.parametrize("marker", [*MARKERS, *WIDE.split()])
def test_nor_where_nothing_cleaned_the_text_before(marker: str) -> None:
    """Matrix row 57: as training, and the legacy endpoint's prompt, have it."""
    typed = f"a{marker}b{marker}{marker}"
    harmless = neutralise(typed)
    assert as_tokenized(marker) not in as_tokenized(harmless)
    assert harmless.replace(" ", "") == typed.replace(" ", "")
    assert neutralise(harmless) == harmless


def test_medical_text_is_left_as_it_was_typed() -> None:
    for text in (
        "SpO2 <92 % and RR >30; p<0.05 vs p > 0.05; K+ 6.8 [H]; [Na+] 118; (GCS 15)",
        "Is p < 0.05 or p > 0.05? x <- 3; a<b; (a|b); <3 ♥; «ok»",
        "pH < 7.1, BP 120|80, 5 < x < 7, a || b, see [1], [12-14], [sic] and ~5 mg",
        "“¿Qué significa <3 ng/mL?” 《书》 [Table 2], [a], [5-HT], [18F]FDG, A>B>C, 2>1",
    ):
        assert neutralise(text) == text


def test_the_longest_body_is_neutralised_in_linear_time() -> None:
    for piece in ("<", "[", "<|", "[|", "<a", "[AA", ">A", "|", "]~", "<\u200b", "[control_1"):
        text = piece * (300_000 // len(piece))
        began = time.process_time()
        neutralise(text)
        assert time.process_time() - began < 1.0, piece


@given(st.text(st.sampled_from("<>|[]/~!aSTＡ｜＜\u200b_ "), max_size=40))
def test_nothing_but_spaces_is_added_and_a_second_time_adds_none(text: str) -> None:
    harmless = neutralise(clean(text))
    assert harmless.replace(" ", "") == clean(text).replace(" ", "")
    assert neutralise(harmless) == harmless
    assert not {"<|", "|>", "[|", "|]"} & {a + b for a, b in pairwise(harmless)}
