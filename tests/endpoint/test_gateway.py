"""The gateway over real sockets: what passes, what does not, and what a client that goes ends."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from endpoint.allowed import FORWARDED, MOST_TOKENS, PLAIN_TOKENS
from endpoint.gateway import BODY_LIMIT, create_gateway
from tests.conftest import wait_until
from tests.endpoint.upstream import Silent, Upstream, chunk, llama_server, serving

QUESTION = {"model": "medicalgpt", "messages": [{"role": "user", "content": "Why?"}]}
NOT_FORWARDED: dict[str, Any] = {
    "chat_template": "{{ messages }}",
    "chat_template_kwargs": {"x": 1},
    "add_generation_prompt": False,
    "continue_final_message": True,
    "add_special_tokens": True,
    "documents": [{"text": "x"}],
    "mm_processor_kwargs": {"x": 1},
    "media_io_kwargs": {"image": {}},
    "prompt_logprobs": 1,
    "logprobs": True,
    "top_logprobs": 5,
    "return_token_ids": True,
    "return_prompt_text": True,
    "stop_token_ids": [200012],
    "allowed_token_ids": [1],
    "logit_bias": {"200005": 100},
    "ignore_eos": True,
    "min_tokens": 8000,
    "use_beam_search": True,
    "best_of": 20,
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "response_format": {"type": "json_object"},
    "structured_outputs": {"regex": "a*"},
    "priority": -1,
    "request_id": "mine",
    "kv_transfer_params": {"x": 1},
    "skip_special_tokens": False,
}


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Upstream, httpx.Client]]:
    upstream = Upstream()
    with (
        serving(upstream.app) as behind,
        serving(create_gateway(behind)) as address,
        httpx.Client(base_url=address, timeout=10.0) as client,
    ):
        yield upstream, client


@pytest.fixture
def upstream(pair: tuple[Upstream, httpx.Client]) -> Upstream:
    pair[0].reset()
    return pair[0]


@pytest.fixture
def gateway(pair: tuple[Upstream, httpx.Client], upstream: Upstream) -> httpx.Client:
    return pair[1]


def ask(gateway: httpx.Client, **fields: Any) -> httpx.Response:
    return gateway.post("/v1/chat/completions", json={**QUESTION, **fields})


def test_a_stream_passes_byte_for_byte_and_as_it_comes(gateway: httpx.Client) -> None:
    arrived: list[tuple[float, bytes]] = []
    with gateway.stream("POST", "/v1/chat/completions", json={**QUESTION, "stream": True}) as reply:
        assert reply.headers["content-type"] == "text/event-stream"
        for piece in reply.iter_raw():
            arrived.append((time.monotonic(), piece))
    thoughts = [chunk(reasoning=f"thought {number} ") for number in range(3)]
    sent = b"".join([*thoughts, chunk(content="é"), b"data: [DONE]\n\n"])
    assert b"".join(piece for _, piece in arrived) == sent
    assert arrived[0][1] == thoughts[0]
    assert arrived[-1][0] - arrived[0][0] > 0.2  # the first was not held back for the last


def test_only_the_question_and_how_to_answer_reach_the_server(
    gateway: httpx.Client, upstream: Upstream
) -> None:
    message = {"role": "user", "content": [{"type": "text", "text": "Why?"}], "name": "x"}
    ask(
        gateway,
        messages=[message],
        stream=True,
        stream_options={"include_usage": True},
        reasoning_effort="low",
        temperature=0.5,
        seed=1,
        top_p=None,
        user="somebody",
    )
    assert upstream.asked == [
        {
            "model": "medicalgpt",
            "messages": [{"role": "user", "content": "Why?"}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "reasoning_effort": "low",
            "temperature": 0.5,
            "seed": 1,
            "max_completion_tokens": PLAIN_TOKENS,
        }
    ]


@pytest.mark.parametrize("name", NOT_FORWARDED)
def test_a_field_that_is_not_for_visitors_is_refused_by_name(
    gateway: httpx.Client, upstream: Upstream, name: str
) -> None:
    refused = ask(gateway, **{name: NOT_FORWARDED[name]})
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == name
    assert upstream.asked == []
    assert name not in FORWARDED


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"n": "2"},
        {"messages": []},
        {"messages": "Why?"},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
        {"messages": [{"role": "user", "content": None}]},
        {"messages": [{"role": ["user"], "content": "x"}]},
        {"reasoning_effort": "max"},
        {"reasoning_effort": ["low"]},
        {"max_tokens": 0},
        {"max_tokens": True},
        {"temperature": "hot"},
        {"stream": "yes"},
        {"stream_options": {"continuous_usage_stats": True}},
        {"stop": {"a": 1}},
        {"stop": ["a"] * 17},
        {"model": ["medicalgpt"]},
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(
    gateway: httpx.Client, upstream: Upstream, fields: dict[str, Any]
) -> None:
    assert ask(gateway, **fields).status_code == 400
    assert upstream.asked == []


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_reply_never_has_more_tokens_than_the_cap(
    gateway: httpx.Client, upstream: Upstream, name: str
) -> None:
    ask(gateway, **{name: 10**9})
    ask(gateway, **{name: 7})
    assert [asked["max_completion_tokens"] for asked in upstream.asked] == [MOST_TOKENS, 7]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"[" * 100_000, b'{"a": NaN}', b"\xff", b"9" * 5_000]
)
def test_a_body_that_is_no_json_object_is_refused(gateway: httpx.Client, body: bytes) -> None:
    refused = gateway.post("/v1/chat/completions", content=body)
    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "invalid_request_error"


def test_half_a_surrogate_pair_is_replaced(gateway: httpx.Client, upstream: Upstream) -> None:
    body = json.dumps({**QUESTION, "messages": [{"role": "user", "content": "a\ud800b"}]})
    assert gateway.post("/v1/chat/completions", content=body).status_code == 200
    assert upstream.asked[0]["messages"][0]["content"] == "a\ufffdb"


def test_a_body_over_the_limit_is_refused_before_all_of_it_came(gateway: httpx.Client) -> None:
    host, port = gateway.base_url.host, gateway.base_url.port or 0
    with socket.create_connection((host, port), 5.0) as visitor:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {10**9}\r\n\r\n"
        visitor.sendall(head.encode() + b" " * (BODY_LIMIT + 1))
        reply = http.client.HTTPResponse(visitor)
        reply.begin()
        assert reply.status == 413


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("POST", "/v1/completions"),
        ("POST", "/v1/chat/completions/batch"),
        ("POST", "/v1/responses"),
        ("POST", "/v1/messages"),
        ("POST", "/invocations"),
        ("POST", "/tokenize"),
        ("POST", "/detokenize"),
        ("POST", "/v1/load_lora_adapter"),
        ("POST", "/sleep"),
        ("POST", "/wake_up"),
        ("GET", "/metrics"),
        ("GET", "/version"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/health/"),
        ("GET", "//health"),
        ("GET", "/v1/models/medicalgpt"),
        ("POST", "/v1/chat/completions/../../sleep"),
        ("POST", "/v1%2Fcompletions"),
    ],
)
def test_nothing_else_is_reachable(gateway: httpx.Client, method: str, path: str) -> None:
    connection = http.client.HTTPConnection(gateway.base_url.host, gateway.base_url.port, 5.0)
    connection.request(method, path, body=b"{}")
    answer = connection.getresponse()
    assert answer.status == 404
    assert b"the server itself" not in answer.read()
    connection.close()


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/chat/completions"), ("POST", "/health")])
def test_the_three_have_one_method_each(gateway: httpx.Client, method: str, path: str) -> None:
    assert gateway.request(method, path).status_code == 405


def test_health_is_ok_only_while_the_server_is(gateway: httpx.Client, upstream: Upstream) -> None:
    assert gateway.get("/health").status_code == 200
    upstream.healthy = False
    asleep = gateway.get("/health")
    assert (asleep.status_code, asleep.headers["retry-after"]) == (503, "5")


def test_without_a_server_every_answer_is_503() -> None:
    with serving(create_gateway("http://127.0.0.1:1")) as address:
        assert httpx.get(f"{address}/health").status_code == 503
        assert httpx.get(f"{address}/v1/models").status_code == 503
        assert httpx.post(f"{address}/v1/chat/completions", json=QUESTION).status_code == 503


def test_the_list_of_models_names_no_path(gateway: httpx.Client) -> None:
    listed = gateway.get("/v1/models").json()
    assert listed["data"] == [{"id": "medicalgpt", "object": "model", "max_model_len": 16384}]


@pytest.mark.parametrize(("parent", "told"), [("medicalgpt-base", True), ("/models/base", False)])
def test_an_adapter_names_its_base_where_that_can_be_asked(
    gateway: httpx.Client, upstream: Upstream, parent: str, told: bool
) -> None:
    upstream.parent = parent
    adapter, base = gateway.get("/v1/models").json()["data"]
    assert (adapter.get("parent") == base["id"], "parent" in adapter) == (told, told)


def test_what_a_server_says_of_its_own_failure_stays_inside(
    gateway: httpx.Client, upstream: Upstream
) -> None:
    upstream.reply = lambda: JSONResponse({"error": "at /models/secret line 3"}, 500)
    failed = ask(gateway)
    assert failed.status_code == 500
    assert "secret" not in failed.text
    assert len(upstream.asked) == 1


def test_a_full_queue_says_when_to_come_back(gateway: httpx.Client, upstream: Upstream) -> None:
    upstream.reply = lambda: Response(status_code=503)
    full = ask(gateway)
    assert (full.status_code, full.headers["retry-after"]) == (429, "5")


def test_what_a_server_says_of_the_request_is_passed_on(
    gateway: httpx.Client, upstream: Upstream
) -> None:
    upstream.reply = lambda: JSONResponse({"error": {"message": "context length"}}, 400)
    refused = ask(gateway)
    assert (refused.status_code, refused.json()["error"]["message"]) == (400, "context length")


def test_a_stream_that_breaks_off_ends_in_an_error_and_is_not_asked_again(
    gateway: httpx.Client, upstream: Upstream
) -> None:
    upstream.reply = upstream.broken
    reply = ask(gateway, stream=True)
    assert reply.content.startswith(chunk(content="half"))
    assert '"error"' in reply.text.split("data: ")[-1]
    assert "[DONE]" not in reply.text
    assert len(upstream.asked) == 1


def test_a_client_that_goes_in_the_middle_of_a_stall_is_noticed_by_the_server(
    gateway: httpx.Client, upstream: Upstream
) -> None:
    upstream.reply = lambda: upstream.stream(pieces=1, forever=True)
    with gateway.stream("POST", "/v1/chat/completions", json={**QUESTION, "stream": True}) as reply:
        next(reply.iter_raw())
        left = time.monotonic()
    wait_until(lambda: bool(upstream.gone_at), 5.0)
    assert upstream.gone_at[0] - left < 1.0


def test_a_client_that_goes_before_anything_was_said_is_noticed_too() -> None:
    silent = Silent()
    with serving(silent) as behind, serving(create_gateway(behind)) as address:
        url = httpx.URL(address)
        body = json.dumps(QUESTION).encode()
        with socket.create_connection((url.host, url.port or 0), 5.0) as visitor:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}"
            visitor.sendall(head.encode() + b"\r\n\r\n" + body)
            assert silent.waiting.wait(5.0)
        left = time.monotonic()
        wait_until(lambda: bool(silent.gone_at), 5.0)
        assert silent.gone_at[0] - left < 1.0


@pytest.mark.model
def test_a_real_model_server_answers_through_it(model_path: Path) -> None:
    with llama_server(model_path) as behind, serving(create_gateway(behind)) as address:
        wait_until(lambda: httpx.get(f"{address}/health").status_code == 200, 60.0)
        name = httpx.get(f"{address}/v1/models").json()["data"][0]["id"]
        asked = {**QUESTION, "model": name, "stream": True, "max_tokens": 8, "seed": 1}
        reply = httpx.post(f"{address}/v1/chat/completions", json=asked, timeout=60.0)
    events = [line[6:] for line in reply.text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    choices = [choice for event in events[:-1] for choice in json.loads(event)["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices)
    assert choices[-1]["finish_reason"] == "length"  # the cap reached the model
