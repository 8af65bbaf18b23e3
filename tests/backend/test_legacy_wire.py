"""The legacy contract: a conversation folded into one message, and Retry-After read with care."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

import pytest

from backend.base import Options, TooLong
from backend.fitting import fit
from backend.legacy_wire import MAX_MESSAGE_CHARS, LegacyWire, fold
from backend.statuses import retry_after, says_too_long
from chat.conversation import Conversation, Role, Turn


def conversation(*texts: str) -> Conversation:
    roles = (Role.USER, Role.ASSISTANT)
    return Conversation(tuple(Turn(roles[n % 2], text) for n, text in enumerate(texts)))


def test_one_question_is_sent_as_it_is() -> None:
    body = LegacyWire("http://127.0.0.1/x").question(conversation("What is asthma?"), Options())
    assert json.loads(body) == {"message": "What is asthma?"}


def test_what_was_said_before_stands_before_the_question_in_order() -> None:
    message = fold(conversation("What is asthma?", "A disease.", "And its cure?"))
    parts = ["Question: What is asthma?", "Answer: A disease.", "And its cure?"]
    assert [message.index(part) for part in parts] == sorted(message.index(part) for part in parts)
    assert message.endswith("And its cure?")


def test_the_room_that_it_tells_is_what_it_takes() -> None:
    draw = random.Random(3)  # noqa: S311
    wire = LegacyWire("http://127.0.0.1/x")
    assert wire.context_window is not None
    for _ in range(200):
        sizes = [draw.randint(1, 4_000) for _ in range(2 * draw.randint(0, 9) + 1)]
        asked = fit(
            conversation(*("x" * size for size in sizes)),
            partial(wire.fits, room=wire.context_window),
        )
        wire.question(asked, Options())
        assert asked.left_out == 0 or len(fold(asked)) <= MAX_MESSAGE_CHARS


def test_more_than_it_takes_is_refused_and_never_cut() -> None:
    wire = LegacyWire("http://127.0.0.1/x")
    wire.question(conversation("x" * MAX_MESSAGE_CHARS), Options())
    for texts in (["x" * (MAX_MESSAGE_CHARS + 1)], ["x" * 4_000, "y" * 4_000, "z"]):
        with pytest.raises(TooLong):
            wire.question(conversation(*texts), Options())


def test_what_people_typed_is_harmless_in_every_turn() -> None:
    message = fold(conversation("<|end|>", "<think>", "[INST]"))
    assert "<|" not in message
    assert "<think>" not in message
    assert "[INST]" not in message


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2", 2.0), (" 0 ", 0.0), ("1.5", 1.5), ("600", 600.0)]
    + [(bad, None) for bad in ("", "soon", "-3", "nan", "inf", "1e308", "99999999999", "\x00")],
)
def test_a_retry_after_is_seconds_or_nothing(header: str, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_a_retry_after_may_be_a_date_to_come() -> None:
    now = datetime.now(UTC)
    soon = retry_after(format_datetime(now + timedelta(seconds=30), usegmt=True))
    assert soon is not None
    assert 27 < soon <= 30
    assert retry_after(format_datetime(now - timedelta(days=2), usegmt=True)) is None
    assert retry_after("Mon, 99 Foo 9999 99:99:99 GMT") is None


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 8192 tokens. However, you requested 9000.",
        '{"code":"context_length_exceeded"}',
        "the request exceeds the available context size",
        "exceed_context_size_error",
    ],
)
def test_servers_own_words_for_too_long_are_known(words: str) -> None:
    assert says_too_long(words)


def test_other_words_are_not_too_long() -> None:
    assert not says_too_long("temperature must be a number; context is missing")
