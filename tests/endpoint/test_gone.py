"""A client that goes away stops the generation within a second, in every state."""

from __future__ import annotations

import json
import socket
import struct
import time
from urllib.parse import urlsplit

import pytest

from backend.embedded import EmbeddedBackend
from backend.scripted import ScriptedBackend
from tests.conftest import wait_until
from tests.endpoint.conftest import QUESTION, Run
from tests.endpoint.scripts import Endless

SECONDS = 1.0


def post(address: str, path: str, **fields: object) -> socket.socket:
    """A connection on which a question was sent and nothing read."""
    parts = urlsplit(address)
    body = json.dumps(fields).encode()
    connection = socket.create_connection((parts.hostname, parts.port), 10.0)
    connection.sendall(
        b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body)
    )
    return connection


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("state", ["waiting", "reasoning", "answer"])
@pytest.mark.parametrize("contract", ["streamed", "whole", "legacy"])
def test_it_is_noticed(run: Run, contract: str, state: str, reset: bool) -> None:
    script = Endless(state)
    backend = ScriptedBackend(script)
    endpoint = run(backend)
    if contract == "legacy":
        connection = post(endpoint.address, "/generate", message="What is a stroke?")
    else:
        stream = contract == "streamed"
        connection = post(endpoint.address, "/v1/chat/completions", **QUESTION, stream=stream)
    with connection:
        assert script.reached.wait(5.0)
        if contract == "streamed" and state != "waiting":
            assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
        time.sleep(0.2)
        assert backend.open == 1
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    left = time.monotonic()
    wait_until(lambda: backend.open == 0, SECONDS)
    assert backend.closed_at[0] - left < SECONDS
    assert endpoint.http.get("/health").status_code == 200


@pytest.mark.model
@pytest.mark.parametrize("stream", [True, False])
def test_the_embedded_model_stops_working(
    run: Run, embedded: EmbeddedBackend, stream: bool
) -> None:
    working = embedded._working
    address = run(embedded).address
    wanted = {"max_tokens": 2_000, "reasoning_effort": "high", "stream": stream}
    with post(address, "/v1/chat/completions", **QUESTION, **wanted) as connection:
        wait_until(lambda: len(working) == 1, 60.0)
        if stream:
            assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
        time.sleep(0.3)
        assert len(working) == 1
    wait_until(lambda: not working, SECONDS)
