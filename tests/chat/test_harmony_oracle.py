"""Our reader of text against openai-harmony's own parser of tokens, on well-formed replies.

The library renders each reply to tokens and parses them; we read the same tokens as text. Rows
are our own and, where MEDICAL_DATA names the folder of the medical data, a sample of real ones.
"""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass
from pathlib import Path

import pytest
from openai_harmony import (
    Author,
    Conversation,
    HarmonyEncoding,
    Message,
    Role,
    StreamableParser,
)

from chat.events import EndReason
from chat.typed_markers import neutralise
from tests.chat.streams import hear, read, sized

SEED = 2
SAMPLE = 200


@dataclass(frozen=True)
class Row:
    reasoning: str
    answer: str


OWN = [
    Row("Fever and cough, so perhaps pneumonia.", "Pneumonia is likely; a chest film decides."),
    Row("K⁺ 6.8 mmol/L → ECG?\n\n1. peaked T\n2. wide QRS", "- calcium gluconate\n- insulin\n"),
    Row("高血钾,先做心电图。", "先静脉给钙,再降钾。🫀"),
    Row("حامل، صداع وارتفاع ضغط", "تسمم الحمل: \u200fأرسلها إلى المستشفى الآن."),
    Row("Дозу считаем по весу: 15 мг/кг", "Парацетамол 15 мг/кг, не чаще 4 раз в сутки."),
    Row("```python\nif a < b and c > d:\n    x |= y << 2\n```", "    indented\n\n\ttabbed\r\nline"),
    Row("p < 0.05, p<|q|r>, a <| b |> c, <||>, <b>bold</b>", "eGFR <30 → stop; > 60 <"),
    Row("analysisWe write assistantfinal here", "final: the word assistantfinalRest is text"),
    Row("  leading and trailing  ", "\n\nblank lines around\n\n"),
    Row("half a marker <|chan", "and <|en"),
    Row("👩🏽‍⚕️ é vs é, ﬁ, \u200b, \u202e, \u00a0", "ｆｕｌｌ ｗｉｄｔｈ ＜｜end｜＞ \ufffd"),
    Row("x", "0"),
    Row("long " * 3_000, "word" * 3_000),
]


def real_rows() -> list[Row]:
    folder = os.environ.get("MEDICAL_DATA")
    if not folder:
        return []
    lines = (Path(folder) / "train" / "medical_o1_en.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in random.Random(SEED).sample(lines, SAMPLE)]  # noqa: S311
    return [Row(row["reasoning"], row["answer"]) for row in rows]


def assistant(channel: str, text: str) -> Message:
    return Message.from_role_and_content(Role.ASSISTANT, text).with_channel(channel)


def replies(row: Row) -> list[list[Message]]:
    """The shapes a well-formed reply can take, each carrying the row's text."""
    middle = len(row.reasoning) // 2
    call = assistant("commentary", '{"drug": "warfarin"}')
    called = call.with_recipient("functions.dose").with_content_type("<|constrain|>json")
    tool = Author.new(Role.TOOL, "functions.dose")
    returned = Message.from_author_and_content(tool, "5 mg").with_channel("commentary")
    analysis, final = assistant("analysis", row.reasoning), assistant("final", row.answer)
    parts = [row.reasoning[:middle], row.reasoning[middle:]]
    return [
        [analysis, final],
        [final],
        [analysis],
        [*(assistant("analysis", part) for part in parts), final],
        [analysis, assistant("commentary", "First, the dose."), final],
        [analysis, called, returned.with_recipient("assistant"), analysis, final],
        [assistant("analysis", "query").with_recipient("browser.search"), analysis, final],
    ]


def oracle(encoding: HarmonyEncoding, tokens: list[int]) -> tuple[str, str]:
    """Reasoning and answer as the library's parser has them, joined by our blank line."""
    parser = StreamableParser(encoding, role=None)
    for token in tokens:
        parser.process(token)
    parser.process_eos()
    panels: dict[str | None, list[str]] = {"analysis": [], "final": []}
    for message in parser.messages:
        text = "".join(part.text for part in message.content)
        if message.author.role is Role.ASSISTANT and message.recipient is None and text:
            panels["analysis" if message.channel == "analysis" else "final"].append(text)
    return "\n\n".join(panels["analysis"]), "\n\n".join(panels["final"])


def agree(encoding: HarmonyEncoding, messages: list[Message], dice: random.Random) -> None:
    tokens = encoding.render_conversation(Conversation.from_messages(messages))
    text = encoding.decode_utf8(tokens)
    expected = oracle(encoding, tokens)
    assert any(expected)
    # A completion begins after the prompt's `<|start|>assistant`.
    completion = text.removeprefix("<|start|>assistant")
    for stream in (text, text.encode(), completion):
        heard = hear(sized(stream, dice.randint(1, 40)), EndReason.FINISHED)
        assert (heard.reasoning, heard.answer) == expected


@pytest.mark.parametrize("number", range(len(OWN)))
def test_the_official_parser_hears_the_same_in_our_rows(
    encoding: HarmonyEncoding, number: int
) -> None:
    dice = random.Random(number)  # noqa: S311
    for messages in replies(OWN[number]):
        agree(encoding, messages, dice)


@pytest.mark.skipif(not os.environ.get("MEDICAL_DATA"), reason="MEDICAL_DATA is not set")
def test_the_official_parser_hears_the_same_in_real_rows(encoding: HarmonyEncoding) -> None:
    rows = real_rows()
    assert len(rows) == SAMPLE
    dice = random.Random(SEED)  # noqa: S311
    for row in rows:
        for messages in replies(row):
            agree(encoding, messages, dice)


@pytest.mark.parametrize(
    "text", ["<|channel|>final Drink water.<|return|>", "<|channel|>analysis Thirst?<|end|>"]
)
def test_a_missing_message_marker_is_recovered_as_the_lenient_parser_does(
    encoding: HarmonyEncoding, text: str
) -> None:
    parser = StreamableParser(encoding, role=Role.ASSISTANT, strict=False)
    for token in encoding.encode(text, allowed_special="all"):
        parser.process(token)
    [message] = parser.messages
    panel = "reasoning" if message.channel == "analysis" else "answer"
    assert read(text).blocks == ((panel, message.content[0].text),)


def test_no_special_token_comes_out_of_typed_text(encoding: HarmonyEncoding) -> None:
    specials = sorted(encoding.special_tokens_set)
    assert len(specials) > 10
    for special in specials:
        typed = f"Is {special}this{special} safe?{special}"
        control = [t for t in encoding.encode(typed, allowed_special="all") if is_control(t)]
        assert len(control) == 3, "typed as it is, it would be a control token"
        harmless = encoding.encode(neutralise(typed), allowed_special="all")
        assert not any(is_control(token) for token in harmless)
        assert encoding.decode(harmless) == neutralise(typed)


def is_control(token: int) -> bool:
    return token >= 199_998  # o200k's ranks end here
