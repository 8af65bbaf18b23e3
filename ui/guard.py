"""The outermost layer of the server: what may come in, and what every answer carries.

A plain ASGI layer, so that streams pass through it as they are. It knows none of the page's
functions, only their numbers of inputs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.envelope import Malformed, TooMany, read_envelope
from ui.logs import place
from ui.routes import WRITE, Route, find
from ui.visitors import Visitors
from ui.words import Words, spoken

log = logging.getLogger("medicalgpt.server")

MAX_BODY = 2 * 1024 * 1024
"""Bytes. The page posts the whole conversation with each question, reasoning included. The longest
reply, 8,192 tokens, is 35 kB in any script, and a question 8 kB at most: room for 40 of both, which
is more than a model is shown."""
BODY_SECONDS = 30.0
"""For all of a body to arrive."""

CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self'; "
    "font-src 'self' data:; connect-src 'self'; form-action 'none'; object-src 'none'; "
    "base-uri 'self'; frame-ancestors {ancestors}"
)
Headers = list[tuple[bytes, bytes]]

_HOST = re.compile(rb"[A-Za-z0-9._:\[\]-]{1,255}")
# What Gradio builds its own address from, if a client says so.
_FORGEABLE = re.compile(rb"forwarded|x-gradio-.*|x-forwarded-(?!proto$).*")
# What Gradio may not say: it would let every origin read its answers.
_OURS = re.compile(rb"access-control-.*|cache-control|server")


class Refusal(Exception):
    """A request that is answered here: a status, a sentence, and headers."""

    def __init__(self, status: int, sentence: str, headers: Headers | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.sentence = sentence
        self.headers = headers or []


class Guard:
    """`app` behind an allow-list of routes, a limit on bodies, and security headers.

    `arity` gives the number of inputs of each function the page has. `embed_origins` may show
    the page in a frame; nobody else may. What stands behind it is told a visitor's key as the
    address of the client, and never the address: `visitors` makes one of the other.
    """

    def __init__(
        self,
        app: ASGIApp,
        arity: Mapping[int, int],
        embed_origins: Iterable[str] = (),
        visitors: Visitors | None = None,
    ) -> None:
        self._app = app
        self._arity = arity
        self._visitors = visitors or Visitors()
        self._headers = security_headers(tuple(embed_origins))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        scope = {**_trusted(scope), "client": (self._visitors.key(scope), 0)}
        words, path = spoken(scope["path"])
        answer = Answer(words, send, self._headers, https=scope["scheme"] == "https")
        try:
            route = answer.route = _admit(words, path, scope)
            if route.methods is WRITE:
                scope, receive = await self._with_body(words, route, scope, receive)
            await self._app(scope, receive, answer)
        except Refusal as refusal:
            await answer.refuse(refusal)
        except Exception as error:
            name = answer.route.name if answer.route else "none"
            log.warning("a request to %s failed: %s", name, place(error))
            await answer.fail()

    async def _with_body(
        self, words: Words, route: Route, scope: Scope, receive: Receive
    ) -> tuple[Scope, Receive]:
        try:
            # Not `wait_for`: its task and a refusal would keep each other, and the body.
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(words, scope, receive, route.most or MAX_BODY)
        except TimeoutError:
            raise Refusal(408, words.BAD_REQUEST, [(b"connection", b"close")]) from None
        if route.question:
            try:
                body = read_envelope(body, self._arity)
            except TooMany:
                raise Refusal(413, words.TOO_LARGE) from None
            except Malformed:
                raise Refusal(400, words.BAD_REQUEST) from None
        headers = [h for h in scope["headers"] if h[0] not in (b"content-length", b"content-type")]
        headers.append((b"content-length", str(len(body)).encode()))
        headers.append((b"content-type", b"application/json"))
        return {**scope, "headers": headers}, _replay(body, receive)


class Answer:
    """Passes an answer on, with our headers in it."""

    def __init__(self, words: Words, send: Send, headers: Headers, https: bool) -> None:
        self._words = words
        self._send = send
        self._headers = headers
        self._https = https
        self._dropping = False
        self._streaming = False
        self.route: Route | None = None
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            if message["status"] == 500 and self.route is not None and self.route.question:
                # Gradio's word for a value that its component cannot hold, and for a fault
                # inside the page; the log tells which.
                self._dropping = True
                await self.refuse(Refusal(400, self._words.BAD_REQUEST))
                return
            headers = self._dressed(message.get("headers", []), message)
            self._streaming = any(value.startswith(b"text/event-stream") for _, value in headers)
            message = {**message, "headers": headers}
        if not self._dropping:
            await self._send(message)

    async def fail(self) -> None:
        """End what an exception left open. A stream has said so in its last event."""
        if not self.started:
            await self.refuse(Refusal(500, self._words.BAD_REQUEST))
        elif self._streaming:
            await self._send({"type": "http.response.body", "body": b""})

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with the refusal, as JSON: `detail` is where Gradio's page looks."""
        # As compact as those of the frameworks behind: an address that hides looks like none.
        body = json.dumps({"detail": refusal.sentence}, separators=(",", ":")).encode()
        own = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        self.started = True
        start: Message = {"type": "http.response.start", "status": refusal.status}
        start["headers"] = self._dressed([*own, *refusal.headers], start)
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})

    def _dressed(self, headers: Iterable[tuple[bytes, bytes]], start: Message) -> Headers:
        kept = [(name, value) for name, value in headers if not _OURS.fullmatch(name.lower())]
        found = self.route is not None and start["status"] in (200, 206, 304)
        cache = self.route.cache if found and self.route else "no-store"
        kept += [*self._headers, (b"cache-control", cache.encode())]
        if self._https:
            kept.append((b"strict-transport-security", b"max-age=31536000"))
        return kept


def security_headers(embed_origins: tuple[str, ...]) -> Headers:
    """What every answer carries; `embed_origins` are the pages that may frame ours."""
    ancestors = " ".join(("'self'", *embed_origins)) if embed_origins else "'none'"
    headers = {
        "content-security-policy": CSP.format(ancestors=ancestors),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "cross-origin-resource-policy": "same-origin",
        "x-accel-buffering": "no",  # a proxy that gathers a stream would hide the model's pace
    }
    if not embed_origins:
        headers["x-frame-options"] = "DENY"
        headers["cross-origin-opener-policy"] = "same-origin"
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _trusted(scope: Scope) -> Scope:
    """`scope` without the headers a client could forge, its scheme as the proxy says.

    Whoever forges X-Forwarded-Proto changes the scheme in the answer to themselves alone.
    """
    headers: Headers = scope["headers"]
    https = (b"x-forwarded-proto", b"https") in headers
    kept = [(name, value) for name, value in headers if not _FORGEABLE.fullmatch(name)]
    return {**scope, "headers": kept, "scheme": "https" if https else scope["scheme"]}


def _admit(words: Words, path: str, scope: Scope) -> Route:
    """The route of a request to `path` of a language's page. Raises `Refusal`."""
    headers = dict(scope["headers"])
    if not _HOST.fullmatch(headers.get(b"host", b"localhost")):
        raise Refusal(400, words.BAD_REQUEST)
    route = find(path, of_server=path == scope["path"])
    if route is None:
        raise Refusal(404, words.NOT_FOUND)
    if scope["method"] not in route.methods:
        allowed = ", ".join(sorted(route.methods)).encode()
        raise Refusal(405, words.NOT_FOUND, [(b"allow", allowed)])
    if route.methods is WRITE and not _same_origin(headers):
        raise Refusal(403, words.BAD_REQUEST)
    if not route.keep_query:
        scope["query_string"] = b""
    return route


def _same_origin(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request is not one that another site's page made.

    The browser's own word where it gives one (over https and on this machine); else the host
    the page came from against the host asked. Programs that send neither are nobody's page.
    """
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site in (b"same-origin", b"none")
    origin = headers.get(b"origin")
    return origin is None or origin.partition(b"://")[2] == headers.get(b"host")


async def _read(words: Words, scope: Scope, receive: Receive, most: int) -> bytes:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    if int(length) > most:
        raise _too_large(words)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refusal(400, words.BAD_REQUEST)  # it went away; nobody reads this
        body += message.get("body", b"")
        if len(body) > most:
            raise _too_large(words)  # a body in chunks has no length beforehand
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(words: Words) -> Refusal:
    # Made where it is raised: kept in a variable there, it would keep the body, and itself.
    return Refusal(413, words.TOO_LARGE, [(b"connection", b"close")])


def _replay(body: bytes, receive: Receive) -> Receive:
    """Gives `body` once, then whatever else comes: Gradio waits there for a disconnect."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
