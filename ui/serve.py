"""Running the server, and ending it so that answers in progress are finished first."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import threading
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ui.server import Service

log = logging.getLogger("medicalgpt.server")

LAST_UPDATE = 2
"""Seconds for the end of the last reply to reach its page; other connections of open pages, which
never end by themselves, are cut then."""
HEAD_SECONDS = 10.0
"""For the head of a request to arrive; a connection that says nothing is closed then."""
IDLE_SECONDS = 75
"""Between two requests of a connection: longer than proxies keep theirs, so that none of them
sends a question into a connection that is just being closed."""


class CannotListen(Exception):
    """The address cannot be had; the sentence says what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on `host` and `port` (0: any free one). Raises `CannotListen`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
    except OSError:
        raise CannotListen(f"{host!r} is not an address of this machine; see --host.") from None
    # With its protocol named, or asyncio leaves Nagle's algorithm on, and each answer waits 40 ms
    # for the client's delayed acknowledgement.
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(512)
    except OSError as fault:
        listener.close()
        if fault.errno == errno.EADDRINUSE:
            why = f"Port {port} is in use. Stop what uses it, or choose another with --port."
        elif fault.errno == errno.EACCES:
            why = f"Port {port} is not allowed to this user. Choose one above 1023 with --port."
        else:
            why = f"{host!r} is not an address of this machine; see --host."
        raise CannotListen(why) from None
    return listener


class Connection(H11Protocol):
    """One connection, closed where no request comes: uvicorn alone would wait for ever."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._between_requests():
            self._await_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _between_requests(self) -> bool:
        cycle: Any = self.cycle
        return cycle is None or cycle.response_complete

    def _await_head(self) -> None:
        # Not begun anew with each byte, or a byte now and then would hold it open.
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class Server(uvicorn.Server):
    """Serves until SIGTERM or SIGINT, then drains: no new runs, those there end, exit.

    Uvicorn's own way is to stop listening first, which would take from open pages the answers
    they wait for, and to send itself the signal again, which would make the exit code a fault.
    """

    def __init__(self, service: Service, drain_seconds: float) -> None:
        super().__init__(
            uvicorn.Config(
                service.app,
                http=Connection,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,  # its lines hold query strings
                server_header=False,
                # Uvicorn believes either a list of proxies, which a host does not publish, or
                # all, and then the client's first word about its own address. The guard reads
                # the one header that is needed.
                proxy_headers=False,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=LAST_UPDATE,
            )
        )
        self._runs = service.runs
        self._drain_seconds = drain_seconds
        self._stop_asked = False
        self._drainer: threading.Thread | None = None

    def stop(self) -> None:
        """Drain, then end. May be called from any thread."""
        self._stop_asked = True

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stop_asked

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Only marks it: a signal may come in the middle of anything."""
        if self._stop_asked and sig == signal.SIGINT:
            self.should_exit = self.force_exit = True
        self._stop_asked = True

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second, from uvicorn."""
        if self._stop_asked and self._drainer is None:
            self._drainer = threading.Thread(target=self._drain, name="drain", daemon=True)
            self._drainer.start()
        return await super().on_tick(counter)

    def _drain(self) -> None:
        log.info("stopping; %d replies are being finished", len(self._runs))
        if not self._runs.drain(self._drain_seconds):
            log.warning("stopping; replies were cut off after %.0f s", self._drain_seconds)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Uvicorn's own, without a stack in the log for each connection it has to cut."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)
