"""An endpoint that misbehaves on command: a real TCP server on loopback, in threads.

It speaks HTTP by hand, so that it can break it anywhere. Asked for a sign of life it answers
well; what it does with a question is `behave`'s. It counts what reached it, what it refused, and
what the other side has not let go of.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.exchange import Exchange, Gone, Request, requests

HOST = "127.0.0.1"

Behaviour = Callable[[Exchange], None]


@dataclass
class Connection:
    sock: socket.socket
    in_use: bool = False
    """Whether a request of it has no complete answer, or its answer's end was not noticed."""
    gone_at: float | None = None
    """When the other side closed it: a reading of `time.monotonic()`."""


def alive(exchange: Exchange) -> None:
    """The sign of life of an endpoint that is awake."""
    if exchange.legacy:
        exchange.answer(405, b'{"detail":"Method Not Allowed"}')
    elif exchange.request.path == "/health":
        exchange.answer(200, b"")
    else:
        models = {"object": "list", "data": [{"id": "gpt-oss", "object": "model"}]}
        exchange.answer(200, json.dumps(models).encode())


class FaultServer:
    """One endpoint, of the OpenAI contract or of the legacy one. A context manager."""

    def __init__(self, *, legacy: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self.legacy = legacy
        self.tls = tls
        self.requests: list[Request] = []
        self.connections: list[Connection] = []
        self.refused = 0
        """Connections that were tried while the port was closed."""
        self.problems: list[BaseException] = []
        """What went wrong in this server itself; a test that has any proves nothing."""
        self._refusing: int | None = 0
        self._lock = threading.Lock()
        self._question: list[Behaviour] = []
        self._life: list[Behaviour] = [alive]
        self._fillers: list[socket.socket] = []
        self._listener: socket.socket | None = None
        # Bound and never listening: so the port stays ours while it refuses, and nobody else's.
        self._holder = _bound(0)
        self.port: int = self._holder.getsockname()[1]

    def __enter__(self) -> FaultServer:
        _watch(self)
        self.open()
        return self

    def __exit__(self, *raised: object) -> None:
        self.shut()
        self._holder.close()
        del _watched[self.port]

    def url(self, host: str = HOST) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{host}:{self.port}/{'generate' if self.legacy else 'v1'}"

    def behave(self, *behaviours: Behaviour) -> None:
        """What the next requests about a question meet, in turn; the last one goes on."""
        self._question = list(behaviours)

    def wake_up(self, *behaviours: Behaviour) -> None:
        """What the next requests for a sign of life meet, in turn; the last one goes on."""
        self._life = list(behaviours)

    def open(self) -> None:
        """Accept connections, as it does from the start."""
        self.shut()
        self._listener = _bound(self.port)
        self._listener.listen(128)
        self._refusing = 0
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        """Close the port and every connection. What is tried now is not counted."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # else `accept` would not return
            listener.close()
        while self._fillers:
            self._fillers.pop().close()
        self.drop()

    def refuse(self, times: int | None = None) -> None:
        """Close the port; after so many refused connections it opens again."""
        self.shut()
        self._refusing = times

    def blackhole(self) -> None:
        """Be a port where a connection is neither accepted nor refused: its queue is full."""
        self.shut()
        self._listener = _bound(self.port)
        self._listener.listen(0)
        full = False
        while not full:
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((HOST, self.port))
            self._fillers.append(filler)
            full = not select.select([], [filler], [], 0.05)[1]

    def drop(self) -> None:
        """Close the connections, those in a pool of the other side too."""
        with self._lock:
            connections = list(self.connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    @property
    def posts(self) -> int:
        return sum(request.method == "POST" for request in self.requests)

    @property
    def in_use(self) -> int:
        return sum(connection.in_use for connection in list(self.connections))

    @property
    def open_connections(self) -> int:
        return sum(connection.sock.fileno() != -1 for connection in list(self.connections))

    @property
    def gone_at(self) -> list[float]:
        return [each.gone_at for each in list(self.connections) if each.gone_at is not None]

    def attempted(self) -> None:
        """A connection to this port is about to be tried, in the thread that is to try it."""
        if self._listener is not None:
            return
        if self._refusing is not None and self.refused >= self._refusing:
            self.open()
        else:
            self.refused += 1

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock)
            with self._lock:
                self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        try:
            with contextlib.suppress(OSError):
                if self.tls is not None:
                    connection.sock = self.tls.wrap_socket(connection.sock, server_side=True)
                for request in requests(connection.sock):
                    connection.in_use = True
                    exchange = Exchange(request, self.legacy, connection.sock)
                    self._next(request)(exchange)
                    if exchange.ended:
                        return
                    connection.in_use = False
                connection.gone_at = time.monotonic()
        except Gone:
            connection.gone_at = time.monotonic()
        except BaseException as error:
            self.problems.append(error)
        finally:
            connection.sock.close()
            connection.in_use = False

    def _next(self, request: Request) -> Behaviour:
        with self._lock:
            self.requests.append(request)
            asked = request.method == "POST" or request.path.startswith("/result")
            behaviours = self._question if asked else self._life
            return behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]


def _bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((HOST, port))
    return sock


_watched: dict[int, FaultServer] = {}
_hooked = False


def _watch(server: FaultServer) -> None:
    """Have `server` told of every connection that this process tries to make to its port.

    A connection that is refused reaches nobody, so that only the one who tries can count it; and
    Python tells of it (PEP 578) without the client being touched.
    """
    global _hooked  # noqa: PLW0603  # an audit hook cannot be taken away again
    _watched[server.port] = server
    if not _hooked:
        sys.addaudithook(_connects)
        _hooked = True


def _connects(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect":
        match arguments[1]:
            case (str() as host, int() as port, *_) if host == HOST and port in _watched:
                _watched[port].attempted()
            case _:
                pass
