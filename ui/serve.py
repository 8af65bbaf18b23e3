"""Running the server, and ending it so that answers in progress are finished first."""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Protocol

import uvicorn
from starlette.types import ASGIApp

from backend.base import Backend, Failed, Ready
from ui.listening import IDLE_SECONDS, Connection

log = logging.getLogger("medicalgpt.server")

LAST_UPDATE = 2
"""Seconds for the end of the last reply to reach its page; other connections of open pages, which
never end by themselves, are cut then."""
ENDING = (signal.SIGTERM, signal.SIGINT)


class Replies(Protocol):
    """The replies being written, as far as the end of the server is concerned."""

    def __len__(self) -> int: ...

    def drain(self, seconds: float) -> bool:
        """Begin none, let those there finish for `seconds`, end the rest; had all finished?"""
        ...


class Service(Protocol):
    """What is served, and what is waited for at the end."""

    @property
    def app(self) -> ASGIApp: ...

    @property
    def runs(self) -> Replies: ...


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


class Signals:
    """SIGTERM and SIGINT where the server does not take them: before it runs and after.

    Only marked, since one may come in the middle of anything; told to `server` once it is there.
    """

    def __init__(self) -> None:
        self.came: list[int] = []
        self.server: Server | None = None

    def __enter__(self) -> Signals:
        self._before = {number: signal.signal(number, self._mark) for number in ENDING}
        return self

    def __exit__(self, *raised: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def exit_code(self) -> int:
        """130 where the end was forced, or came by Ctrl-C before anything was served; else 0."""
        forced = self.server is not None and self.server.force_exit
        return 130 if forced or signal.SIGINT in self.came else 0

    def _mark(self, number: int, frame: FrameType | None) -> None:
        self.came.append(number)
        if self.server is not None:
            self.server.handle_exit(number, frame)


def report(server: Server, backend: Backend, say: Callable[[str], None]) -> None:
    """Say once that the model can answer, or that it cannot. Returns then, or at the end.

    A sleeping model is left asleep. Nothing is said of one that is closed with the server.
    """
    while True:
        status = backend.status()
        if server.stopping:
            return
        match status:
            case Ready():
                at = backend.info.revision
                return say(f"The model is ready{f', at revision {at}' if at else ''}.")
            case Failed(error):
                return say(f"The model cannot answer: {error}")
            case _:
                time.sleep(0.5)
