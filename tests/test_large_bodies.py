"""Five megabytes at once, in front of both servers: refused early, and not kept. Real processes."""

from __future__ import annotations

import contextlib
import gzip
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.conftest import Program
from tests.test_app import free_port

JSON = {"content-type": "application/json"}
SIZE = 5_000_000
MORE = 10_000_000
"""Bytes of memory that a server may have more than before: ten of these bodies have fifty."""
QUEUE = "/gradio_api/queue/join"


def start(kind: str) -> tuple[Program, str]:
    """A server in a process of its own, and the address that takes a question there."""
    if kind == "page":
        running = Program("-m", "tests.serve_scripted", "slow", "--rate", "0")
        return running, running.line("http://").strip() + QUEUE
    running = Program(
        *("-m", "endpoint", "--backend", "remote", "--port", str(free_port())),
        MODAL_ENDPOINT="http://127.0.0.1:9/v1",  # nobody is there, and nobody is asked
    )
    address = running.line("Listening on").split()[2].removesuffix("/v1")
    return running, f"{address}/v1/chat/completions"


@pytest.fixture(scope="module", params=["page", "endpoint"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[psutil.Process, str]]:
    running, url = start(request.param)
    yield psutil.Process(running.process.pid), url
    running.process.kill()
    running.end(10.0)


def chunks() -> Iterator[bytes]:
    for _ in range(SIZE // 50_000):
        yield b" " * 50_000


def send(url: str, content: bytes | Iterator[bytes]) -> int | None:
    """The status; None where the connection was closed while it was still being sent."""
    with contextlib.suppress(httpx.WriteError, httpx.ReadError):
        return httpx.post(url, content=content, headers=JSON).status_code
    return None


def test_five_megabytes_are_413_and_the_memory_stays(server: tuple[psutil.Process, str]) -> None:
    """Matrix row 60: with a length, and in chunks that have none."""
    process, url = server
    answered = [send(url, content) for content in (b" " * SIZE, chunks())]
    before = process.memory_info().rss
    for _ in range(10):
        answered += [send(url, content) for content in (b" " * SIZE, chunks())]
    assert set(answered) - {None} == {413}
    assert process.memory_info().rss - before < MORE


def test_a_length_is_believed_before_a_byte_has_come(server: tuple[psutil.Process, str]) -> None:
    """Matrix row 60: nobody waits for five megabytes to say that they are too many."""
    parts = urlsplit(server[1])
    with socket.create_connection((parts.hostname, parts.port), 5.0) as connection:
        connection.sendall(
            f"POST {parts.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {SIZE}\r\n\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_packed_body_is_not_unpacked(server: tuple[psutil.Process, str]) -> None:
    """A gzip bomb of 300 MB is 300 kB of no JSON."""
    process, url = server
    bomb = gzip.compress(b" " * 300_000_000, 6)
    httpx.post(url, content=bomb[:100_000], headers=JSON)
    before = process.memory_info().rss
    for kind in ("gzip", "deflate", "br"):
        headers = {**JSON, "content-encoding": kind}
        assert httpx.post(url, content=bomb, headers=headers).status_code == 400
    assert process.memory_info().rss - before < MORE


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded",
     "application/xml", "", "application/json; charset=utf-7"],
)  # fmt: skip
def test_a_body_of_another_type_is_a_clean_refusal(
    server: tuple[psutil.Process, str], kind: str
) -> None:
    """Matrix row 85: wrong content types."""
    for content in (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--', b"a=b"):
        headers = {"content-type": kind}
        assert httpx.post(server[1], content=content, headers=headers).status_code in (400, 415)


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: -5",
        "Content-Length: 5e3",
        "Content-Length: " + "9" * 40,
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Expect: 100-continue\r\nContent-Length: 5000000",
        "Transfer-Encoding: chunked\r\nX: " + "x" * 100_000,
    ],
    ids=range(9),
)  # fmt: skip
def test_a_body_whose_length_is_a_riddle_is_refused(
    server: tuple[psutil.Process, str], head: str
) -> None:
    """Matrix row 85, below JSON: no such request may be read in two ways, or make a 500."""
    parts = urlsplit(server[1])
    with socket.create_connection((parts.hostname, parts.port), 5.0) as connection:
        start = (
            f"POST {parts.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        )
        connection.sendall(f"{start}{head}\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            connection.sendall(b"zz\r\n{}\r\n0\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            answer = connection.recv(100)
            assert answer == b"" or b" 4" in answer.split(b"\r\n")[0][:13]
