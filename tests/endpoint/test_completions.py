"""Chat completions over real sockets: what is told, by which status, and after it."""

from __future__ import annotations

import itertools
import time

import pytest

from backend.base import (
    BackendError,
    BrokeContract,
    Busy,
    Interrupted,
    NotReady,
    Refused,
    TooLong,
    TooSlow,
    Unreachable,
)
from backend.scripted import Pause, ScriptedBackend
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta
from endpoint import completions
from tests.conftest import wait_until
from tests.endpoint.conftest import Run
from tests.endpoint.scripts import COUNTED, REPLY, data, plays

USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 9,
    "total_tokens": 29,
    "completion_tokens_details": {"reasoning_tokens": 4},
}
WORD = AnswerDelta("word")


class Odd(BackendError):
    """One that nobody has thought of yet."""


FAILURES = [
    (TooLong("s3cret"), 400, "context_length_exceeded"),
    (Busy("s3cret", retry_after=20.5), 429, "busy"),
    (NotReady("s3cret"), 503, "not_ready"),
    (Refused("s3cret"), 500, "backend_refused"),
    (Unreachable("s3cret"), 502, "unreachable"),
    (TooSlow("s3cret"), 504, "too_slow"),
    (Interrupted("s3cret"), 502, "interrupted"),
    (BrokeContract("s3cret"), 502, "bad_reply"),
    (Odd("s3cret"), 502, "failed"),
]


def streamed(run: Run, backend: ScriptedBackend, **fields: object) -> list:
    response = run(backend).complete(stream=True, **fields)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    return list(data(response))


def deltas(events: list) -> list[dict]:
    return [e["choices"][0]["delta"] for e in events if isinstance(e, dict) and e["choices"]]


def finishes(events: list) -> list[str | None]:
    chunks = [e for e in events if isinstance(e, dict) and e["choices"]]
    return [e["choices"][0]["finish_reason"] for e in chunks]


def test_a_stream_has_the_role_first_reasoning_twice_the_answer_and_an_end(run: Run) -> None:
    events = streamed(run, plays(*REPLY))
    assert deltas(events) == [
        {"role": "assistant", "content": ""},
        {"reasoning": "It starves ", "reasoning_content": "It starves "},
        {"reasoning": "the brain.", "reasoning_content": "the brain."},
        {"content": "A stroke "},
        {"content": "is an emergency."},
        {},
    ]
    assert finishes(events) == [None] * 5 + ["stop"]
    assert events[-1] == "[DONE]"
    assert len({event["id"] for event in events[:-1]}) == 1
    assert not any("usage" in event for event in events[:-1])


def test_usage_stands_in_a_last_chunk_where_it_is_asked_for(run: Run) -> None:
    *chunks, last, done = streamed(run, plays(*REPLY), stream_options={"include_usage": True})
    assert all(chunk["usage"] is None for chunk in chunks)
    assert (last["choices"], last["usage"], done) == ([], USAGE, "[DONE]")


def test_a_whole_reply_has_all_of_it(run: Run) -> None:
    response = run(plays(*REPLY)).complete()
    whole = response.json()
    [choice] = whole["choices"]
    assert choice["message"] == {
        "role": "assistant",
        "content": "A stroke is an emergency.",
        "reasoning": "It starves the brain.",
        "reasoning_content": "It starves the brain.",
        "refusal": None,
    }
    assert (choice["finish_reason"], whole["usage"]) == ("stop", USAGE)
    assert whole["id"] == f"chatcmpl-{response.headers['x-request-id']}"


@pytest.mark.parametrize(
    ("reason", "finish"), [(EndReason.LENGTH, "length"), (EndReason.UNKNOWN, None)]
)
def test_an_end_is_told_as_it_was_and_none_is_invented(
    run: Run, reason: EndReason, finish: str | None
) -> None:
    backend = plays(ReasoningDelta("hm"), WORD, Ended(reason))
    events = streamed(run, backend, stream_options={"include_usage": True})
    assert finishes(events) == [None] * 3 + ([finish] if finish else [])
    assert events[-1] == "[DONE]"
    whole = run(backend).complete().json()
    assert whole["choices"][0]["finish_reason"] == finish
    assert whole["usage"] is None  # nobody counted


def test_reasoning_alone_is_never_content(run: Run) -> None:
    backend = plays(ReasoningDelta("hm"), Ended(EndReason.LENGTH, COUNTED))
    message = run(backend).complete().json()["choices"][0]["message"]
    assert (message["content"], message["reasoning"]) == ("", "hm")
    assert not any(delta.get("content") for delta in deltas(streamed(run, backend)))


def test_a_stop_sequence_cuts_the_answer_ends_it_and_stops_the_backend(run: Run) -> None:
    def forever(conversation, options):
        yield ReasoningDelta("a STOP in the reasoning")
        yield AnswerDelta("one ST")
        for _ in itertools.count():
            yield AnswerDelta("OP two")
            yield Pause(0.05)

    for stream in (True, False):
        backend = ScriptedBackend(forever)
        response = run(backend).complete(stream=stream, stop=["STOP"])
        if stream:
            events = list(data(response))
            said = "".join(delta.get("content", "") for delta in deltas(events))
            assert finishes(events)[-1] == "stop"
        else:
            [choice] = response.json()["choices"]
            said = choice["message"]["content"]
            assert choice["finish_reason"] == "stop"
        assert said == "one "
        wait_until(lambda backend=backend: backend.open == 0, 1.0)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("error", "status", "code"), FAILURES, ids=lambda v: type(v).__name__)
def test_a_failure_before_any_text_is_a_status_in_openais_shape(
    run: Run, error: BackendError, status: int, code: str, stream: bool
) -> None:
    response = run(plays(Pause(0.3), error)).complete(stream=stream)
    assert response.status_code == status
    told = response.json()["error"]
    assert set(told) == {"message", "type", "param", "code"}
    assert told["code"] == code
    assert "s3cret" not in response.text
    assert response.headers.get("retry-after") == ("21" if code == "busy" else None)


@pytest.mark.parametrize(("error", "status", "code"), FAILURES, ids=lambda v: type(v).__name__)
def test_a_failure_after_text_is_an_error_in_the_stream(
    run: Run, error: BackendError, status: int, code: str
) -> None:
    events = streamed(run, plays(WORD, error))
    assert deltas(events[:-2])[-1] == {"content": "word"}
    assert finishes(events[:-2]) == [None, None]
    assert events[-2]["error"]["code"] == code
    assert events[-1] == "[DONE]"


@pytest.mark.parametrize("reason", [EndReason.INTERRUPTED, EndReason.STOPPED])
def test_a_reply_that_broke_off_is_an_error_and_has_no_finish(run: Run, reason: EndReason) -> None:
    backend = plays(WORD, Ended(reason))
    events = streamed(run, backend)
    assert finishes(events[:-2]) == [None, None]
    assert events[-2]["error"]["code"] == "interrupted"
    assert run(backend).complete().status_code == 502


def test_a_backend_that_ends_without_a_word_broke_its_contract(run: Run) -> None:
    assert streamed(run, plays(WORD))[-2]["error"]["code"] == "bad_reply"
    assert run(plays()).complete(stream=True).status_code == 502


def test_a_fault_inside_of_the_backend_is_told_without_its_text(run: Run, caplog) -> None:
    def broken(conversation, options):
        yield WORD
        raise ValueError("s3cret")

    events = streamed(run, ScriptedBackend(broken))
    assert events[-2]["error"]["code"] == "bad_reply"
    assert "a reply failed inside: ValueError" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_silent_stream_has_its_head_soon_and_comments_then(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completions, "HOLD_SECONDS", 0.5)
    monkeypatch.setattr(completions, "SILENCE_SECONDS", 0.5)
    backend = plays(Pause(1.8), WORD, Pause(0.8), Unreachable("gone"))
    began = time.monotonic()
    endpoint = run(backend)
    with endpoint.http.stream(
        "POST",
        "/v1/chat/completions",
        json={"messages": [{"role": "user", "content": "What?"}], "stream": True},
    ) as response:
        assert response.status_code == 200
        assert time.monotonic() - began < 1.5
        events = list(data(response))
    kept = [n for n, event in enumerate(events) if event == ": waiting"]
    assert kept == [1, 2, 3, 5]
    assert events[4]["choices"][0]["delta"] == {"content": "word"}
    assert events[6]["error"]["code"] == "unreachable"
    assert events[7] == "[DONE]"


def test_more_replies_than_the_limit_are_busy(start: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completions, "HOLD_SECONDS", 0.2)
    endpoint = start(plays(Pause(60.0)), limit=1)
    request = {"messages": [{"role": "user", "content": "What?"}], "stream": True}
    with endpoint.http.stream("POST", "/v1/chat/completions", json=request):
        assert endpoint.complete().status_code == 429


def test_letters_of_every_alphabet_come_through_on_one_line_each(run: Run) -> None:
    text = "Schlaganfall \u2028 卒中 \x85 سكتة 🧠"
    events = streamed(run, plays(AnswerDelta(text), Ended(EndReason.FINISHED)))
    assert deltas(events)[1] == {"content": text}
