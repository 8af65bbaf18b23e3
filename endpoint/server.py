"""The service as an ASGI app: its addresses, who may ask, and one line a request in the log."""

from __future__ import annotations

import hmac
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.base import Asleep, Backend, BackendError, Failed, Ready
from endpoint.answer import Answer
from endpoint.asking import Asking
from endpoint.body import CLOSE
from endpoint.completions import ChatCompletions
from endpoint.legacy import Generate
from endpoint.openai_reply import models
from endpoint.refusal import Refusal, refusal_of
from endpoint.replying import Gone, Replies
from safety import red_flags
from settings import Secret
from ui.logs import place

log = logging.getLogger("medicalgpt.endpoint")

READ = ("GET", "HEAD")
WRITE = ("POST",)

_LOOPBACK = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.IGNORECASE)

Handler = Callable[[Request, Answer], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Route:
    """An address: its methods, who answers there, and in which contract's shape it refuses."""

    methods: tuple[str, ...]
    handler: Handler
    legacy: bool = False
    open: bool = False
    """Whether it answers without a key."""


class Endpoint:
    """`backend` behind both contracts, for whoever has `key`; without one, for this machine only.

    `limit` replies are written at once. It is a `ui.serve.Service`.
    """

    def __init__(self, backend: Backend, key: Secret | None = None, limit: int = 100) -> None:
        red_flags.read(["a"])  # all rules are loaded now: no question waits, faults stop here
        self.runs = Replies(limit)
        self._backend = backend
        self._key = key
        self._started = int(time.time())
        asking = Asking(backend, self.runs)
        self._routes = {
            "/v1/chat/completions": Route(WRITE, ChatCompletions(asking)),
            "/v1/models": Route(READ, self._models),
            "/health": Route(READ, self._health, open=True),
            "/generate": Route(WRITE, Generate(asking), legacy=True),
        }

    @property
    def app(self) -> ASGIApp:
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._serve(Request(scope, receive), Answer(send, secrets.token_hex(4)))

    async def _serve(self, request: Request, answer: Answer) -> None:
        began = time.monotonic()
        path: str = request.scope["path"]
        route = self._routes.get(path)
        try:
            await self._answer(route, request, answer)
        except Gone:
            answer.ended = "gone"
        except BackendError as error:
            answer.ended = type(error).__name__
            await _refuse(route, refusal_of(error), answer)
        except Refusal as refusal:
            await _refuse(route, refusal, answer)
        except Exception as error:
            log.warning("request %s failed: %s", answer.ref, place(error))
            await _refuse(route, Refusal(500, "An error of our own."), answer)
        finally:
            log.info(
                "%s %s seconds=%.2f ref=%s rules=%s ended=%s",
                path if route else "other",
                f"{answer.status // 100}xx" if answer.status else "none",
                time.monotonic() - began,
                answer.ref,
                ",".join(answer.safety.get("rules", ())) or "none",
                answer.ended,
            )

    async def _answer(self, route: Route | None, request: Request, answer: Answer) -> None:
        self._check_client(route, request)
        if route is None:
            raise Refusal(404, "There is nothing at this address.", None, "not_found")
        if (
            route.legacy
            and request.method in READ
            and not isinstance(self._backend.status(), Ready)
        ):
            # In that contract a 405 means awake, and asking wakes.
            self._backend.wake()
            raise Refusal(503, "The model is not ready.")
        if request.method not in route.methods:
            allowed = {"allow": ", ".join(route.methods)}
            raise Refusal(405, "Method Not Allowed", None, "method_not_allowed", allowed)
        if route.methods is WRITE:
            self._check_post(request)
        await route.handler(request, answer)

    def _check_client(self, route: Route | None, request: Request) -> None:
        """Raises `Refusal` for whoever may not ask. Before anything else, unknown paths too."""
        if self._key is None:
            # A page elsewhere may have made its own name point here, and be taken for one of ours.
            if not _LOOPBACK.fullmatch(request.headers.get("host", "")):
                raise Refusal(
                    403, "Without a key, this service is asked as localhost.", headers=CLOSE
                )
        elif not (route and route.open) and not _has_key(request, self._key):
            headers = {"www-authenticate": "Bearer", **CLOSE}
            raise Refusal(401, "The key is missing or wrong.", None, "invalid_api_key", headers)

    def _check_post(self, request: Request) -> None:
        # A web page may post other types to any address without asking for leave.
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refusal(415, "The body must be application/json.", headers=CLOSE)
        if self.runs.closing:
            raise Refusal(503, "The service is going down.", None, "not_ready", CLOSE)

    async def _models(self, request: Request, answer: Answer) -> None:
        await answer.json(models(self._backend.info, self._started))

    async def _health(self, request: Request, answer: Answer) -> None:
        """200 only where a question would be answered; asking wakes what sleeps."""
        status = self._backend.status()
        # A stranger may look, and may not make the owner pay for a GPU.
        theirs = self._key is None or _has_key(request, self._key)
        if isinstance(status, Asleep | Failed) and theirs:
            self._backend.wake()
        well = isinstance(status, Ready) and not self.runs.closing
        kind = "closing" if self.runs.closing else type(status).__name__.lower()
        await answer.json({"status": kind}, 200 if well else 503)


def _has_key(request: Request, key: Secret) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), key.reveal().encode())
    return same and scheme.lower() == "bearer"


async def _refuse(route: Route | None, refusal: Refusal, answer: Answer) -> None:
    if answer.status is not None:
        return  # cut where it is: the client sees an answer that does not end
    body = {"detail": refusal.message} if route and route.legacy else refusal.body
    await answer.json(body, refusal.status, refusal.headers)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        kind: str = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
