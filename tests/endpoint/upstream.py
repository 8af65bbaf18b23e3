"""A model server to stand behind the gateway, on a real socket: it streams, and it notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
import xllamacpp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.conftest import wait_until


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """`app` on a free port of this machine; gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        wait_until(lambda: server.started, 10.0)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10.0)
        assert not thread.is_alive()


@contextmanager
def llama_server(model: Path) -> Iterator[str]:
    """llama.cpp's own HTTP server, in this process, with `model`; gives its address."""
    params: Any = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.n_ctx, params.n_parallel, params.use_jinja = 1_024, 1, True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.warmup, params.verbosity = False, -1
    with socket.create_server(("127.0.0.1", 0)) as free:
        params.port = free.getsockname()[1]
    params.hostnames = ["127.0.0.1"]
    server: Any = xllamacpp.Server(params)
    yield str(server.listening_address)
    del server


def chunk(**delta: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"


class Upstream:
    """Answers as it is set up to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.reset()
        self.app = Starlette(
            routes=[
                Route("/health", self._health),
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/{path:path}", self._anything, methods=["GET", "POST"]),
            ]
        )

    def reset(self) -> None:
        self.healthy = True
        self.parent: str | None = None
        self.asked: list[dict[str, Any]] = []
        self.gone_at: list[float] = []
        """When each request that was not finished was left by its client."""
        self.reply: Callable[[], Response] = self.stream

    def stream(self, pieces: int = 3, forever: bool = False) -> Response:
        async def body() -> AsyncIterator[bytes]:
            for number in range(pieces):
                yield chunk(reasoning=f"thought {number} ")
                await asyncio.sleep(0.1)
            if forever:
                await asyncio.Event().wait()
            yield chunk(content="é")
            yield b"data: [DONE]\n\n"

        return StreamingResponse(self._noticing(body()), media_type="text/event-stream")

    def broken(self) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield chunk(content="half")
            raise ConnectionAbortedError

        return StreamingResponse(body(), media_type="text/event-stream")

    async def _noticing(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for piece in body:
                yield piece
        except (asyncio.CancelledError, GeneratorExit):
            self.gone_at.append(time.monotonic())
            raise

    async def _health(self, _: Request) -> Response:
        return Response(status_code=200 if self.healthy else 503)

    async def _models(self, _: Request) -> Response:
        card = {"object": "model", "root": "/models/secret", "permission": []}
        cards = [{"id": "medicalgpt", **card, "parent": self.parent, "max_model_len": 16384}]
        if self.parent is not None:
            cards.append({"id": "medicalgpt-base", **card})
        return JSONResponse({"data": cards})

    async def _chat(self, request: Request) -> Response:
        self.asked.append(await request.json())
        return self.reply()

    async def _anything(self, _: Request) -> Response:
        return Response("the server itself")


class Silent:
    """An ASGI app that reads a question and says nothing until its client goes."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        self.gone_at: list[float] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        with contextlib.suppress(asyncio.CancelledError):
            while (message := await receive())["type"] != "http.disconnect":
                if not message.get("more_body"):
                    self.waiting.set()
        self.gone_at.append(time.monotonic())
