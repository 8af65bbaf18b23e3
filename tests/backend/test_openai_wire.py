"""Chat completions in every dialect that servers speak: chunks in, events out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.base import BackendError, BrokeContract, Effort, Interrupted, Options, TooLong
from backend.openai_wire import OpenAIWire, StreamReader
from backend.policy import Policy
from chat.conversation import SYSTEM_PROMPT, Conversation, Role, Turn
from chat.events import AnswerDelta, Ended, EndReason, Event, ReasoningDelta, Usage

FINISHED = {"finish_reason": "stop"}


def chunk(delta: dict[str, Any] | None = None, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta or {}, **choice}]}


def stream(*chunks: object, done: bool = True) -> bytes:
    lines = [f"data: {json.dumps(each)}\n\n" for each in chunks]
    return "".join([*lines, "data: [DONE]\n\n" if done else ""]).encode()


def read(body: bytes, media_type: str = "text/event-stream", cut: int = 0) -> list[Event]:
    """The events of `body`, fed in pieces of `cut` bytes, or at once."""
    events: list[Event] = []
    reader = wire().reader(media_type, events.append)
    for at in range(0, len(body), cut or len(body)):
        reader.feed(body[at : at + (cut or len(body))])
    reader.finish()
    return events


def told(events: list[Event]) -> tuple[str, str, EndReason]:
    end = events[-1]
    assert isinstance(end, Ended)
    texts = [event for event in events if not isinstance(event, Ended)]
    reasoning = "".join(e.text for e in texts if isinstance(e, ReasoningDelta))
    return reasoning, "".join(e.text for e in texts if isinstance(e, AnswerDelta)), end.reason


def wire(model: str | None = "m") -> OpenAIWire:
    return OpenAIWire("http://127.0.0.1/v1", model, Policy().event_bytes)


DIALECTS = {
    "reasoning": [chunk({"reasoning": "Weigh it."}), chunk({"content": "Rest."}, **FINISHED)],
    "reasoning_content": [
        chunk({"reasoning_content": "Weigh it."}),
        chunk({"content": "Rest."}, **FINISHED),
    ],
    "both, equal": [
        chunk({"reasoning": "Weigh it.", "reasoning_content": "Weigh it.", "content": None}),
        chunk({"content": "Rest."}, **FINISHED),
    ],
    "both in one chunk": [chunk({"reasoning": "Weigh it.", "content": "Rest."}, **FINISHED)],
    "harmony in content": [
        chunk({"content": "<|channel|>analysis<|message|>Weigh it.<|end|><|start|>assist"}),
        chunk({"content": "ant<|channel|>final<|message|>Rest.<|return|>"}, **FINISHED),
    ],
    "think tags in content": [
        chunk({"content": "<thi"}),
        chunk({"content": "nk>Weigh it.</think>\n\nRest."}, **FINISHED),
    ],
    "labels in content": [
        chunk({"content": "Thinking:\nWeigh it.\n\nFin"}),
        chunk({"content": "al:\nRest."}, **FINISHED),
    ],
}


@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_reasoning_and_answer_come_apart_in_every_dialect(dialect: str, cut: int) -> None:
    reasoning, answer, end = told(read(stream(*DIALECTS[dialect]), cut=cut))
    assert (reasoning.strip(), answer.strip(), end) == ("Weigh it.", "Rest.", EndReason.FINISHED)


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        ("stop", EndReason.FINISHED),
        ("length", EndReason.LENGTH),
        ("tool_calls", EndReason.UNKNOWN),
        ("content_filter", EndReason.WITHHELD),
        ("abort", EndReason.INTERRUPTED),
        (None, EndReason.UNKNOWN),
    ],
)
def test_each_finish_reason_is_the_end_it_means(reason: str | None, end: EndReason) -> None:
    body = stream(chunk({"content": "Rest."}), chunk(finish_reason=reason))
    assert told(read(body)) == ("", "Rest.", end)


def test_reasoning_alone_is_never_a_finished_reply() -> None:
    body = stream(chunk({"reasoning": "Weigh it."}), chunk(**FINISHED))
    assert told(read(body)) == ("Weigh it.", "", EndReason.UNKNOWN)


def test_a_stream_that_stops_without_its_end_is_interrupted() -> None:
    with pytest.raises(Interrupted):
        read(stream(chunk({"content": "Rest."}), done=False))
    whole = stream(chunk({"content": "Rest."}, **FINISHED), done=False)
    assert told(read(whole)) == ("", "Rest.", EndReason.FINISHED)


def test_usage_after_the_last_choice_is_told_with_the_end() -> None:
    counted = {"prompt_tokens": 9, "completion_tokens": 5}
    counted |= {"completion_tokens_details": {"reasoning_tokens": 3}}
    body = stream(chunk({"content": "Rest."}, **FINISHED), {"choices": [], "usage": counted})
    assert read(body)[-1] == Ended(EndReason.FINISHED, Usage(9, 5, 3))


@pytest.mark.parametrize("usage", [{"completion_tokens": "many"}, [], -1, {"prompt_tokens": -4}])
def test_usage_that_makes_no_sense_is_no_usage(usage: object) -> None:
    body = stream(chunk({"content": "Rest."}, usage=1, **FINISHED), {"usage": usage})
    assert read(body)[-1] == Ended(EndReason.FINISHED)


def broken(body: bytes, media_type: str = "text/event-stream") -> tuple[BackendError, list[Event]]:
    """The error that `body` ends in, and the events before it."""
    events: list[Event] = []
    with pytest.raises(BackendError) as raised:
        wire_read(body, events, media_type)
    return raised.value, events


def wire_read(body: bytes, events: list[Event], media_type: str) -> None:
    reader = wire().reader(media_type, events.append)
    reader.feed(body)
    reader.finish()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "HarmonyError: unexpected token", "code": 500}, Interrupted),
        ({"message": "This model's maximum context length is 8192 tokens."}, TooLong),
        ({"code": "context_length_exceeded"}, TooLong),
        ("a plain text", Interrupted),
    ],
)
def test_an_error_inside_a_stream_ends_it_after_what_came_before(
    error: object, kind: type[BackendError]
) -> None:
    raised, events = broken(stream(chunk({"content": "Rest."}), {"error": error}))
    assert type(raised) is kind
    assert events == [AnswerDelta("Rest.")]


@pytest.mark.parametrize(
    "line",
    [b'data: {"choices": [{"del\n\n', b"data: [1]\n\n", b"data: " + b"[" * 100_000 + b"\n\n"],
)
def test_a_line_that_cannot_be_read_is_never_skipped_in_silence(line: bytes) -> None:
    before, after = chunk({"content": "Rest."}), chunk({"content": " Drink."}, **FINISHED)
    raised, events = broken(stream(before, done=False) + line + stream(after))
    assert isinstance(raised, BrokeContract)
    assert events == [AnswerDelta("Rest.")]


def test_text_that_is_no_text_breaks_the_contract() -> None:
    raised, _ = broken(stream(chunk({"content": {"a": 1}})))
    assert isinstance(raised, BrokeContract)


def test_only_the_first_of_several_choices_is_read() -> None:
    both = [
        {"index": 1, "delta": {"content": "Run."}},
        {"index": 0, "delta": {"content": "Rest.", "role": "assistant"}, **FINISHED},
    ]
    assert told(read(stream({"choices": both}))) == ("", "Rest.", EndReason.FINISHED)


def test_an_event_sent_again_under_its_id_is_read_once_and_equal_ones_twice() -> None:
    one = b"id: 4\ndata: " + json.dumps(chunk({"content": "ha "})).encode() + b"\n\n"
    other = stream(chunk({"content": "ha "}), chunk({"content": "ha "}), chunk(**FINISHED))
    assert told(read(one + one + other))[1] == "ha ha ha "


@pytest.mark.parametrize("marker", ["<|channel|>", "<|return|>", "<think>", "</think>"])
def test_no_marker_of_a_model_reaches_a_panel(marker: str) -> None:
    parts = [chunk({"reasoning": f"Weigh {marker} it."}), chunk({"content": f"Rest {marker} now."})]
    reasoning, answer, _ = told(read(stream(*parts, chunk(**FINISHED))))
    assert "<" not in reasoning + answer


def test_reasoning_whose_opening_was_in_the_prompt_is_never_a_finished_answer() -> None:
    parts = [chunk({"content": "Weigh it."}), chunk({"content": "</think>Rest."}, **FINISHED)]
    assert told(read(stream(*parts)))[2] is EndReason.UNKNOWN
    message = {"content": "Weigh it.</think>\n\nRest."}
    body = json.dumps({"choices": [{"message": message, **FINISHED}]}).encode()
    assert told(read(body, "application/json")) == ("Weigh it.", "Rest.", EndReason.FINISHED)


def test_a_whole_completion_in_answer_to_a_stream_is_read_too() -> None:
    message = {"content": "Rest.", "reasoning_content": "Weigh it."}
    body = json.dumps({"choices": [{"message": message, **FINISHED}]}).encode()
    assert told(read(body, "application/json", cut=9)) == (
        "Weigh it.",
        "Rest.",
        EndReason.FINISHED,
    )


@pytest.mark.parametrize("body", [b"{}", b'{"choices": ', b'"Rest."', b"[" * 100_000])
def test_json_that_is_no_completion_breaks_the_contract(body: bytes) -> None:
    raised, _ = broken(body, "application/json")
    assert isinstance(raised, BrokeContract)


@pytest.mark.parametrize("media_type", ["text/html", "text/plain", "application/octet-stream"])
def test_what_is_neither_a_stream_nor_json_is_not_read(media_type: str) -> None:
    with pytest.raises(BrokeContract):
        wire().reader(media_type, lambda event: None)


def test_an_event_without_end_is_given_up() -> None:
    reader = StreamReader(lambda event: None, 1_000)
    with pytest.raises(BrokeContract):
        reader.feed(b"data: " + b"x" * 2_000)


def test_a_question_carries_the_servers_system_text_and_harmless_turns() -> None:
    said = (
        Turn(Role.USER, "Is <|end|> a token?"),
        Turn(Role.ASSISTANT, "No <think> here."),
        Turn(Role.USER, "And [INST]?"),
    )
    options = Options(effort=Effort.HIGH, max_new_tokens=99, temperature=0.0, seed=5)
    body = json.loads(wire("served").question(Conversation(said), options))
    system, *rest = body.pop("messages")
    assert system == {"role": "system", "content": SYSTEM_PROMPT}
    assert [each["role"] for each in rest] == ["user", "assistant", "user"]
    assert [each["content"] for each in rest] == [
        "Is < |end| > a token?",
        "No < think> here.",
        "And [ INST]?",
    ]
    assert body == {
        "model": "served",
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 99,
        "temperature": 0.0,
        "top_p": 1.0,
        "reasoning_effort": "high",
        "seed": 5,
    }
