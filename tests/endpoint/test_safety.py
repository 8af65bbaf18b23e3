"""The check of the page guards the endpoint too: a field in the reply, and no model in a crisis."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from openai import OpenAI

from backend.base import BackendError, Options, Unreachable
from backend.remote import RemoteBackend
from backend.scripted import Pause, ScriptedBackend
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason
from safety.finding import Finding, Level
from safety.notices import fixed_reply, notices
from settings import Settings
from tests.endpoint.conftest import Run
from tests.endpoint.scripts import REPLY, data, plays

EMERGENCY = "I have crushing chest pain going down my left arm and I am sweating."
CRISIS = "I want to kill myself tonight."
BENIGN = "What are the warning signs of a stroke?"
CRISIS_TEXT = fixed_reply(Finding(Level.CRISIS), unreliable=False)
EMERGENCY_TEXT = fixed_reply(Finding(Level.EMERGENCY), unreliable=True)
REPLIED = "A stroke is an emergency."


def said(*texts: str) -> dict:
    """A request's messages: the user's and the assistant's in turn."""
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[i % 2], "content": t} for i, t in enumerate(texts)]}


def unreliable() -> ScriptedBackend:
    plain = plays(*REPLY)
    return ScriptedBackend(
        lambda conversation, options: REPLY, replace(plain.info, unreliable=True)
    )


def test_every_reply_says_what_was_found_and_nothing_where_nothing_was(run: Run) -> None:
    endpoint = run(plays(*REPLY))
    for text in (BENIGN, EMERGENCY):
        whole = endpoint.complete(**said(text)).json()
        first = next(data(endpoint.complete(**said(text), stream=True)))
        legacy = endpoint.http.post("/generate", json={"message": text}).json()
        assert whole["choices"][0]["message"]["content"] == REPLIED
        assert "Final:" in legacy["response"]
        for reply in (whole, first, legacy):
            assert ("safety" in reply) is (text == EMERGENCY)
    safety = whole["safety"]
    assert first["safety"] == legacy["safety"] == safety
    assert (safety["level"], safety["emergency"], safety["asked"]) == ("emergency", True, True)
    assert safety["rules"][0].startswith("cardiac.")
    [notice] = notices(Finding(Level.EMERGENCY))
    assert safety["notice"]["heading"] == notice.heading
    assert notice.sentences[1] in safety["notice"]["text"]
    assert [each["number"] for each in safety["notice"]["numbers"]] == ["112", "911", "999"]


def test_in_a_crisis_no_model_is_asked_and_the_fixed_text_is_the_reply(run: Run) -> None:
    backend = plays(*REPLY)
    endpoint = run(backend)
    asked = said(BENIGN, REPLIED, CRISIS, "I am sorry.", "Never mind. What is a cold?")
    whole = endpoint.complete(**asked, stop="you").json()
    chunks = list(data(endpoint.complete(**asked, stop="you", stream=True)))
    legacy = endpoint.http.post("/generate", json={"message": CRISIS}).json()
    assert backend.asked == []
    assert whole["choices"][0]["message"]["content"] == CRISIS_TEXT
    assert whole["choices"][0]["message"]["reasoning"] is None
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert whole["usage"]["completion_tokens"] == 0
    assert chunks[0]["safety"] == whole["safety"]
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks[:-1]) == CRISIS_TEXT
    assert legacy["response"] == f"Final:\n{CRISIS_TEXT}"
    for safety in (whole["safety"], legacy["safety"]):
        assert (safety["level"], safety["asked"]) == ("crisis", False)
        assert "988" in [each["number"] for each in safety["notice"]["numbers"]]


def test_an_unreliable_model_is_not_asked_in_an_emergency(run: Run) -> None:
    backend = unreliable()
    endpoint = run(backend)
    reply = endpoint.complete(**said(EMERGENCY)).json()
    assert reply["choices"][0]["message"]["content"] == EMERGENCY_TEXT
    assert reply["safety"]["asked"] is False
    assert backend.asked == []
    assert "safety" not in endpoint.complete(**said(BENIGN)).json()
    assert len(backend.asked) == 1


@pytest.mark.parametrize("stream", [True, False])
def test_what_was_found_is_told_where_the_backend_fails_too(run: Run, stream: bool) -> None:
    endpoint = run(plays(Unreachable("refused")))
    reply = endpoint.complete(**said(EMERGENCY), stream=stream)
    assert reply.status_code == 502
    assert reply.json()["safety"]["level"] == "emergency"
    old = endpoint.http.post("/generate", json={"message": EMERGENCY})
    assert (old.status_code, old.json()["safety"]["level"]) == (500, "emergency")


def test_what_was_found_comes_at_once_while_the_model_is_still_silent(run: Run) -> None:
    endpoint = run(plays(Pause(60.0), *REPLY))
    asked = {**said(EMERGENCY), "stream": True}
    began = time.monotonic()
    with endpoint.http.stream("POST", "/v1/chat/completions", json=asked) as reply:
        first = next(line for line in reply.iter_lines() if line.startswith("data: "))
        assert time.monotonic() - began < 2.0
    assert json.loads(first.removeprefix("data: "))["safety"]["level"] == "emergency"


def test_a_crisis_is_answered_where_every_place_is_taken(start: Run) -> None:
    endpoint = start(plays(*REPLY), limit=0)
    assert endpoint.complete(**said(BENIGN)).status_code == 429
    reply = endpoint.complete(**said(CRISIS))
    assert reply.status_code == 200
    assert reply.json()["choices"][0]["message"]["content"] == CRISIS_TEXT


@pytest.mark.parametrize("stream", [True, False])
def test_the_sdk_reads_the_fixed_reply_and_its_field(run: Run, stream: bool) -> None:
    url = run(plays(*REPLY)).address + "/v1"
    with OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        reply = client.chat.completions.create(
            model="a script, not a model",
            messages=[{"role": "user", "content": CRISIS}],
            stream=stream,
        )
        if stream:
            chunks = list(reply)
            content = "".join(c.choices[0].delta.content or "" for c in chunks)
            first, finish = chunks[0], chunks[-1].choices[0].finish_reason
        else:
            first, finish = reply, reply.choices[0].finish_reason
            content = reply.choices[0].message.content
    assert content == CRISIS_TEXT
    assert finish == "stop"
    assert first.safety["level"] == "crisis"


@pytest.fixture
def remote(run: Run) -> Iterator:
    opened: list[RemoteBackend] = []

    def open_remote(backend: ScriptedBackend) -> RemoteBackend:
        url = run(backend).address + "/v1"
        settings = Settings(backend="remote", modal_endpoint=url)
        opened.append(RemoteBackend.from_settings(settings))
        return opened[-1]

    yield open_remote
    for each in opened:
        each.close()


def test_our_own_page_behind_such_an_endpoint_reads_the_fixed_text_as_a_whole_reply(remote) -> None:
    backend = unreliable()
    try:
        events = list(remote(backend).stream(Conversation.ask(EMERGENCY), Options()))
    except BackendError as error:
        pytest.fail(f"{type(error).__name__}: {error}")
    text = "".join(event.text for event in events if isinstance(event, AnswerDelta))
    assert text == EMERGENCY_TEXT
    assert isinstance(events[-1], Ended)
    assert events[-1].reason is EndReason.FINISHED
    assert backend.asked == []
