"""Listening: an address of this machine, and connections that say something in time.

Knows neither the page nor Gradio, so that the endpoint listens the same way.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import socket
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from settings import ALL_INTERFACES

HEAD_SECONDS = 10.0
"""For the head of a request to arrive; a connection that says nothing is closed then."""
STUCK_SECONDS = 60.0
"""For a client to take something of an answer that waits for it; then the connection is cut."""
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
    """One connection, closed where no request comes, or where nobody reads what was asked for.

    Uvicorn alone would wait for ever.
    """

    _deadline: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

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
        self._flowing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client's side is full, and so is ours."""
        super().pause_writing()
        self._stuck = self.loop.call_later(STUCK_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._flowing()
        super().resume_writing()

    def _flowing(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

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


def port_number(text: str) -> int:
    """The port that a flag names."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 65535")
    return int(text)


def addresses(host: str, port: int) -> list[str]:
    """Where a client on this machine finds what listens on `host`, on every interface too."""
    shown = "localhost" if host in (ALL_INTERFACES, "::") else f"[{host}]" if ":" in host else host
    return [f"http://{shown}:{port}"]
