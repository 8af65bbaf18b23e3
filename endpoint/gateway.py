"""What of a model server is reachable from outside: three addresses, and a few fields of one body.

    POST /v1/chat/completions   the fields of `endpoint/allowed.py`; others are refused by name
    GET  /v1/models             names and context, no paths
    GET  /health                200 only while the server would answer

An ASGI app in front of an OpenAI-compatible server that should be seen by nobody else. Streams
pass as they come; a client that goes ends the request to the server, whatever it is waiting for.
A question is sent once and never again. Nothing is logged here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from endpoint.allowed import Refusal, forwarded

BODY_LIMIT = 256 * 1024
"""Bytes. Four times the longest conversation that fits the model's context."""
BODY_SECONDS = 30.0
HEALTH_SECONDS = 5.0
IDLE_SECONDS = 180.0
"""Silence of the server after which a request is given up. It sends a comment every 15 s."""

STREAM = "text/event-stream"


def create_gateway(upstream: str) -> Starlette:
    """The app in front of the server at `upstream`, such as http://127.0.0.1:8000."""
    client = httpx.AsyncClient(
        base_url=upstream,
        timeout=httpx.Timeout(IDLE_SECONDS, connect=HEALTH_SECONDS),
        # No pool limit: whoever calls this limits its requests. Nothing of a proxy is obeyed.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=4),
        headers={"Accept-Encoding": "identity"},
        trust_env=False,
    )

    async def health(_: Request) -> Response:
        try:
            answer = await client.get("/health", timeout=HEALTH_SECONDS)
        except httpx.HTTPError:
            return _asleep()
        return JSONResponse({"status": "ok"}) if answer.status_code == 200 else _asleep()

    async def models(_: Request) -> Response:
        try:
            answer = await client.get("/v1/models", timeout=HEALTH_SECONDS)
            answer.raise_for_status()
            listed = answer.json()["data"]
            names = {card["id"] for card in listed}
            cards = [_card(card, names) for card in listed]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return _asleep()
        return JSONResponse({"object": "list", "data": cards})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with client:
            yield

    app = Starlette(
        routes=[
            Route("/health", health, methods=["GET"]),
            Route("/v1/models", models, methods=["GET"]),
            Route("/v1/chat/completions", Forward(client), methods=["POST"]),
        ],
        exception_handlers={HTTPException: _not_here},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


class Forward:
    """`POST /v1/chat/completions`, as an ASGI app: it must see the client go at any moment."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await read_body(Request(scope, receive))
            request = forwarded(body)
        except Refusal as refusal:
            await _refused(refusal)(scope, receive, send)
        except TimeoutError:
            await _refused(Refusal(408, "The body took too long."))(scope, receive, send)
        except ClientDisconnect:
            return
        else:
            await while_there(receive, self._forward(request, scope, receive, send))

    async def _forward(
        self, body: dict[str, Any], scope: Scope, receive: Receive, send: Send
    ) -> None:
        content = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = self._client.build_request(
            "POST", "/v1/chat/completions", content=content, headers=headers
        )
        if not body.get("stream"):
            # Nothing comes before the end, however long that takes; Modal's own limit holds.
            request.extensions["timeout"] = httpx.Timeout(None, connect=HEALTH_SECONDS).as_dict()
        try:
            answer = await self._client.send(request, stream=True)
        except httpx.ConnectError:
            await _asleep()(scope, receive, send)
            return
        except httpx.HTTPError:
            # Not "not ready": the question was taken, and would be generated a second time.
            await _failed()(scope, receive, send)
            return
        try:
            if answer.headers.get("content-type", "").startswith(STREAM):
                await _stream(answer, send)
            else:
                await (await _whole(answer))(scope, receive, send)
        finally:
            await answer.aclose()


async def _stream(answer: httpx.Response, send: Send) -> None:
    headers = [(b"content-type", STREAM.encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    end = b""
    try:
        async for piece in answer.aiter_raw():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except httpx.HTTPError:
        # What broke off must not look whole. The server's own errors inside a stream look so too.
        end = b"\n\ndata: " + bytes(_failed().body) + b"\n\n"
    await send({"type": "http.response.body", "body": end})


async def _whole(answer: httpx.Response) -> Response:
    """An answer in one piece. Of a failure only that it was one: its own words may name paths."""
    try:
        body = await answer.aread()
    except httpx.HTTPError:
        return _failed()
    if answer.status_code == 503:
        return _error(429, "Too many requests at once.", "server_error", **{"Retry-After": "5"})
    if answer.status_code >= 500:
        return _failed()
    return Response(body, answer.status_code, media_type=answer.headers.get("content-type"))


async def read_body(request: Request) -> bytes:
    """The body, up to `BODY_LIMIT`. Raises `Refusal` and starlette's `ClientDisconnect`."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > BODY_LIMIT:
            raise Refusal(413, f"The body has more than {BODY_LIMIT // 1024} KiB.")
        pieces.append(piece)
    return b"".join(pieces)


async def while_there(receive: Receive, work: Awaitable[None]) -> None:
    """Do `work` unless the client goes first; then it is cancelled, and ended when this returns."""
    doing = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({doing, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        if not doing.done():
            doing.cancel()
        await asyncio.wait({doing, gone})
    if not doing.cancelled():
        doing.result()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _card(card: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """`parent`, which names an adapter's base, only where that is asked by the same name."""
    shown = ["id", "object", "created", "owned_by", "max_model_len"]
    if card.get("parent") in names:
        shown.append("parent")
    return {name: card[name] for name in shown if name in card}


def _error(status: int, text: str, kind: str, param: str | None = None, **headers: str) -> Response:
    error = {"message": text, "type": kind, "param": param, "code": None}
    return JSONResponse({"error": error}, status, headers)


def _refused(refusal: Refusal) -> Response:
    return _error(refusal.status, str(refusal), "invalid_request_error", refusal.param)


def _asleep() -> Response:
    return _error(503, "The model is not ready.", "server_error", **{"Retry-After": "5"})


def _failed() -> Response:
    return _error(500, "The model failed to answer.", "server_error")


async def _not_here(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _error(status, "There is nothing here.", "invalid_request_error")
