"""The `<think>` dialect, every text cut at every index and in several sizes: `streams.read`."""

from __future__ import annotations

from functools import partial

import pytest

from chat.events import AnswerDelta, Ended, EndReason, Usage
from chat.think_tags import ThinkTagsReader
from tests.chat.streams import Heard, hear, read

FINISHED, LENGTH = EndReason.FINISHED, EndReason.LENGTH
INTERRUPTED, UNKNOWN = EndReason.INTERRUPTED, EndReason.UNKNOWN
REPLY = "<think>\nFever, cough. 肺炎?\n</think>\n\nPneumonia 🫁 is likely."
Opened = partial(ThinkTagsReader, opened=True)


def think(text: str, reason: EndReason | None = FINISHED) -> Heard:
    return read(text, reason, ThinkTagsReader)


def test_reasoning_and_answer_come_apart_without_the_line_breaks_between() -> None:
    heard = think(REPLY)
    assert heard.blocks == (
        ("reasoning", "Fever, cough. 肺炎?\n"),
        ("answer", "Pneumonia 🫁 is likely."),
    )
    assert heard.end is FINISHED


def test_a_template_that_opened_the_tag_leaves_only_its_end() -> None:
    heard = read(REPLY.removeprefix("<think>"), FINISHED, Opened)
    assert heard == think(REPLY)
    assert read(REPLY, FINISHED, Opened) == think(REPLY)


def test_text_without_tags_is_an_answer() -> None:
    for text in (
        "Rest.",
        "I think <thinking> helps",
        "a < b",
        "</thin",
        "analysisWe assistantfinal",
    ):
        assert think(f"{text} ").blocks == (("answer", f"{text} "),)


def test_an_empty_thought_is_no_event() -> None:
    assert think("<think>\n\n</think>\n\nRest.").blocks == (("answer", "Rest."),)


@pytest.mark.parametrize(
    ("reason", "end"),
    [(None, INTERRUPTED), (LENGTH, LENGTH), (FINISHED, UNKNOWN), (INTERRUPTED, INTERRUPTED)],
)
def test_unfinished_reasoning_is_never_an_answer(reason: EndReason | None, end: EndReason) -> None:
    for text in ("<think>It may be", "<think>It may be</think>\n\n"):
        heard = think(text, reason)
        assert heard.blocks == (("reasoning", "It may be"),)
        assert heard.end is end


def test_a_reply_cut_anywhere_gives_beginnings() -> None:
    whole = think(REPLY)
    for at in range(len(REPLY)):
        heard = hear([REPLY[:at]], LENGTH, ThinkTagsReader)
        assert whole.reasoning.startswith(heard.reasoning)
        assert whole.answer.startswith(heard.answer)


def test_a_source_that_says_nothing_leaves_an_answers_end_unknown() -> None:
    assert think(REPLY, None).end is UNKNOWN


@pytest.mark.parametrize(("reason", "shown"), [(LENGTH, "a"), (FINISHED, "a<"), (None, "a<")])
def test_a_tag_may_be_half_only_at_a_cut(reason: EndReason | None, shown: str) -> None:
    assert think("a<", reason).answer == shown
    assert think("a<thi", reason).answer == "a"


def test_several_thoughts_are_paragraphs_and_a_stray_end_closes_nothing() -> None:
    heard = think("<think>a</think>b<THINK>c</Think>d</think>e")
    assert (heard.reasoning, heard.answer) == ("a\n\nc", "b\n\nd\n\ne")


def test_markers_of_other_dialects_are_no_text_and_none_can_form() -> None:
    heard = think("<think>a<|im_start|>b</think>c<|end|><|im_end|>d<thi<|x|>nk>e")
    assert (heard.reasoning, heard.answer) == ("a b", "c  d<thi nk>e")


def test_the_answer_streams_and_the_usage_is_passed_on() -> None:
    reader = ThinkTagsReader()
    assert reader.feed("Rest, <") == [AnswerDelta("Rest, ")]
    assert reader.feed("b>") == [AnswerDelta("<b>")]
    usage = Usage(completion_tokens=3)
    assert reader.finish(FINISHED, usage) == [Ended(FINISHED, usage)]


def test_bytes_may_be_cut_inside_a_character() -> None:
    assert hear([b"<think>\xe8", b"\x82</think>\xff"], None, ThinkTagsReader).blocks == (
        ("reasoning", "\ufffd"),
        ("answer", "\ufffd"),
    )
