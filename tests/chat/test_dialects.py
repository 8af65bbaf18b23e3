"""Telling the dialects apart, every text cut at every index and in several sizes; then fuzz."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.dialects import TextReader, read_whole
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Usage
from chat.harmony import HarmonyReader
from chat.labels import LabelsReader
from chat.think_tags import ThinkTagsReader
from tests.chat.streams import Heard, Reader, hear, read, sized
from tests.chat.test_harmony_fuzz import chunks, fragments, fuzz, reasons, sizes

FINISHED, LENGTH, UNKNOWN = EndReason.FINISHED, EndReason.LENGTH, EndReason.UNKNOWN
ANALYSIS, FINAL = "<|channel|>analysis<|message|>", "<|channel|>final<|message|>"
HARMONY = f"{ANALYSIS}Fever?<|end|><|start|>assistant{FINAL}Rest.<|return|>"
THINK = "<think>\nFever?\n</think>\n\nRest."
LABELS = "Thinking:\nFever?\n\nFinal:\nRest."


class _Replay:
    """`read_whole` as a reader, so that what holds for every reader is checked of it."""

    def __init__(self) -> None:
        self._text = ""

    def feed(self, piece: str | bytes) -> list[ReasoningDelta | AnswerDelta]:
        assert isinstance(piece, str)
        self._text += piece
        return []

    def finish(self, reason: EndReason | None = None, usage: Usage | None = None) -> list:
        return read_whole(self._text)


def whole(text: str) -> Heard:
    return hear([text], FINISHED, _Replay)


def said(heard: Heard) -> tuple[str, str]:
    return heard.reasoning, heard.answer


# While it streams


@pytest.mark.parametrize("before", ["", " \n\n"])
@pytest.mark.parametrize("reason", [None, FINISHED, LENGTH])
@pytest.mark.parametrize(
    ("text", "reader"),
    [
        (HARMONY, HarmonyReader),
        (HARMONY.removeprefix("<|channel|>"), HarmonyReader),
        ("analysisFever?assistantfinalRest.", HarmonyReader),
        ("Rest, and fluids.", HarmonyReader),
        ("Final answer: rest.", HarmonyReader),
        ("finalRest.", HarmonyReader),
        ("## Thinking about it\n\nRest.", HarmonyReader),
        ("<thinking> is a word", HarmonyReader),
        ("<thi\nnk>", HarmonyReader),
        ("Rest. <think>Fever?</think> More.", HarmonyReader),
        ("", HarmonyReader),
        ("Fin", HarmonyReader),
        ("<thi", HarmonyReader),
        (THINK, ThinkTagsReader),
        (THINK.upper(), ThinkTagsReader),
        ("<think>Fever?", ThinkTagsReader),
        (LABELS, LabelsReader),
        (LABELS.lower().replace("\n", "\r\n"), LabelsReader),
        ("## Thinking\n\nFever?\n\n## Final Response\n\nRest.", LabelsReader),
        ("Final:\nRest.", LabelsReader),
        ("Final:", LabelsReader),
        ("final: \r", LabelsReader),
    ],
)
def test_the_beginning_tells_the_dialect(
    before: str, text: str, reader: Callable[[], Reader], reason: EndReason | None
) -> None:
    assert read(before + text, reason, TextReader) == hear([before + text], reason, reader)


def test_three_dialects_say_the_same() -> None:
    heard = [read(text, FINISHED, TextReader) for text in (HARMONY, THINK, LABELS)]
    assert [(each.reasoning.strip(), each.answer, each.end) for each in heard] == [
        ("Fever?", "Rest.", FINISHED)
    ] * 3


def test_it_holds_back_what_may_be_a_mark_and_no_more() -> None:
    reader = TextReader()
    assert reader.feed(" \nT") == []
    assert reader.feed("h") == []
    assert reader.feed("e f") == [AnswerDelta("The f")]
    assert TextReader().feed("R") == [AnswerDelta("R")]
    assert TextReader().feed("## W") == [AnswerDelta("## W")]
    assert TextReader().feed("Fin\nx") == [AnswerDelta("Fin\nx")]
    assert TextReader().feed("<b") == [AnswerDelta("<b")]
    assert TextReader().feed("Final: r") == [AnswerDelta("Final: r")]
    assert TextReader().feed("<think>F") == [ReasoningDelta("F")]
    usage = Usage(completion_tokens=3)
    assert reader.finish(FINISHED, usage) == [Ended(FINISHED, usage)]


@pytest.mark.parametrize("piece", [" ", "\n", "Thinking:", "<thi", "Final: "])
def test_a_stream_without_end_is_not_kept(piece: str) -> None:
    reader = TextReader()
    tracemalloc.start()
    try:
        for _ in range(20_000):
            reader.feed(piece)
        assert tracemalloc.get_traced_memory()[1] < 32_000
    finally:
        tracemalloc.stop()


# The legacy endpoint's text, at once


@pytest.mark.parametrize("text", [HARMONY, THINK, LABELS, f"\n {LABELS}", f" {THINK}"])
def test_a_whole_text_is_read_in_its_dialect(text: str) -> None:
    heard = whole(text)
    assert (heard.reasoning.strip(), heard.answer, heard.end) == ("Fever?", "Rest.", FINISHED)


def test_an_empty_text_is_no_text_and_no_answer() -> None:
    assert read_whole("") == read_whole(" \r\n") == [Ended(UNKNOWN)]


@pytest.mark.parametrize(
    ("text", "reasoning"),
    [
        ("Üzgünüm, bir hata oluştu.", "Üzgünüm, bir hata oluştu."),
        ("analysis of it", "analysis of it"),
        ("analysisFever?assistantfinalRest.", "analysisFever?assistantfinalRest."),
        ("Rest. <think>a</think>", "Rest.\n\na"),
        ("a</think>b", "a\n\nb"),
        ("<|message|>Rest.", "Rest."),
    ],
)
def test_a_whole_text_without_a_label_is_no_answer(text: str, reasoning: str) -> None:
    heard = whole(text)
    assert (said(heard), heard.end) == ((reasoning, ""), UNKNOWN)


@pytest.mark.parametrize("before", ["Fever?", "Thinking:\nFever?\n\n", "Final:\nFever?"])
def test_text_before_raw_harmony_is_no_answer_and_is_kept(before: str) -> None:
    heard = whole(f"{before}<|start|>assistant{ANALYSIS}Cough?<|end|>{FINAL}Rest.<|return|>")
    assert said(heard) == ("Fever?\n\nCough?", "Rest.")
    assert said(whole(f"{before}assistant{FINAL}Rest.")) == ("Fever?", "Rest.")


@pytest.mark.parametrize("label", ["", "Thinking:\n", "Final:\n", "Final: "])
def test_raw_harmony_behind_a_label_is_still_harmony(label: str) -> None:
    heard = whole(label + HARMONY)
    assert heard.answer == "Rest."
    assert heard.reasoning.endswith("Fever?")


def test_harmony_without_a_final_has_no_answer() -> None:
    for text in (ANALYSIS + "Fever?", f"analysis<|message|>Fever?<|end|>{FINAL}"):
        heard = whole(text)
        assert (said(heard), heard.end) == (("Fever?", ""), UNKNOWN)


def test_a_trace_that_names_a_marker_stays_a_trace() -> None:
    heard = whole("Thinking:\nIs <|channel|> one? <|message|>\n\nFinal:\nYes.")
    assert heard.answer == "Yes."
    assert "one?" in heard.reasoning


# Fuzz

LINES = ["Thinking:", "Final:", "final: ", "\n\nFinal:\n", "\n\nThinking:\n", "## Thinking\n"]
LINES += ["## Final Response\n", "\r\n\r\n", "\n\n", "##", "Fin", "Thi", ANALYSIS, FINAL]
texts = st.lists(st.one_of(fragments, st.sampled_from(LINES)), max_size=30).map("".join)
ours = st.sampled_from([LabelsReader, partial(LabelsReader, whole=True), TextReader])


@fuzz
@given(texts, reasons, ours, sizes)
def test_any_chunking_gives_the_same_events_and_one_ending_and_no_marker(
    text: str, reason: EndReason | None, reader: Callable[[], Reader], lengths: list[int]
) -> None:
    heard = hear([text], reason, reader)  # which looks for markers and counts the endings
    assert hear(sized(text, 1), reason, reader) == heard
    assert hear(chunks(text, lengths), reason, reader) == heard
    if heard.end is FINISHED:
        assert heard.answer.strip()


@fuzz
@given(texts)
def test_any_whole_text_has_one_ending_no_marker_and_an_answer_if_it_is_finished(text: str) -> None:
    heard = whole(text)
    assert (heard.end is FINISHED) == bool(heard.answer.strip())
    assert heard.end in (FINISHED, UNKNOWN)


# Reasoning in Cyrillic and answers in Greek, as the harmony reader's tests have them.
noise = st.sampled_from(["\n", "\n\n", " ", "Final: ", "x Final:\n", "## ", "<|x|>", "Thinking:\n"])
thoughts = st.lists(st.tuples(st.text("абвгд", min_size=1, max_size=8), noise), max_size=6).map(
    lambda pairs: "".join(part for pair in pairs for part in pair)
)
quotes = st.lists(thoughts, min_size=1, max_size=3).map("\n\nFinal:\nа".join)
answers = st.text("αβγδε\n ", min_size=1, max_size=20).filter(str.strip)


@fuzz
@given(thoughts, quotes, answers, sizes)
def test_the_trace_is_never_the_answer_and_no_letter_is_lost(
    thought: str, quoting: str, answer: str, lengths: list[int]
) -> None:
    for trace, reader in ((thought, TextReader), (quoting, _Replay)):
        text = f"Thinking:\nа{trace}\n\nFinal:\n{answer}"
        heard = hear(chunks(text, lengths), FINISHED, reader)
        assert heard.answer == answer.lstrip()
        kept = [letter for letter in "а" + trace if letter in "абвгд"]
        assert [letter for letter in heard.reasoning if letter in "абвгд"] == kept
