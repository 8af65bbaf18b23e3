"""The server around the page: our own addresses, and Gradio's behind the guard."""

from __future__ import annotations

import asyncio
import hmac
import warnings
from dataclasses import dataclass
from typing import Any, cast

import gradio as gr
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from backend.base import Backend, Failed
from backend.why import Why
from safety import red_flags
from settings import Secret, Settings
from ui import patches
from ui.api import add_api
from ui.compare import add_comparison
from ui.guard import Guard
from ui.limits import Limits
from ui.metrics import Metrics
from ui.page import build_page, mount_options
from ui.resuming import Resuming
from ui.runs import Runs
from ui.views import Views
from ui.visitors import Visitors
from ui.words import ENGLISH, LANGUAGES, Words, address, mounted


@dataclass(frozen=True, slots=True)
class Service:
    """What `ui.serve` runs, and what it waits for at the end."""

    app: ASGIApp
    runs: Runs


def create_app(backend: Backend, why: Why, settings: Settings) -> Service:
    """The page over `backend`, and all that stands around it. Loads and contacts nothing."""
    # Where no event loop runs, Gradio makes several and closes none.
    return asyncio.run(_create_app(backend, why, settings))


async def _create_app(backend: Backend, why: Why, settings: Settings) -> Service:
    patches.apply()
    red_flags.read(
        ["a"]
    )  # all rules are loaded now: no question waits for it, and faults stop here
    limits = Limits.of(settings)
    metrics = Metrics() if settings.metrics_token else None
    runs = Runs(limits, metrics)
    resuming = Resuming(runs, settings.resume_seconds, settings.max_concurrent_chats)
    parent = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    _add_probes(parent, backend, runs)
    if metrics is not None and settings.metrics_token is not None:
        metrics.watch(lambda: len(runs) - limits.waiting, lambda: limits.waiting)
        _add_metrics(parent, metrics, settings.metrics_token)
    views = Views(backend, resuming, metrics)
    arity: dict[int, int] = {}
    for words in reversed(LANGUAGES.values()):  # what is mounted at `/` takes all that is left
        page = build_page(words, backend, why, runs, resuming, settings)
        add_comparison(page, words, backend, runs, resuming, settings)
        add_api(page, words, backend, runs, settings)
        views.add(parent, words, page)
        _mount(parent, words, page, feedback=metrics is not None)
        inputs = {index: len(fn.inputs) for index, fn in page.fns.items()}
        if arity not in ({}, inputs):
            raise AssertionError("the guard takes the pages of all languages for the same")
        arity = inputs
    visitors = Visitors(settings.trusted_proxies)
    return Service(Guard(parent, arity, settings.embed_origins, visitors), runs)


def _add_probes(app: FastAPI, backend: Backend, runs: Runs) -> None:
    async def healthz() -> Response:
        """Whether this process serves. Never asks the backend."""
        return PlainTextResponse("ok")

    async def readyz() -> Response:
        """Whether a question would be taken. A backend that sleeps or wakes takes one."""
        if runs.closing:
            return PlainTextResponse(ENGLISH.RESTARTING, 503)
        status = backend.status()
        kind = type(status).__name__.lower()
        return PlainTextResponse(kind, 503 if isinstance(status, Failed) else 200)

    for path, answer in (("/healthz", healthz), ("/readyz", readyz)):
        app.add_api_route(path, answer, methods=["GET", "HEAD"])


def _mount(app: FastAPI, words: Words, page: gr.Blocks, feedback: bool) -> None:
    """Gradio's own addresses; the guard in front lets through those in `ui.routes`."""
    with warnings.catch_warnings():
        # It warns that it does not render on the server, which it is told not to.
        warnings.filterwarnings("ignore", "SSR mode is not supported", UserWarning)
        # Its types are partly unknown.
        cast("Any", gr).mount_gradio_app(
            app,
            page,
            path=address(words) or "/",
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
            **mount_options(words, feedback),
        )


def _add_metrics(app: FastAPI, metrics: Metrics, token: Secret) -> None:
    expected = f"Bearer {token.reveal()}".encode()

    async def read(request: Request) -> Response:
        """Counts, for who has the token. Nobody else learns that the address exists."""
        given = request.headers.get("authorization", "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, expected):
            return JSONResponse({"detail": ENGLISH.NOT_FOUND}, 404)
        text, kind = metrics.text()
        return Response(text, media_type=kind)

    app.add_api_route("/metrics", read, methods=["GET", "HEAD"])


async def _not_understood(request: Request, error: Exception) -> Response:
    """In place of FastAPI's own answer, which repeats what was sent."""
    return JSONResponse({"detail": mounted(request.scope["root_path"]).BAD_REQUEST}, 400)


async def _refused(request: Request, error: Exception) -> Response:
    """In place of Gradio's own words, which are for its developers."""
    words = mounted(request.scope["root_path"])
    status = error.status_code if isinstance(error, HTTPException) else 500
    sentences = {404: words.NOT_FOUND, 503: words.BUSY.format(n=20)}
    return JSONResponse({"detail": sentences.get(status, words.BAD_REQUEST)}, status)
