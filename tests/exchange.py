"""HTTP by hand: a request that was read, and the connection its answer is due on.

It can say all that a server should, and break off anywhere.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

LINGER = 20.0
"""Seconds for the other side to close a connection that was ended here; it counts as in use."""


class Gone(Exception):
    """The other side closed the connection."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes


@dataclass
class Exchange:
    """One request, and the connection its answer is due on."""

    request: Request
    legacy: bool
    sock: socket.socket
    ended: bool = field(default=False, init=False)
    chunked: bool = field(default=False, init=False)

    def send(self, data: bytes) -> None:
        """All of `data`, unless the other side closes: that raises `Gone`, here as in silence.

        As a server that listens while it writes, for one that only writes may hear of it late:
        the other side's window may be shut for good.
        """
        try:
            if isinstance(self.sock, ssl.SSLSocket):
                return self.sock.sendall(data)
            view = memoryview(data)
            while view:
                heard, free, _ = select.select([self.sock], [self.sock], [])
                if heard:
                    self._gone()
                with contextlib.suppress(BlockingIOError):
                    view = view[self.sock.send(view, socket.MSG_DONTWAIT) :] if free else view
        except OSError:
            raise Gone from None

    def head(self, status: int = 200, kind: str = "", **headers: str) -> None:
        """The status line and the headers; `_` in a name stands for `-`."""
        lines = [f"HTTP/1.1 {status} {'OK' if status < 300 else 'Fault'}"]
        if kind:
            lines.append(f"Content-Type: {kind}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def answer(self, status: int, body: bytes, kind: str = "application/json", **more: str) -> None:
        """A whole answer, after which the connection may be used again."""
        self.head(status, kind, Content_Length=str(len(body)), **more)
        self.send(body)

    def begin(self, kind: str, *, chunked: bool = True, **headers: str) -> None:
        """The head of an answer that comes in pieces: chunked, or as long as the connection."""
        self.chunked = chunked
        framing = {"Transfer_Encoding": "chunked"} if chunked else {"Connection": "close"}
        self.head(200, kind, **framing, **headers)

    def piece(self, data: bytes) -> None:
        self.send(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)

    def end(self) -> None:
        """The proper end of an answer in pieces."""
        if self.chunked:
            self.send(b"0\r\n\r\n")
        else:
            self.hang_up()

    def hang_up(self) -> None:
        """FIN; then the other side must close too."""
        self.ended = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
        self.stall(LINGER)

    def reset(self) -> None:
        """RST, and what was not read yet is lost to the other side."""
        self.ended = True
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def stall(self, seconds: float) -> None:
        """Silence, until the other side closes: that raises `Gone`."""
        if select.select([self.sock], [], [], seconds)[0]:
            self._gone()

    def _gone(self) -> None:
        with contextlib.suppress(OSError):
            if self.sock.recv(1):
                raise AssertionError("it spoke before its question was answered")
        raise Gone


def requests(sock: socket.socket) -> Iterator[Request]:
    """The requests on a connection, to its end."""
    with sock.makefile("rb") as stream:
        while line := stream.readline():
            method, path, _ = line.decode("latin-1").split(" ", 2)
            headers: dict[str, str] = {}
            while (header := stream.readline().strip()) != b"":
                name, _, value = header.decode("latin-1").partition(":")
                headers[name.strip().lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", 0)))
            yield Request(method, path, headers, body)
