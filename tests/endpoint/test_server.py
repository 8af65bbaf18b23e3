"""Who may ask, what is too much, what is told of the model's state, and what the log says."""

from __future__ import annotations

import json
import logging
import socket
import time
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from backend.base import Asleep, Failed, Ready, Status, Unreachable, Waking
from backend.scripted import Pause, ScriptedBackend
from chat.events import AnswerDelta, Stage
from endpoint import body
from tests.conftest import wait_until
from tests.endpoint.conftest import QUESTION, Run
from tests.endpoint.scripts import REPLY, data, echo, plays

COMPLETIONS = "/v1/chat/completions"
JSON = {"content-type": "application/json"}
KEY = "correct-horse"
CANARY = "canary-of-what-was-said"


@pytest.mark.parametrize(
    ("state", "status", "woken"),
    [
        (Ready(), 200, 0),
        (Asleep(), 503, 1),
        (Waking(0.0, Stage.WAKING), 503, 0),
        (Failed(Unreachable("s3cret")), 503, 1),
    ],
)
def test_health_is_200_only_where_a_question_would_be_answered_and_wakes_who_sleeps(
    run: Run, state: Status, status: int, woken: int
) -> None:
    backend = plays(*REPLY)
    backend.state = state
    endpoint = run(backend)
    response = endpoint.http.get("/health")
    assert (response.status_code, backend.woken) == (status, woken)
    assert response.json() == {"status": type(state).__name__.lower()}
    assert endpoint.http.head("/health").status_code == status
    assert backend.asked == []


def test_a_stranger_may_look_at_health_and_not_wake_what_somebody_pays_for(start: Run) -> None:
    backend = plays(*REPLY)
    backend.state = Asleep()
    endpoint = start(backend, key=KEY)
    assert endpoint.http.get("/health").status_code == 503
    assert backend.woken == 0
    endpoint.http.get("/health", headers={"authorization": f"Bearer {KEY}"})
    assert backend.woken == 1


def test_a_get_of_the_legacy_address_is_405_only_where_the_model_is_awake(run: Run) -> None:
    backend = plays(*REPLY)
    backend.state = Asleep()
    endpoint = run(backend)
    assert (endpoint.http.get("/generate").status_code, backend.woken) == (503, 1)
    backend.state = Ready()
    assert endpoint.http.get("/generate").status_code == 405


def test_the_model_that_is_listed_is_the_one_that_can_be_asked(run: Run) -> None:
    endpoint = run(plays(*REPLY))
    listed = endpoint.http.get("/v1/models").json()
    [model] = listed["data"]
    assert (listed["object"], model["object"]) == ("list", "model")
    assert (model["max_model_len"], model["unreliable"]) == (8_192, False)
    assert endpoint.complete(model=model["id"]).status_code == 200
    assert endpoint.complete(model="gpt-oss-20b").json()["error"]["code"] == "model_not_found"


def test_base_and_adapter_are_listed_and_each_is_asked_by_its_name(run: Run) -> None:
    backend = plays(*REPLY)
    backend._info = replace(backend.info, base="the base", base_revision="1", revision="1+2")
    endpoint = run(backend)
    adapter, base = endpoint.http.get("/v1/models").json()["data"]
    assert (adapter["parent"], adapter["revision"]) == (base["id"], "1+2") == ("the base", "1+2")
    assert (base["parent"], base["revision"]) == (None, "1")
    for name, of_base in ((base["id"], True), (adapter["id"], False), (None, False)):
        reply = endpoint.complete(**({"model": name} if name else {})).json()
        assert reply["model"] == (name or adapter["id"])
        assert backend.asked[-1][1].base is of_base


@pytest.mark.parametrize(
    "header",
    [
        None, "", KEY, f"Basic {KEY}", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", "Bearer",
        f"Bearer {KEY} {KEY}", "Bearer \u00e9",
    ],
)  # fmt: skip
def test_without_the_key_nothing_is_told_but_health(start: Run, header: str | None) -> None:
    backend = plays(*REPLY)
    endpoint = start(backend, key=KEY)
    headers = {} if header is None else {"authorization": header.encode("latin-1")}
    for method, path in (
        ("POST", COMPLETIONS), ("GET", "/v1/models"), ("GET", "/"), ("POST", "/generate"),
        ("GET", "/generate"),
    ):  # fmt: skip
        response = endpoint.http.request(method, path, json=QUESTION, headers=headers)
        assert response.status_code == 401, path
        told = response.json()
        if path == "/generate":
            assert list(told) == ["detail"]
        else:
            assert told["error"]["code"] == "invalid_api_key"
    assert backend.asked == []
    assert endpoint.http.get("/health").status_code == 200


def test_with_the_key_it_answers_under_any_name(start: Run) -> None:
    endpoint = start(plays(*REPLY), key=KEY)
    for scheme in ("Bearer", "bearer"):
        headers = {"authorization": f"{scheme} {KEY}", "host": "endpoint.example.org"}
        response = endpoint.http.post(COMPLETIONS, json=QUESTION, headers=headers)
        assert response.status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("LOCALHOST:1", 200), ("127.0.0.1:8000", 200), ("[::1]:8000", 200),
        ("evil.example", 403), ("localhost.evil.example", 403), ("127.0.0.1.evil.example", 403),
        ("localhost:8000@evil.example", 403), ("[::2]", 403), ("10.0.0.1", 403), ("", 403),
    ],
)  # fmt: skip
def test_without_a_key_it_answers_to_names_of_this_machine_only(
    run: Run, host: str, status: int
) -> None:
    backend = plays(*REPLY)
    endpoint = run(backend)
    response = endpoint.http.post(COMPLETIONS, json=QUESTION, headers={"host": host})
    assert response.status_code == status
    assert endpoint.http.get("/v1/models", headers={"host": host}).status_code == status
    assert len(backend.asked) == (status == 200)


@pytest.mark.parametrize("path", [COMPLETIONS, "/generate"])
@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "json"])
def test_what_a_web_page_may_post_without_leave_is_not_taken(
    run: Run, path: str, kind: str | None
) -> None:
    backend = plays(*REPLY)
    headers = {} if kind is None else {"content-type": kind}
    content = json.dumps({**QUESTION, "message": "What?"}).encode()
    endpoint = run(backend)
    assert endpoint.http.post(path, content=content, headers=headers).status_code == 415
    asked = endpoint.http.options(path, headers={"origin": "https://evil.example"})
    assert asked.status_code == 405
    assert not [name for name in asked.headers if name.startswith("access-control")]
    assert backend.asked == []


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", COMPLETIONS, 405, "POST"),
        ("POST", "/v1/models", 405, "GET, HEAD"),
        ("DELETE", "/health", 405, "GET, HEAD"),
        ("GET", "/generate", 405, "POST"),
        ("POST", "/v1/completions", 404, None),
        ("GET", "/", 404, None),
        ("GET", "/docs", 404, None),
    ],
)
def test_nothing_else_is_there(
    run: Run, method: str, path: str, status: int, allow: str | None
) -> None:
    response = run(plays()).http.request(method, path)
    assert (response.status_code, response.headers.get("allow")) == (status, allow)
    assert "error" in response.json() or path == "/generate"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b'"What?"', b"\xff", b'{"temperature": NaN}', b"[" * 100_000,
        b'{"metadata": ' + b"[" * 40 + b"]" * 40 + b"}", b'{"seed": ' + b"9" * 5_000 + b"}",
    ],
    ids=range(9),
)  # fmt: skip
def test_a_body_that_is_no_request_is_400(run: Run, content: bytes) -> None:
    response = run(plays()).http.post(COMPLETIONS, content=content, headers=JSON)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("path", [COMPLETIONS, "/generate"])
def test_a_body_over_a_mebibyte_is_413_with_and_without_its_length(run: Run, path: str) -> None:
    endpoint = run(plays())
    large = b" " * (body.MAX_BODY + 1)
    assert endpoint.http.post(path, content=large, headers=JSON).status_code == 413
    pieces = iter([large[:1000], large[1000:]])
    assert endpoint.http.post(path, content=pieces, headers=JSON).status_code == 413


def test_a_body_that_does_not_come_is_not_waited_for(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "BODY_SECONDS", 0.5)
    parts = urlsplit(run(plays()).address)
    with socket.create_connection((parts.hostname, parts.port), 5.0) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        assert connection.recv(1_000).startswith(b"HTTP/1.1 408")


def test_no_answer_is_kept_or_names_its_server(run: Run) -> None:
    endpoint = run(plays(*REPLY))
    for response in (endpoint.http.get("/v1/models"), endpoint.complete(stream=True)):
        assert response.headers["cache-control"] == "no-store"
        assert "server" not in response.headers


def test_the_end_of_the_server_ends_replies_with_a_word_and_takes_no_more(start: Run) -> None:
    backend = plays(AnswerDelta("word"), Pause(60.0))
    endpoint = start(backend)
    request = {**QUESTION, "stream": True}
    with endpoint.http.stream("POST", COMPLETIONS, json=request) as response:
        events = data(response)
        assert [next(events), next(events)][1]["choices"][0]["delta"] == {"content": "word"}
        began = time.monotonic()
        endpoint.server.stop()
        assert [e if isinstance(e, str) else e["error"]["code"] for e in events] == [
            "interrupted",
            "[DONE]",
        ]
    wait_until(lambda: backend.open == 0, 1.0)
    assert time.monotonic() - began < 2.0


def test_the_log_has_a_line_a_request_and_nothing_of_what_was_said(run: Run, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint = run(ScriptedBackend(echo))
    said = [{"role": "user", "content": CANARY}]
    seen: list[str] = []
    for request in (
        {"messages": said},
        {"messages": said, "stream": True},
        {"messages": said, "stop": [CANARY]},
        {"messages": [{"role": CANARY, "content": CANARY}]},
        {"messages": said, CANARY: CANARY},
        {"messages": said, "model": CANARY},
        {"messages": said, "tools": [CANARY]},
    ):
        response = endpoint.http.post(f"{COMPLETIONS}?{CANARY}", json=request)
        seen.append(response.headers["x-request-id"])
    endpoint.http.post(COMPLETIONS, content=CANARY.encode(), headers=JSON)
    assert CANARY in endpoint.http.post("/generate", json={"message": CANARY}).text
    endpoint.http.get(f"/{CANARY}", headers={"authorization": f"Bearer {CANARY}"})
    wait_until(lambda: "other 4xx" in caplog.text, 2.0)
    # The client is not part of the service; and pytest turns uvicorn's access log on, by giving
    # it a handler. `test_main` looks at all that a process of its own writes.
    others = ("httpx", "httpcore", "uvicorn.access")
    ours = [r for r in caplog.records if not r.name.startswith(others)]
    lines = [record.getMessage() for record in ours if record.name == "medicalgpt.endpoint"]
    assert len(lines) == 10
    for ref in seen:
        assert sum(f"ref={ref}" in line for line in lines) == 1
    assert lines[0].startswith("/v1/chat/completions 2xx seconds=0.")
    assert lines[0].endswith("ended=finished")
    for record in ours:
        assert CANARY not in str(vars(record))
