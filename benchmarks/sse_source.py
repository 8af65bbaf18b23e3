"""A server of chat completion chunks for `benchmarks.client`, on plain sockets to cost little.

The address says how it answers: `/{framing}/{events}/{gap}/v1`, or with the mean wait before the
first event too, `/{framing}/{events}/{gap}/{wait}/v1`; both in microseconds. Framing is `chunked`
or `closed` (no length, ended by closing). Each event is some 230 bytes, and its text is a reading
of the wall clock in microseconds when it was sent.
"""

from __future__ import annotations

import json
import random
import re
import socket
import sys
import threading
import time
from contextlib import suppress

ASKED = re.compile(rb"^[A-Z]+ /(chunked|closed)/(\d+)/(\d+)/(?:(\d+)/)?v1/chat/completions")
STAMP = re.compile(r"\d{16}")
WAITS = random.Random(1)  # noqa: S311


def event(text: str) -> bytes:
    chunk = {
        "id": "chatcmpl-0123456789abcdef0123456789abcdef",
        "object": "chat.completion.chunk",
        "created": 1760000000,
        "model": "medicalgpt",
        "choices": [
            {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
        ],
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def last() -> bytes:
    choice = {"index": 0, "delta": {}, "finish_reason": "stop"}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\ndata: [DONE]\n\n"


def serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, suppress(OSError):
        while request := _request(connection):
            asked = ASKED.match(request)
            if asked is None:
                body = b'{"data": [{"id": "medicalgpt"}]}'
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
                continue
            chunked = asked[1] == b"chunked"
            # Its own each time, so that the first event meets every phase of what is polled.
            time.sleep(int(asked[4] or 0) / 1e6 * WAITS.uniform(0.5, 1.5))
            _stream(connection, int(asked[2]), int(asked[3]) / 1e6, chunked=chunked)
            if not chunked:
                return


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65_536)
        if not piece:
            return b""
        data += piece
    length = re.search(rb"content-length: *(\d+)", data, re.IGNORECASE)
    rest = int(length[1]) if length else 0
    rest -= len(data.partition(b"\r\n\r\n")[2])
    while rest > 0:
        rest -= len(connection.recv(rest))
    return data


def _stream(connection: socket.socket, events: int, gap: float, *, chunked: bool) -> None:
    framing = b"Transfer-Encoding: chunked" if chunked else b"Connection: close"
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + framing + b"\r\n\r\n"
    )

    def send(body: bytes) -> None:
        connection.sendall(b"%x\r\n%s\r\n" % (len(body), body) if chunked else body)

    began = time.monotonic()
    for n in range(events):
        if gap:
            time.sleep(max(0.0, began + n * gap - time.monotonic()))
        send(event(f" {time.time_ns() // 1_000}"))
    send(last())
    if chunked:
        connection.sendall(b"0\r\n\r\n")


def main() -> None:
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
