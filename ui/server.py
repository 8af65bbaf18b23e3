"""The server around the page: our own addresses, and Gradio's behind the guard."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import warnings
from dataclasses import dataclass
from typing import Any, cast

import gradio as gr
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from backend.base import Backend, Failed
from safety import red_flags
from settings import Secret, Settings
from ui import panels, patches, words
from ui.api import add_api, add_info
from ui.compare import add_comparison
from ui.documents import disclaimer_page, privacy_page
from ui.feedback import add_feedback
from ui.guard import Guard
from ui.limits import Limits
from ui.metrics import Metrics
from ui.page import build_page, mount_options
from ui.rates import Rates
from ui.resuming import Resuming
from ui.runs import Runs
from ui.visitors import Visitors

CLOSED_PER_MINUTE, CLOSED_PER_HOUR = 60, 600
"""Pages of one visitor that say they are closed, and whose question has not been heard of: more
than anybody opens, and too few to crowd out those of others."""
SENTENCES = {404: words.NOT_FOUND, 503: words.BUSY.format(n=20)}


@dataclass(frozen=True, slots=True)
class Service:
    """What `ui.serve` runs, and what it waits for at the end."""

    app: ASGIApp
    runs: Runs


def create_app(backend: Backend, why: str, settings: Settings) -> Service:
    """The page over `backend`, and all that stands around it. Loads and contacts nothing."""
    # Where no event loop runs, Gradio makes several and closes none.
    return asyncio.run(_create_app(backend, why, settings))


async def _create_app(backend: Backend, why: str, settings: Settings) -> Service:
    patches.apply()
    red_flags.read([])  # the rules are loaded now: no question waits for it, and faults stop here
    limits = Limits.of(settings)
    metrics = Metrics() if settings.metrics_token else None
    runs = Runs(limits, metrics)
    resuming = Resuming(runs, settings.resume_seconds, settings.max_concurrent_chats)
    page = build_page(backend, why, runs, resuming, settings)
    add_comparison(page, backend, runs, resuming, settings)
    add_api(page, backend, runs, settings)
    parent = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    _add_routes(parent, backend, runs, resuming)
    if metrics is not None and settings.metrics_token is not None:
        metrics.watch(lambda: len(runs) - limits.waiting, lambda: limits.waiting)
        _add_metrics(parent, metrics, settings.metrics_token)
        add_feedback(parent, metrics)
    add_info(parent, page)
    _mount(parent, page, feedback=metrics is not None)
    arity = {index: len(fn.inputs) for index, fn in page.fns.items()}
    visitors = Visitors(settings.trusted_proxies)
    return Service(Guard(parent, arity, settings.embed_origins, visitors), runs)


def _add_routes(app: FastAPI, backend: Backend, runs: Runs, resuming: Resuming) -> None:
    disclaimer, privacy = disclaimer_page(), privacy_page()
    closed = Rates(CLOSED_PER_MINUTE, CLOSED_PER_HOUR)
    start = secrets.token_hex(4)  # so that an open page can tell a restart from a lost packet

    async def healthz() -> Response:
        """Whether this process serves. Never asks the backend."""
        return PlainTextResponse("ok")

    async def readyz() -> Response:
        """Whether a question would be taken. A backend that sleeps or wakes takes one."""
        if runs.closing:
            return PlainTextResponse(words.RESTARTING, 503)
        status = backend.status()
        kind = type(status).__name__.lower()
        return PlainTextResponse(kind, 503 if isinstance(status, Failed) else 200)

    async def state() -> Response:
        line = panels.state(backend.info, backend.status())
        known = {"server": start, "resume": resuming.seconds}
        return JSONResponse({**line, **known, "compare": backend.info.base is not None})

    async def notice() -> Response:
        return HTMLResponse(disclaimer)

    async def kept() -> Response:
        return HTMLResponse(privacy)

    async def gone(request: Request) -> Response:
        """The page of this token is closed, or has its answer. Tells nobody if there was one."""
        token = (await request.body()).decode("ascii", "replace")
        # Set by the guard: no address. Whoever knows a token may always end its answer.
        key = request.client.host if request.client else ""
        if resuming.held(token) is None:
            if closed.wait(key):
                return Response(status_code=204)
            closed.count(key)
        resuming.end(token)
        return Response(status_code=204)

    app.add_api_route("/gone", gone, methods=["POST"])
    for path, answer in (
        ("/healthz", healthz),
        ("/readyz", readyz),
        ("/state", state),
        ("/disclaimer", notice),
        ("/privacy", kept),
    ):
        app.add_api_route(path, answer, methods=["GET", "HEAD"])


def _mount(app: FastAPI, page: gr.Blocks, feedback: bool) -> None:
    """Gradio's own addresses; the guard in front lets through those in `ui.routes`."""
    with warnings.catch_warnings():
        # It warns that it does not render on the server, which it is told not to.
        warnings.filterwarnings("ignore", "SSR mode is not supported", UserWarning)
        # Its types are partly unknown.
        cast("Any", gr).mount_gradio_app(
            app,
            page,
            path="/",
            app_kwargs={
                "openapi_url": None,
                "exception_handlers": {
                    RequestValidationError: _not_understood,
                    HTTPException: _refused,
                },
            },
            run_history=False,
            enable_monitoring=False,
            mcp_server=False,
            ssr_mode=False,
            pwa=False,
            show_error=False,
            allowed_paths=[],
            max_file_size="1kb",
            **mount_options(feedback),
        )


def _add_metrics(app: FastAPI, metrics: Metrics, token: Secret) -> None:
    expected = f"Bearer {token.reveal()}".encode()

    async def read(request: Request) -> Response:
        """Counts, for who has the token. Nobody else learns that the address exists."""
        given = request.headers.get("authorization", "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, expected):
            return JSONResponse({"detail": words.NOT_FOUND}, 404)
        text, kind = metrics.text()
        return Response(text, media_type=kind)

    app.add_api_route("/metrics", read, methods=["GET", "HEAD"])


async def _not_understood(request: Request, error: Exception) -> Response:
    """In place of FastAPI's own answer, which repeats what was sent."""
    return JSONResponse({"detail": words.BAD_REQUEST}, 400)


async def _refused(request: Request, error: Exception) -> Response:
    """In place of Gradio's own words, which are for its developers."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse({"detail": SENTENCES.get(status, words.BAD_REQUEST)}, status)
