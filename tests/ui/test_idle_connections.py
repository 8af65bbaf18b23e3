"""Connections that are held and not used: the person beside them is served, and they are cut."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from backend.scripted import ScriptedBackend
from tests.conftest import Serve, wait_until
from tests.endpoint.conftest import QUESTION, running
from tests.endpoint.scripts import REPLY, plays
from tests.serve_scripted import Pattern, script
from tests.visitor import Visitor, shown
from ui import guard, listening

COUNT = 200
POST = b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: localhost\r\n"
ENDPOINT = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
)
SAID: dict[str, bytes] = {
    "nothing": b"",
    "half a request line": b"GET /hea",
    "half a head": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    "half of many heads": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 90,
    "half a body": POST + b"Content-Length: 100\r\n\r\n{",
    "half a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n64\r\n{",
    "a body that nobody asked for": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
    "nonsense": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@contextlib.contextmanager
def idle(address: str, said: list[bytes], count: int = COUNT) -> Iterator[list[socket.socket]]:
    """So many connections, which say these things in turn, and then no more."""
    parts = urlsplit(address)
    with contextlib.ExitStack() as held:
        open_ = []
        for n in range(count):
            each = socket.create_connection((parts.hostname, parts.port), 10.0)
            open_.append(held.enter_context(each))
            each.sendall(said[n % len(said)])
        yield open_


def cut(connections: list[socket.socket], seconds: float) -> bool:
    """Whether the server closes every one of them in that time."""
    until = time.monotonic() + seconds
    for each in connections:
        with contextlib.suppress(ConnectionError):
            each.settimeout(max(0.1, until - time.monotonic()))
            while each.recv(65_536):
                pass
    return True


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits of time, a fifth to a twentieth of what they are."""
    monkeypatch.setattr(listening, "HEAD_SECONDS", 2.0)
    monkeypatch.setattr(guard, "BODY_SECONDS", 2.0)
    monkeypatch.setattr(listening, "STUCK_SECONDS", 2.0)
    monkeypatch.setattr("ui.serve.IDLE_SECONDS", 3)
    monkeypatch.setattr("endpoint.body.BODY_SECONDS", 2.0)


def test_two_hundred_idle_connections_of_every_kind_keep_nobody_out(
    serve: Serve, visitor: Callable[[str], Visitor], short: None
) -> None:
    """Matrix row 86, at the page: a question is answered meanwhile, and each of them is cut."""
    address = serve(ScriptedBackend(script("slow", Pattern(rate=0))))
    with idle(address, list(SAID.values())) as connections:
        began = time.monotonic()
        assert "word59" in shown(list(visitor(address).ask("What is a stroke?")))
        assert time.monotonic() - began < 5.0
        assert cut(connections, 12.0)


def test_at_the_endpoint_too(short: None) -> None:
    """Matrix row 86, at the endpoint."""
    said = [each.replace(POST, ENDPOINT) for each in SAID.values()]
    with running(plays(*REPLY)) as endpoint, idle(endpoint.address, said) as connections:
        answer = httpx.post(f"{endpoint.address}/v1/chat/completions", json=QUESTION, timeout=5.0)
        assert "A stroke is an emergency." in answer.text
        assert cut(connections, 12.0)


@pytest.mark.parametrize("start", ["half a head", "half a body"])
def test_a_byte_now_and_then_buys_no_time(serve: Serve, short: None, start: str) -> None:
    """Matrix row 86: what slowloris does."""
    address = serve(ScriptedBackend(script("slow", Pattern(rate=0))))
    with idle(address, [SAID[start]], count=20) as connections:
        began, ended = time.monotonic(), threading.Event()

        def drip() -> None:
            while not ended.wait(0.2):
                for each in connections:
                    with contextlib.suppress(OSError):
                        each.send(b"y")

        dripping = threading.Thread(target=drip)
        dripping.start()
        assert cut(connections, 10.0)
        assert time.monotonic() - began < 8.0
        ended.set()
        dripping.join()


def test_who_does_not_read_what_they_asked_for_is_cut(
    serve: Serve, visitor: Callable[[str], Visitor], short: None
) -> None:
    """Matrix row 86, turned around: answers that nobody takes would be held for ever."""
    address = serve(ScriptedBackend(script("slow", Pattern(rate=0))))
    config = b"GET /config HTTP/1.1\r\nHost: localhost\r\n\r\n"
    parts = urlsplit(address)
    with contextlib.ExitStack() as held:
        greedy = []
        for _ in range(5):
            each = held.enter_context(socket.socket())
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            each.connect((parts.hostname, parts.port))
            each.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                each.sendall(config * 2_000)  # pipelined: some megabytes are due
            greedy.append(each)
        assert "word59" in shown(list(visitor(address).ask("What is a stroke?")))
        wait_until(lambda: all(_is_cut(each) for each in greedy), 40.0)


def _is_cut(connection: socket.socket) -> bool:
    """Without reading from it."""
    try:
        connection.send(b"G")
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return False


@pytest.mark.true_scale
def test_at_true_scale_heads_are_cut_in_ten_seconds_and_bodies_in_thirty(
    serve: Serve, visitor: Callable[[str], Visitor]
) -> None:
    """Matrix row 86, with no limit changed."""
    address = serve(ScriptedBackend(script("slow", Pattern(rate=0))))
    heads = [SAID["nothing"], SAID["half a head"]]
    with idle(address, heads) as early, idle(address, [SAID["half a body"]], 50) as late:
        assert "word59" in shown(list(visitor(address).ask("What is a stroke?")))
        assert cut(early, listening.HEAD_SECONDS + 5.0)
        assert "word59" in shown(list(visitor(address).ask("And then?")))
        assert cut(late, guard.BODY_SECONDS + 5.0)
