"""What a row of the matrix plays on: an endpoint, the backend that asks it, and the one page."""

from __future__ import annotations

import itertools
import logging
import os
import re
import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from backend.base import BackendInfo, EventStream, Options, Ready, Status
from backend.policy import Policy
from backend.remote import RemoteBackend
from chat.conversation import Conversation
from settings import Secret, Settings
from tests.behaviours import Certificates, certificates, good
from tests.conftest import serving, wait_until
from tests.faults import HOST, FaultServer
from tests.visitor import Visitor
from ui.logs import Brief

SCALE = 1 / 20
SCALED = replace(
    Policy().scaled(SCALE),
    connect=0.5,  # a TLS handshake on a busy machine takes longer than a twentieth of it
    awake=60.0,  # so that it is the row that says whether a sign of life is asked for first
    retry_after_limit=20.0,  # the seconds of a Retry-After are the endpoint's, and whole
)
KEYS = {
    "modal_key": Secret("keycanary-id"),
    "modal_secret": Secret("keycanary-secret"),
    "endpoint_api_key": Secret("keycanary-bearer"),
}
_TAG = re.compile(r"\[(q\w+)\]")

Names = dict[str, list[socket.gaierror | None]]


class Board:
    """The page's one backend: hands each question on to the endpoint that its tag names."""

    def __init__(self) -> None:
        self._backends: dict[str, RemoteBackend] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._plain = RemoteBackend(Settings(modal_endpoint=f"http://{HOST}:9/v1"))
        self.open: dict[str, int] = {}
        """How many streams of each tag were not closed yet."""
        self.refs: dict[str, list[str]] = {}
        """The runs of each tag, by the names that they have in the log."""

    def add(self, backend: RemoteBackend) -> str:
        """The tag that leads to `backend`."""
        tag = f"q{next(self._numbers)}x{os.urandom(4).hex()}"
        self._backends[tag], self.open[tag], self.refs[tag] = backend, 0, []
        return tag

    @property
    def info(self) -> BackendInfo:
        return self._plain.info

    def status(self) -> Status:
        return Ready()

    def wake(self) -> None:
        """Each row wakes its own."""

    def stream(self, conversation: Conversation, options: Options) -> EventStream:
        tag = _TAG.findall(conversation.question)[-1]
        with self._lock:
            self.open[tag] += 1
            self.refs[tag].append(threading.current_thread().name.removeprefix("run-"))
        try:
            yield from self._backends[tag].stream(conversation, options)
        finally:
            with self._lock:
                self.open[tag] -= 1

    def close(self) -> None:
        self._plain.close()


class Log(logging.Handler):
    """Every line as it would reach the terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(Brief("%(levelname)s %(name)s: %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@dataclass
class Stage:
    """The page, and what all rows share."""

    address: str
    board: Board
    log: Log
    names: Names
    certificates: Certificates

    @contextmanager
    def scene(
        self,
        *,
        legacy: bool,
        tls: bool = False,
        named: bool = False,
        policy: Policy = SCALED,
        **settings: Any,
    ) -> Generator[Scene]:
        """An endpoint that is well, and a backend that knows nothing of it yet."""
        with ExitStack() as ended:
            context = self.certificates.good if tls else None
            server = ended.enter_context(FaultServer(legacy=legacy, tls=context))
            server.behave(good)
            other = ended.enter_context(FaultServer(legacy=legacy))
            host = f"endpoint{server.port}.invalid" if named else HOST
            if named:
                self.names[host] = [None]
            asked = Settings(modal_endpoint=server.url(host), **KEYS, **settings)
            backend = RemoteBackend(asked, policy)
            ended.callback(backend.close)
            tag = self.board.add(backend)
            yield Scene(self, server, other, host, backend, tag)


@dataclass
class Scene:
    """One row being played."""

    stage: Stage
    server: FaultServer
    other: FaultServer
    """Another host; nothing may ever come to it."""
    host: str
    backend: RemoteBackend
    tag: str
    visitors: list[Visitor] = field(default_factory=list[Visitor])

    @property
    def names(self) -> Names:
        return self.stage.names

    @property
    def certificates(self) -> Certificates:
        return self.stage.certificates

    def warm(self) -> None:
        """Let the backend see a sign of life."""
        self.backend.wake()
        wait_until(lambda: isinstance(self.backend.status(), Ready), 10.0)

    @contextmanager
    def visitor(self) -> Generator[Visitor]:
        one = Visitor(self.stage.address)
        try:
            yield one
        finally:
            one.close()

    def question(self, text: str = "What is asthma?") -> str:
        return f"{text} [{self.tag}]"


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """The page around a `Board`, in this process, with its log read."""
    names: Names = {}
    board, log = Board(), Log()
    root, ours = logging.getLogger(), logging.getLogger("medicalgpt")
    with pytest.MonkeyPatch.context() as patch:
        certs = certificates(folder)
        patch.setenv("REQUESTS_CA_BUNDLE", str(certs.authority))
        patch.setenv("NO_PROXY", HOST)
        patch.setattr(socket, "getaddrinfo", _looking_up(names))
        patch.setattr(ours, "level", logging.INFO)
        root.addHandler(log)
        try:
            with serving(board, max_concurrent_chats=200) as address:
                yield Stage(address, board, log, names, certs)
        finally:
            root.removeHandler(log)
            board.close()


def _looking_up(names: Names) -> Any:
    """`getaddrinfo`, which for the names made up here gives what was ordered, then the loopback.

    The one part that cannot be real: no name server that fails on command is to be had here.
    """
    real = socket.getaddrinfo

    def look(host: Any, *given: Any, **named: Any) -> Any:
        if host not in names:
            return real(host, *given, **named)
        answers = names[host]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer is not None:
            raise answer
        return real(HOST, *given, **named)

    return look
