"""The endpoint on a real socket, around any backend."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from backend.base import Backend, BackendInfo, EventStream, Options, Status
from chat.conversation import Conversation
from endpoint.server import Endpoint
from settings import Secret
from tests.backend.conftest import embedded, model_path
from tests.conftest import wait_until
from ui.listening import listen
from ui.serve import Server

__all__ = ["embedded", "model_path"]

QUESTION = {"messages": [{"role": "user", "content": "What is a stroke?"}]}


@dataclass
class Running:
    """An endpoint that listens, and a client of it."""

    address: str
    http: httpx.Client
    server: Server

    def complete(self, **fields: Any) -> httpx.Response:
        """POST a chat completion request: a question, and `fields` over it."""
        return self.http.post("/v1/chat/completions", json={**QUESTION, **fields})


class Standing:
    """A backend that is another one in each test, so that one server serves them all."""

    def __init__(self) -> None:
        self.now: Backend

    @property
    def info(self) -> BackendInfo:
        return self.now.info

    def status(self) -> Status:
        return self.now.status()

    def stream(self, conversation: Conversation, options: Options) -> EventStream:
        return self.now.stream(conversation, options)

    def wake(self) -> None:
        self.now.wake()

    def close(self) -> None:
        """Each test closes what it opened."""


@contextmanager
def running(backend: Backend, key: str | None = None, limit: int = 100) -> Iterator[Running]:
    listener = listen("127.0.0.1", 0)
    server = Server(Endpoint(backend, Secret(key) if key else None, limit), drain_seconds=0.0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        wait_until(lambda: server.started, 20.0)
        with httpx.Client(base_url=address, timeout=30.0) as http:
            yield Running(address, http, server)
    finally:
        server.stop()
        thread.join(15.0)
        assert not thread.is_alive()


Run = Callable[..., Running]


@pytest.fixture(scope="package")
def standing() -> Iterator[tuple[Standing, Running]]:
    backend = Standing()
    with running(backend) as endpoint:
        yield backend, endpoint


@pytest.fixture
def run(standing: tuple[Standing, Running]) -> Run:
    """`run(backend)` gives the endpoint around it; one for all tests, as nothing stays of them."""

    def put(backend: Backend) -> Running:
        standing[0].now = backend
        return standing[1]

    return put


@pytest.fixture
def start() -> Iterator[Run]:
    """`start(backend, key=…)` gives an endpoint of its own, stopped after the test."""
    with ExitStack() as stack:
        yield lambda backend, **rest: stack.enter_context(running(backend, **rest))
