"""The harmony reader, case by case. Every text is read whole, cut in two at every index, in
pieces of 1, 2, 3, 4, 7 and 11 characters, and as UTF-8 byte by byte: see `streams.read`.

Where readers of harmony disagree, and what we decided:

==  ==============================  ===========================================================
 n  what others do                  here, and why
==  ==============================  ===========================================================
 3  content None; or the reasoning  Truncated analysis has no answer: a trace is never an answer.
 4  joined by a newline (vLLM);     Joined by a blank line: panels are Markdown, where one line
    separate items (SGLang)         break runs two blocks into one paragraph.
 5  content, joined to final        Part of the answer, as harmony means it for the user; but it
    (vLLM); hidden                  does not complete one: without a final it ends UNKNOWN.
 6  tool calls returned             Dropped, wherever `to=` stands: there are no tools here.
 7  error on `<|constrain|>`        Read as a space in a header: the channel is the first word.
 8  error; recovered (harmony's     Recovered, once the header ends or grows past 256 characters.
    strict=False); raw text (vLLM)  At a cut it is not: the words may be half a header.
 9  part of the text (harmony);     `<|start|>` and `<|channel|>` end what was open. In text, not
    closed (SGLang)                 tokens, nobody could tell them from text any more.
10  error (harmony); text after     `<|return|>` ends the reply; what follows it is a model that
    `<|return|>` merged (SGLang)    was not stopped, and is dropped unless it opens a message.
12  dropped (SGLang)                Dropped: only a header opens a message.
13  passed (ollama); skipped        Reasoning: nothing is lost, and nothing unknown is an answer.
    (SGLang)
14  held, released if no marker     The same. What is held at a cut is dropped; at an end that the
                                    source calls FINISHED, `<` or `<t` is text, `<|en` is not.
16  dropped (ollama); text          Text, as a model without harmony has nothing else. A role or
    (SGLang)                        channel word before a marker is dropped. If a channel opens
                                    later, the early text stays, but completes no answer.
17  U+FFFD                          The same, also for lone surrogates, which JSON can carry.
18  any case, spaces allowed        Only at the very beginning, and only glued to what follows,
    (SGLang)                        as stripping leaves it: prose says "analysis of".
19  skipped (vLLM); tool calls in   Dropped, in any channel. Other roles than assistant likewise:
    analysis (llama.cpp)            a model that writes the user's turn is not answering.
--  ------------------------------  -----------------------------------------------------------
    a message without a channel     The answer while no channel was seen, else reasoning.
    an unknown `<|…|>`, `<think>`   No text. The first is a space, so that its neighbours cannot
                                    join into a marker; the second opens reasoning until
                                    `</think>`, as some models mix the dialects.
    FINISHED, and no answer         UNKNOWN: FINISHED says that the model closed its answer.
    nothing said of the end         FINISHED after `<|return|>`, else INTERRUPTED.
==  ==============================  ===========================================================
"""

from __future__ import annotations

import random
import tracemalloc

import pytest

from chat.events import AnswerDelta, Ended, EndReason, Usage
from chat.harmony import HarmonyReader
from tests.chat.streams import Heard, hear, read

FINISHED, LENGTH = EndReason.FINISHED, EndReason.LENGTH
INTERRUPTED, UNKNOWN = EndReason.INTERRUPTED, EndReason.UNKNOWN

ANALYSIS = "<|channel|>analysis<|message|>"
FINAL = "<|start|>assistant<|channel|>final<|message|>"
REPLY = f"{ANALYSIS}Fever, cough. 肺炎?<|end|>{FINAL}Pneumonia 🫁 is likely.<|return|>"


def said(heard: Heard) -> tuple[str, str]:
    return heard.reasoning, heard.answer


# 1 and 2


def test_01_the_header_of_the_first_message_may_be_left_to_the_prompt() -> None:
    expected = ("a", "b")
    assert said(read(f"<|start|>assistant{ANALYSIS}a<|end|>{FINAL}b<|return|>")) == expected
    assert said(read(f"{ANALYSIS}a<|end|>{FINAL}b<|return|>")) == expected
    assert said(read(f"analysis<|message|>a<|end|>{FINAL}b<|return|>")) == expected
    assert said(read(f"analysis <|constrain|>x<|message|>a<|end|>{FINAL}b<|return|>")) == expected
    assert said(read("<|message|>b<|return|>")) == ("", "b")
    assert said(read("assistant<|message|>b<|return|>")) == ("", "b")


def test_02_analysis_then_final() -> None:
    heard = read(REPLY, reason=None)
    assert heard.blocks == (
        ("reasoning", "Fever, cough. 肺炎?"),
        ("answer", "Pneumonia 🫁 is likely."),
    )
    assert heard.end is FINISHED


# 3: what a cut leaves


def test_03_final_only() -> None:
    assert said(read("<|channel|>final<|message|>Rest and fluids.<|return|>")) == (
        "",
        "Rest and fluids.",
    )


@pytest.mark.parametrize(
    ("reason", "end"),
    [(None, INTERRUPTED), (LENGTH, LENGTH), (FINISHED, UNKNOWN), (UNKNOWN, UNKNOWN)],
)
def test_03_truncated_analysis_is_never_an_answer(reason: EndReason | None, end: EndReason) -> None:
    heard = read(f"{ANALYSIS}It may be pneumonia, so", reason)
    assert said(heard) == ("It may be pneumonia, so", "")
    assert heard.end is end


def test_03_closed_analysis_alone_is_not_an_answer_either() -> None:
    for tail in ("<|end|>", "<|return|>", "<|end|><|start|>assistant", f"<|end|>{FINAL}<|return|>"):
        heard = read(f"{ANALYSIS}Pneumonia.{tail}", FINISHED)
        assert said(heard) == ("Pneumonia.", "")
        assert heard.end is UNKNOWN


@pytest.mark.parametrize(("reason", "end"), [(None, INTERRUPTED), (LENGTH, LENGTH)])
def test_03_truncated_final_is_marked(reason: EndReason | None, end: EndReason) -> None:
    heard = read(f"{ANALYSIS}a<|end|>{FINAL}Take one tab", reason)
    assert (heard.answer, heard.end) == ("Take one tab", end)


def test_03_a_reply_cut_anywhere_gives_beginnings_and_says_that_it_was_cut() -> None:
    whole = read(REPLY, reason=None)
    for at in range(len(REPLY)):
        for reason, end in ((None, INTERRUPTED), (LENGTH, LENGTH)):
            heard = hear([REPLY[:at]], reason)
            assert whole.reasoning.startswith(heard.reasoning)
            assert whole.answer.startswith(heard.answer)
            assert heard.end is end


# 4 and 5: several messages


def test_04_several_analysis_messages_are_paragraphs_of_one_trace() -> None:
    heard = read(f"{ANALYSIS}a<|end|><|start|>assistant{ANALYSIS}b<|end|>{FINAL}c<|return|>")
    assert said(heard) == ("a\n\nb", "c")


def test_05_commentary_to_nobody_is_for_the_user() -> None:
    commentary = "<|start|>assistant<|channel|>commentary<|message|>"
    heard = read(f"{ANALYSIS}a<|end|>{commentary}First, the basics.<|end|>{FINAL}b<|return|>")
    assert said(heard) == ("a", "First, the basics.\n\nb")
    assert heard.end is FINISHED
    assert read(f"{commentary}I will look.<|end|>").end is UNKNOWN


# 6 and 7: recipients and content types in headers


@pytest.mark.parametrize(
    "header",
    [
        "<|start|>assistant<|channel|>commentary to=functions.x <|constrain|>json",
        "<|start|>assistant<|channel|>commentary to=functions.x<|constrain|>json",
        "<|start|>assistant<|channel|>commentaryto=functions.x",
        "<|start|>assistant<|channel|>commentary json to=functions.x",
        "<|start|>assistant to=functions.x<|channel|>commentary <|constrain|>json",
        "<|start|>assistant to=functions.x<|channel|>final",
        " to=functions.x<|channel|>commentary json",
        "assistant to=functions.x<|channel|>commentary json",
        "commentary to=functions.x <|constrain|>json",
    ],
)
def test_06_a_message_to_a_tool_is_dropped(header: str) -> None:
    call = f'{header}<|message|>{{"drug": "warfarin"}}<|call|>'
    assert said(read(f"{call}{FINAL}b<|return|>")) == ("", "b")
    if header.startswith("<|start|>"):
        assert said(read(f"{ANALYSIS}a<|end|>{call}{FINAL}b<|return|>")) == ("a", "b")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("final <|constrain|>json", ("", "{}")),
        ("final<|constrain|>json", ("", "{}")),
        ("final json", ("", "{}")),
        ("FINAL", ("", "{}")),
        ("<|constrain|>analysis json", ("{}", "")),
        ("analysis <|constrain|>", ("{}", "")),
    ],
)
def test_07_a_content_type_is_no_text(header: str, expected: tuple[str, str]) -> None:
    assert said(read(f"<|channel|>{header}<|message|>{{}}<|return|>")) == expected


# 8 and 9: markers that are missing


@pytest.mark.parametrize("tail", ["<|return|>", "<|end|>", ""])
def test_08_without_message_the_text_begins_after_the_channel(tail: str) -> None:
    assert said(read(f"<|channel|>final Drink water.{tail}")) == ("", "Drink water.")
    assert said(read(f"<|channel|>analysis Thirst?{tail}")) == ("Thirst?", "")


def test_08_a_header_without_message_does_not_hold_the_text_back_for_ever() -> None:
    text = "Drink water. " * 40
    pieces = ["<|channel|>final ", *text]
    reader = HarmonyReader()
    shown = [event for piece in pieces for event in reader.feed(piece)]
    assert "".join(event.text for event in shown if isinstance(event, AnswerDelta)) == text
    assert said(read(f"<|channel|>final {text}<|return|>")) == ("", text)


def test_08_a_cut_inside_a_header_shows_none_of_it() -> None:
    text = f"{ANALYSIS}a<|end|><|start|>assistant<|channel|>commentary to=functions.x <|constrain|>"
    for at in range(len(f"{ANALYSIS}a"), len(text)):
        assert said(hear([text[:at]], LENGTH)) == ("a", "")


@pytest.mark.parametrize(
    "between",
    [
        "<|start|>assistant<|channel|>final<|message|>",
        "<|channel|>final<|message|>",
        "<|end|>assistant<|channel|>final<|message|>",
        "<|end|><|channel|>final<|message|>",
        "<|end|>final<|message|>",
        "<|end|><|start|><|channel|>final<|message|>",
        "<|end|><|start|>assistantfinal<|message|>",
        "<|end|><|end|><|start|>assistant<|channel|>final<|message|>",
        "<|channel|>analysis<|channel|>final<|message|>",
        "<|return|><|start|>assistant<|channel|>final<|message|>",
    ],
)
def test_09_a_missing_end_or_start_does_not_join_reasoning_and_answer(between: str) -> None:
    assert said(read(f"{ANALYSIS}a{between}b<|return|>")) == ("a", "b")


# 10 to 12: the end, and after it


def test_10_a_stray_return_after_end_changes_nothing() -> None:
    heard = read("<|channel|>final<|message|>b<|end|><|return|>", reason=None)
    assert (said(heard), heard.end) == (("", "b"), FINISHED)


def test_10_text_after_return_is_dropped_unless_a_message_opens() -> None:
    assert said(read(f"{REPLY}<|end|>user: and then?")) == said(read(REPLY))
    heard = read(f"{REPLY}{FINAL}But", reason=None)
    assert heard.answer == "Pneumonia 🫁 is likely.\n\nBut"
    assert heard.end is INTERRUPTED, "the second message was not closed"


def test_11_the_end_of_sequence_tokens_may_be_absent() -> None:
    cut = REPLY.removesuffix("<|return|>")
    assert read(cut, FINISHED) == read(REPLY, FINISHED)
    assert read(cut, None).end is INTERRUPTED
    called = read("<|channel|>commentary to=functions.x<|message|>{}<|call|>", None)
    assert (said(called), called.end) == (("", ""), INTERRUPTED)


@pytest.mark.parametrize(
    "stray", ["commentary", "commentarycommentary", " commentary\n", "x" * 999]
)
def test_12_stray_words_after_call_are_dropped(stray: str) -> None:
    call = "<|channel|>commentary to=functions.x<|message|>{}<|call|>"
    assert said(read(f"{call}{stray}{FINAL}b<|return|>")) == ("", "b")
    assert said(read(f"{call}{stray}<|channel|>final<|message|>b<|return|>")) == ("", "b")
    assert said(read(f"{call}{stray}")) == ("", "")


# 13 to 17


def test_13_an_unknown_channel_is_reasoning() -> None:
    heard = read(f"<|channel|>musing<|message|>a<|end|>{FINAL}b<|return|>")
    assert said(heard) == ("a", "b")
    assert said(read("<|channel|><|message|>a<|end|>")) == ("a", "")
    assert said(read(f"{ANALYSIS}a<|end|><|start|>assistant<|message|>b<|end|>")) == ("a\n\nb", "")


@pytest.mark.parametrize(
    "text",
    ["a < b <c> d", "<|", "<||>", "<| channel |>", "x <|> y", "<|end", "<|end|", "p<|q|r>", "<<<"],
)
def test_14_what_only_looks_like_a_marker_is_text(text: str) -> None:
    assert said(read(f"{ANALYSIS}{text} {FINAL}{text} <|return|>")) == (f"{text} ", f"{text} ")


def test_14_a_marker_is_held_back_only_while_it_may_be_one() -> None:
    reader = HarmonyReader()
    reader.feed("<|channel|>final<|message|>")
    assert reader.feed("p <") == [AnswerDelta("p ")]
    assert reader.feed("|en") == []
    assert reader.feed(" 5") == [AnswerDelta("<|en 5")]


@pytest.mark.parametrize(
    ("tail", "shown"),
    [("<|", ""), ("<|en", ""), ("<|end|", ""), ("</thi", ""), ("<", "<"), ("<t", "<t"), ("|", "|")],
)
def test_14_half_a_marker_at_the_end_is_not_shown(tail: str, shown: str) -> None:
    assert read(f"{ANALYSIS}a<|end|>{FINAL}b{tail}", FINISHED).answer == f"b{shown}"


@pytest.mark.parametrize("tail", ["<", "<t", "<|", "<|en"])
def test_14_at_a_cut_nothing_that_may_be_half_a_marker_is_shown(tail: str) -> None:
    assert read(f"{ANALYSIS}a<|end|>{FINAL}b{tail}", LENGTH).answer == "b"


def test_15_an_empty_message_is_no_event() -> None:
    heard = read(f"{ANALYSIS}<|end|>{FINAL}<|end|>{FINAL}b<|return|>")
    assert heard.blocks == (("answer", "b"),)
    assert read("").blocks == ()
    assert hear([]).end is INTERRUPTED


def test_16_text_without_any_marker_is_an_answer() -> None:
    for text in ("Rest and fluids.", "A", "As for you:", "42", "Finally, rest.", "to rest"):
        heard = read(text)
        assert (said(heard), heard.end) == (("", text), FINISHED)


def test_16_a_word_of_a_header_before_the_first_marker_is_dropped() -> None:
    for word in ("assistant", "assist", "analysis", "\n"):
        assert said(read(f"{word}{REPLY}")) == said(read(REPLY))


def test_16_text_before_the_first_channel_completes_no_answer() -> None:
    heard = read(f"Let me think. {ANALYSIS}a<|return|>")
    assert (said(heard), heard.end) == (("a", "Let me think. "), UNKNOWN)
    assert read(f"Let me think. {REPLY}").end is FINISHED


def test_17_invalid_bytes_are_replaced_and_stay_in_their_message() -> None:
    text = ANALYSIS.encode() + b"a\xff\xe2\x82<|end|>" + FINAL.encode() + b"b\xf0\x9f"
    for size in (1, 2, 5, len(text)):
        heard = hear([text[at : at + size] for at in range(0, len(text), size)], LENGTH)
        assert said(heard) == ("a\ufffd\ufffd", "b\ufffd")


def test_17_text_after_half_a_character_in_bytes() -> None:
    assert hear([FINAL, b"a\xe2\x82", "b"]).answer == "a\ufffdb"


def test_17_surrogates_are_joined_or_replaced() -> None:
    assert hear([FINAL, "\ud83e", "\udec1 \ud83e", "x\udec1"]).answer == "🫁 \ufffdx\ufffd"
    assert hear([FINAL, "a\ud83e"]).answer == "a\ufffd"


# 18: special tokens stripped on the way


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("analysisWe need care.assistantfinalRest.", ("We need care.", "Rest.")),
        ("assistantanalysisWe need careassistantfinalRest.", ("We need care", "Rest.")),
        (" analysis我们assistantfinal休息", ("我们", "休息")),
        ("ANALYSISWe need.ASSISTANTFINALRest.", ("We need.", "Rest.")),
        ("analysis\nWe need.assistantfinal\n\n**Rest.**", ("\nWe need.", "\n\n**Rest.**")),
        ("assistantfinalRest.", ("", "Rest.")),
        ("finalRest.", ("", "Rest.")),
        ('assistantfinal{"a": 1}', ("", '{"a": 1}')),
        ("analysisa.assistantanalysisb.assistantfinalc", ("a.\n\nb.", "c")),
        ("commentaryFirst.assistantfinalThen.", ("", "First.\n\nThen.")),
        ("analysisa.assistantcommentaryb.assistantfinalc", ("a.", "b.\n\nc")),
        ('commentary to=functions.x json{"a":1}assistantfinalb', ("", "b")),
        ('analysisa.assistantcommentary to=functions.x json{"a":1}assistantfinalb', ("a.", "b")),
        ('<think>a</think>assistantfinal{"b": 1}', ("a", '{"b": 1}')),
        ("analysisa<think>b</think>assistantfinalc", ("a\n\nb", "c")),
        ("analysis<think>a</think>b.assistantfinalc", ("a\n\nb.", "c")),
        ("analysisa.assistantfinal<|message|>b<|return|>", ("a.", "b")),
        ("analysisa.<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>", ("a.", "b")),
        ("analysisa.assistant<|channel|>final<|message|>b<|return|>", ("a.", "b")),
    ],
)
def test_18_stripped_headers_are_known_by_what_they_are_glued_to(
    text: str, expected: tuple[str, str]
) -> None:
    heard = read(text)
    assert (said(heard), heard.end) == (expected, FINISHED)


@pytest.mark.parametrize(
    "text",
    [
        "Analysis of the blood shows anaemia.",
        "analysis of the blood shows anaemia.",
        "Analysis: anaemia.",
        "Analysis\n\nThe blood shows anaemia.",
        "Analysis, then treatment.",
        "analysis_result = 3",
        "Analyses differ.",
        "Commentary: rest.",
        "commentary on the case",
        "Final answer: B",
        "final",
        "Finally, rest.",
        "FINALLY",
        "Assistant professors disagree.",
        "assistantfinal is how stripped harmony looks.",
        "The log said assistantfinalRest, and analysisWe, and commentary.",
        "I did an analysis.assistantfinalRest",
    ],
)
def test_18_prose_with_those_words_is_an_answer(text: str) -> None:
    assert said(read(f"{text} ")) == ("", f"{text} ")


@pytest.mark.parametrize(
    "prose",
    ["an assistant finally", "say assistantfinal, then", "'assistantfinal'", "assistantfin"],
)
def test_18_prose_in_stripped_reasoning_stays_reasoning(prose: str) -> None:
    heard = read(f"analysisWe {prose} go.assistantfinalRest, {prose}")
    assert said(heard) == (f"We {prose} go.", f"Rest, {prose}")


def test_18_with_markers_those_words_are_text() -> None:
    words = "analysisWe assistantfinalRest"
    assert said(read(f"{ANALYSIS}{words}<|end|>{FINAL}{words}<|return|>")) == (words, words)


def test_18_half_a_stripped_header_is_held_and_never_shown() -> None:
    text = "analysisWe need care.assistantfinalRest."
    reader = HarmonyReader()
    reader.feed("analysisWe need care.")
    assert reader.feed("assistantfin") == []
    assert reader.feed("al") == []
    assert reader.feed("Rest.") == [AnswerDelta("Rest.")]
    for at in range(len(text)):
        heard = hear([text[:at]], LENGTH)
        assert "Rest.".startswith(heard.answer)
        assert "We need care.assistant".startswith(heard.reasoning)
    assert read("analysisI am your assistant", LENGTH).reasoning == "I am your "


# 19 and 20


@pytest.mark.parametrize(
    "header",
    [
        "<|start|>assistant<|channel|>analysis to=browser.search code",
        "<|start|>assistant<|channel|>analysis to=python code",
        "<|start|>functions.x to=assistant<|channel|>commentary",
        "<|start|>browser<|channel|>final",
        "<|start|>user",
        "<|start|>system",
        "<|start|>user<|channel|>final",
    ],
)
def test_19_other_roles_and_recipients_are_dropped(header: str) -> None:
    heard = read(f"{ANALYSIS}a<|end|>{header}<|message|>nothing<|end|>{FINAL}b<|return|>")
    assert said(heard) == ("a", "b")
    assert said(read(f"{header}<|message|>nothing<|channel|>final<|message|>b")) == ("", "b")


def test_20_chunks_of_any_size_and_at_random_give_the_same_events() -> None:
    whole = hear([REPLY * 3])
    dice = random.Random(20)  # noqa: S311
    for _ in range(500):
        cuts = sorted(dice.choices(range(len(REPLY * 3)), k=dice.randint(0, 40)))
        edges = zip([0, *cuts], [*cuts, None], strict=True)
        assert hear([(REPLY * 3)[a:b] for a, b in edges]) == whole


# Markers of no list, bounds, and what people type


def test_an_unknown_marker_is_not_text_and_lets_no_marker_form_around_it() -> None:
    assert said(read(f"{FINAL}a<|im_end|><|endoftext|>")) == ("", "a  ")
    assert said(read(f"{FINAL}<|cha<|foo|>nnel|>analysis")) == ("", "<|cha nnel|>analysis")
    assert said(read(f"{FINAL}a<|message|>b<|constrain|>c")) == ("", "a b c")
    assert said(read("<think>a<|cha<|foo|>nnel|>")) == ("a<|cha nnel|>", "")
    assert said(read("<|channel|>final <|cha<think>nnel|>")) == ("", "<|cha nnel|>")


def test_think_tags_inside_harmony_keep_reasoning_out_of_the_answer() -> None:
    assert said(read(f"{FINAL}<think>a</think>b<|return|>")) == ("a", "b")
    assert said(read(f"{FINAL}b<THINK>a")) == ("a", "b")
    assert said(read("<think>a</think>\nb")) == ("a", "b")
    assert said(read(f"{FINAL}<thi<think></think>nk>b")) == ("", "<thi\n\nnk>b")


def test_the_usage_is_passed_on() -> None:
    usage = Usage(completion_tokens=7)
    assert HarmonyReader().finish(LENGTH, usage) == [Ended(LENGTH, usage)]


@pytest.mark.parametrize("first", ["", "<|start|>", "<|channel|>", ANALYSIS, "analysisx"])
@pytest.mark.parametrize("unit", ["<", "<|a", " ", "x", "assistant", "<|channel|>", "<think>"])
def test_no_text_makes_the_reader_keep_more_than_a_little(first: str, unit: str) -> None:
    reader = HarmonyReader()
    reader.feed(first + unit)
    tracemalloc.start()
    reader.feed(unit * 20_000)
    for _ in range(20_000):
        reader.feed(unit)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 20_000
