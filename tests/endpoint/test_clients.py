"""Clients that nobody here wrote: OpenAI's SDK, and the harness that evaluates models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from openai import OpenAI

from backend.base import Busy, NotReady, Ready, TooLong, Unreachable
from backend.embedded import EmbeddedBackend
from chat.events import AnswerDelta
from tests.conftest import ROOT, wait_until
from tests.endpoint.conftest import Run
from tests.endpoint.scripts import REPLY, plays

QUESTION = "What is a stroke?"
MESSAGES = [{"role": "user", "content": QUESTION}]


def short(embedded: EmbeddedBackend, **fields) -> dict:
    """A small request of the model, the same at each run."""
    # Its file has a name of its own until it is known for the default model.
    wait_until(lambda: isinstance(embedded.status(), Ready), 60.0)
    model = embedded.info.model
    return {"model": model, "messages": MESSAGES, "max_tokens": 64, "seed": 7, **fields}


@pytest.fixture
def sdk(run: Run) -> Iterator:
    """`sdk(backend, **options)` gives OpenAI's client of the endpoint around it."""
    opened: list[OpenAI] = []

    def open_client(backend, **options) -> OpenAI:
        url = run(backend).address + "/v1"
        opened.append(OpenAI(base_url=url, **{"api_key": "none", "max_retries": 0, **options}))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()


def gathered(stream) -> tuple[str, str, str | None, object]:
    reasoning, answer, finish, usage = "", "", None, None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            thought = getattr(choice.delta, "reasoning", "")
            assert getattr(choice.delta, "reasoning_content", "") == thought
            reasoning += thought
            answer += choice.delta.content or ""
            finish = choice.finish_reason or finish
    return reasoning, answer, finish, usage


@pytest.mark.model
def test_the_sdk_reads_a_reply_of_the_model_streamed_and_whole_the_same_by_its_seed(
    sdk, embedded: EmbeddedBackend
) -> None:
    client = sdk(embedded)
    wanted = short(embedded)
    listed = [model.id for model in client.models.list()]
    assert listed == [wanted["model"], embedded.info.base]
    whole = client.chat.completions.create(**wanted)
    [choice] = whole.choices
    assert choice.message.reasoning == choice.message.reasoning_content
    assert choice.finish_reason == "length"
    assert whole.usage.completion_tokens == 64
    assert 0 < whole.usage.completion_tokens_details.reasoning_tokens < 64
    stream = client.chat.completions.create(
        **wanted, stream=True, stream_options={"include_usage": True}
    )
    again = gathered(stream)
    assert again[:2] == (choice.message.reasoning, choice.message.content)
    assert all(again[:2])
    assert again[2:] == ("length", whole.usage)
    other = client.chat.completions.create(**{**wanted, "seed": 8, "temperature": 1.0})
    assert other.choices[0].message.content != choice.message.content


@pytest.mark.model
def test_effort_and_stop_change_what_the_model_says(sdk, embedded: EmbeddedBackend) -> None:
    client = sdk(embedded)
    wanted = short(embedded, max_tokens=128)
    thought = {}
    for effort in ("low", "high"):
        reply = client.chat.completions.create(**wanted, reasoning_effort=effort)
        thought[effort] = reply.usage.completion_tokens_details.reasoning_tokens
    assert thought["low"] <= 32 < thought["high"]
    full = reply.choices[0].message.content
    word = full.split()[3]
    cut = client.chat.completions.create(**wanted, reasoning_effort="high", stop=word)
    assert cut.choices[0].message.content == full.partition(word)[0]
    assert cut.choices[0].finish_reason == "stop"
    wait_until(lambda: not embedded._working, 1.0)


@pytest.mark.model
def test_what_the_model_has_no_room_for_is_a_bad_request(sdk, embedded: EmbeddedBackend) -> None:
    long = [{"role": "user", "content": "A cough, and a fever. " * 1_000}]
    with pytest.raises(openai.BadRequestError) as caught:
        sdk(embedded).chat.completions.create(**short(embedded, messages=long))
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (Busy(), openai.RateLimitError),
        (NotReady(), openai.InternalServerError),
        (TooLong(), openai.BadRequestError),
        (Unreachable(), openai.InternalServerError),
    ],
)
def test_a_failure_is_an_exception_of_the_sdk(sdk, error: Exception, raised: type) -> None:
    for stream in (True, False):
        with pytest.raises(raised):
            sdk(plays(error)).chat.completions.create(
                model="a script, not a model", messages=MESSAGES, stream=stream
            )


def test_a_failure_after_text_is_an_exception_of_the_sdk(sdk) -> None:
    stream = sdk(plays(AnswerDelta("word"), Unreachable())).chat.completions.create(
        model="a script, not a model", messages=MESSAGES, stream=True
    )
    with pytest.raises(openai.APIError, match="cannot be reached"):
        gathered(stream)


def test_a_wrong_model_a_wrong_field_and_a_wrong_key_are_exceptions_of_the_sdk(
    sdk, start: Run
) -> None:
    client = sdk(plays(*REPLY))
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-5", messages=MESSAGES)
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="any", messages=MESSAGES, n=2)
    assert caught.value.param == "n"
    guarded = start(plays(*REPLY), key="right")
    for key in ("right", "wrong"):
        with OpenAI(base_url=f"{guarded.address}/v1", api_key=key) as client:
            if key == "right":
                assert list(client.models.list())
            else:
                with pytest.raises(openai.AuthenticationError):
                    client.models.list()


@pytest.mark.model
def test_the_harness_reads_reasoning_answer_usage_and_end_and_asks_again(
    run: Run, embedded: EmbeddedBackend, tmp_path: Path
) -> None:
    """In a process of its own: it changes the event loop, and its libraries warn."""
    asked = (run(embedded).address, embedded.info.model, QUESTION)
    ended = subprocess.run(
        [sys.executable, "-m", "tests.endpoint.harness", *asked],
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2_000:]
    first, streamed, second = json.loads(ended.stdout)
    assert first["reasoning"]
    assert first["answer"]
    assert first["stop"] in ("stop", "max_tokens")
    assert 0 < first["reasoning_tokens"] < first["output_tokens"] <= 64
    assert streamed == first
    assert second["answer"]
    assert first["reasoning"] not in second["answer"]
