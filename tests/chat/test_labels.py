"""The `Thinking:` / `Final:` dialect, every text cut at every index and in several sizes.

What is decided where the texts are not as the endpoint promises (row 55 of the matrix); `whole`
is the legacy endpoint's text, which comes at once:

==============================  ==================================================================
no label                        All reasoning, and the end UNKNOWN: it may be an apology.
only `Thinking:`                All reasoning, and the end UNKNOWN.
several `Final:`                Whole: the last begins the answer, what is between is reasoning.
                                Streaming: the first; those after it are text of the answer.
`Final:` in a line of prose,    Text: a label stands alone on its line, and first of all or after
or after a line of prose        a blank line.
lower case, CRLF, blanks        A label all the same.
`Thinking:` after the answer    Reasoning again, for the trace is never shown as the answer.
==============================  ==================================================================
"""

from __future__ import annotations

import tracemalloc
from functools import partial

import pytest

from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Usage
from chat.labels import LabelsReader
from tests.chat.streams import Heard, hear, read

FINISHED, LENGTH = EndReason.FINISHED, EndReason.LENGTH
INTERRUPTED, UNKNOWN = EndReason.INTERRUPTED, EndReason.UNKNOWN
REPLY = "Thinking:\nFever, cough.\n\n- 肺炎?\n\nFinal:\nPneumonia 🫁 is likely.\n\nRest."
Whole = partial(LabelsReader, whole=True)


def streamed(text: str, reason: EndReason | None = FINISHED) -> Heard:
    return read(text, reason, LabelsReader)


def at_once(text: str, reason: EndReason | None = FINISHED) -> Heard:
    return read(text, reason, Whole)


def both(text: str) -> Heard:
    """What is heard of `text`, where streaming makes no difference."""
    heard = streamed(text)
    assert at_once(text) == heard
    return heard


def said(heard: Heard) -> tuple[str, str]:
    return heard.reasoning, heard.answer


def test_reasoning_and_answer_come_apart_as_they_were_put_together() -> None:
    heard = both(REPLY)
    assert heard.blocks == (
        ("reasoning", "Fever, cough.\n\n- 肺炎?"),
        ("answer", "Pneumonia 🫁 is likely.\n\nRest."),
    )
    assert heard.end is FINISHED


def test_an_answer_may_stand_alone() -> None:
    heard = both("Final:\nRest.")
    assert (said(heard), heard.end) == (("", "Rest."), FINISHED)


def test_huatuogpts_labels_are_read_too() -> None:
    text = "## Thinking\n\nFever.\n\n## Final Response\n\nRest.\n"
    assert said(both(text)) == ("Fever.", "Rest.\n")
    assert said(both(text.replace("ing\n", "ing:\n").replace("nse\n", "nse: \n"))) == said(
        both(text)
    )


@pytest.mark.parametrize(
    "text",
    [
        "Üzgünüm, bir hata oluştu.",
        "Sorry. The Final: line is missing",
        "Final",
        "Final answer:\nRest.",
        "**Final:**\nRest.",
        "#Final Response\nRest.",
        "Finally:\nRest.",
    ],
)
def test_text_without_a_label_is_no_answer(text: str) -> None:
    heard = both(text)
    assert (said(heard), heard.end) == ((text, ""), UNKNOWN)


@pytest.mark.parametrize("text", ["", " \n\n ", "Final:", "Final:\n", "Thinking:\n\nFinal:\n\n"])
def test_nothing_is_no_answer(text: str) -> None:
    heard = both(text)
    assert (heard.blocks, heard.end) == ((), UNKNOWN)


@pytest.mark.parametrize(
    ("reason", "end"),
    [(None, INTERRUPTED), (LENGTH, LENGTH), (FINISHED, UNKNOWN), (INTERRUPTED, INTERRUPTED)],
)
def test_thinking_alone_is_never_an_answer(reason: EndReason | None, end: EndReason) -> None:
    for text in ("Thinking:\nIt may be", "Thinking:\nIt may be\n\nFinal:\n"):
        for heard in (streamed(text, reason), at_once(text, reason)):
            assert (said(heard), heard.end) == (("It may be", ""), end)


def test_several_finals_the_last_where_all_is_known_and_the_first_where_it_is_not() -> None:
    text = "Thinking:\na\n\nFinal:\nb\n\nFinal:\nc"
    assert said(at_once(text)) == ("a\n\nFinal:\nb", "c")
    assert said(streamed(text)) == ("a", "b\n\nFinal:\nc")
    assert said(at_once("Final:\nb\n\nfinal:\nc")) == ("Final:\nb", "c")


@pytest.mark.parametrize(
    "quoted",
    [
        "so Final: rest",
        "Final: rest",
        "the Final:",
        "a list:\nFinal:\nb",
        "> Final:",
        '"Final:"',
        "x Final:\n\ny",
        "Final:<b>",
        "Final::",
        " " * 60 + "Final:",
    ],
)
def test_a_label_counts_only_alone_on_its_line_after_a_blank_one(quoted: str) -> None:
    assert said(both(f"Thinking:\nx\n\n{quoted}\n\nFinal:\nRest.")) == (f"x\n\n{quoted}", "Rest.")
    assert said(both(f"Final:\nx\n\n{quoted}")) == ("", f"x\n\n{quoted}")


@pytest.mark.parametrize("line", ["final:", "FINAL:", "Final:  ", "  Final:\t", "Final: \r"])
@pytest.mark.parametrize("blank", ["\n\n", "\r\n\r\n", "\n \t\n", "\n\n\n\n"])
def test_case_blanks_and_carriage_returns_are_free(line: str, blank: str) -> None:
    assert said(both(f"THINKING: \r\na\r\nb{blank}{line}\nRest.")) == ("a\r\nb", "Rest.")


def test_thinking_after_the_answer_is_not_shown_as_the_answer() -> None:
    text = "Final:\na\n\nThinking:\nb\n\nThinking:\nc"
    assert said(both(text)) == ("b\n\nThinking:\nc", "a")
    text = "Thinking:\na\n\nFinal:\nb\n\nThinking:\nc\n\nFinal:\nd"
    assert said(streamed(text)) == ("a\n\nc", "b\n\nd")
    assert said(at_once(text)) == ("a\n\nFinal:\nb\n\nThinking:\nc", "d")


def test_text_before_the_labels_is_reasoning_and_is_kept() -> None:
    assert said(both("Sorry.\n\nThinking:\na\n\nFinal:\nb")) == ("Sorry.\n\nThinking:\na", "b")


def test_no_letter_is_lost_but_those_of_labels() -> None:
    heard = both("a\n\n\n b \n\n" + "\n" * 200 + "c\n\nfinal:\n d\n" + " " * 200 + "\n e ")
    assert heard.reasoning == "a\n\n\n b \n\n" + "\n" * 200 + "c"
    assert heard.answer == "d\n" + " " * 200 + "\n e "


def test_a_reply_cut_anywhere_gives_beginnings() -> None:
    whole = streamed(REPLY)
    for at in range(len(REPLY)):
        heard = hear([REPLY[:at]], LENGTH, LabelsReader)
        assert whole.reasoning.startswith(heard.reasoning)
        assert whole.answer.startswith(heard.answer)


def test_markers_are_no_text_and_none_can_form() -> None:
    heard = both("Thinking:\na<|im_start|>b\n\nFinal:\nc<|end|><|return|>d<thi<|x|>nk>e")
    assert said(heard) == ("a b", "c  d<thi nk>e")
    heard = both("Thinking:\n<thi\n\nFinal:\na\n\nThinking:\nnk>")
    assert said(heard) == ("<thi\n\nnk>", "a")


def test_what_is_between_think_tags_is_reasoning_and_its_labels_are_text() -> None:
    text = "Thinking:\n<think>\na\n\nFinal:\nb</think>\nFinal:\nc<think>d</think>e"
    assert said(both(text)) == ("a\n\nFinal:\nb\n\nd", "c\n\ne")
    assert said(both("<think>a</think>b")) == ("a\n\nb", "")
    assert said(both("Thinking:\na<think>b</think>Final:\nc")) == ("a\n\nb", "c")
    assert said(both("Final:<THINK>a</think>b")) == ("a", "b")


def test_the_answer_streams_and_the_usage_is_passed_on() -> None:
    reader = LabelsReader()
    assert reader.feed("Thinking:\nFever. ") == [ReasoningDelta("Fever.")]
    assert reader.feed("So\n\nFi") == [ReasoningDelta(" So")]
    assert reader.feed("ne\n\nFinal") == [ReasoningDelta("\n\nFine")]
    assert reader.feed(":\n") == []
    assert reader.feed("Rest") == [AnswerDelta("Rest")]
    assert reader.feed(", <b") == [AnswerDelta(", <b")]
    usage = Usage(completion_tokens=3)
    assert reader.finish(FINISHED, usage) == [Ended(FINISHED, usage)]


@pytest.mark.parametrize("piece", [" ", "\n", " \n", "Final:\n", "\n\nThinking:", "a", "<|x|>"])
def test_a_stream_without_end_is_not_kept(piece: str) -> None:
    reader = LabelsReader()
    reader.feed("Final:\na")
    tracemalloc.start()
    try:
        for _ in range(20_000):
            reader.feed(piece)
        assert tracemalloc.get_traced_memory()[1] < 32_000
    finally:
        tracemalloc.stop()


def test_bytes_may_be_cut_inside_a_character() -> None:
    for reader in (LabelsReader, Whole):
        assert hear([b"Final:\n\xe8", b"\x82\nb\xff"], None, reader).blocks == (
            ("answer", "\ufffd\nb\ufffd"),
        )
