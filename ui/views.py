"""The addresses of ours that the page of each language has beside Gradio's."""

from __future__ import annotations

import secrets

import gradio as gr
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from backend.base import Backend
from ui import panels
from ui.api import add_info
from ui.documents import disclaimer_page, privacy_page
from ui.feedback import PER_HOUR, PER_MINUTE, add_feedback
from ui.metrics import Metrics
from ui.rates import Rates
from ui.resuming import Resuming
from ui.words import Words, address

CLOSED_PER_MINUTE, CLOSED_PER_HOUR = 60, 600
"""Pages of one visitor that say they are closed, and whose question has not been heard of: more
than anybody opens, and too few to crowd out those of others."""


class Views:
    """What they say, in any language. One visitor's rates are the same in all."""

    def __init__(self, backend: Backend, resuming: Resuming, metrics: Metrics | None) -> None:
        self._backend = backend
        self._resuming = resuming
        self._metrics = metrics
        self._closed = Rates(CLOSED_PER_MINUTE, CLOSED_PER_HOUR)
        self._judged = Rates(PER_MINUTE, PER_HOUR)
        # So that an open page can tell a restart from a lost packet.
        self._start = secrets.token_hex(4)

    def add(self, app: FastAPI, words: Words, page: gr.Blocks) -> None:
        """Give `app` those of `page`, which speaks `words`."""
        router = APIRouter(prefix=address(words))
        disclaimer, privacy = disclaimer_page(words), privacy_page(words)

        async def home() -> Response:
            return RedirectResponse(f"{address(words)[1:]}/" if address(words) else "./")

        async def state() -> Response:
            return JSONResponse(self._state(words))

        async def notice() -> Response:
            return HTMLResponse(disclaimer)

        async def kept() -> Response:
            return HTMLResponse(privacy)

        for path, answer in (("/state", state), ("/disclaimer", notice), ("/privacy", kept)):
            router.add_api_route(path, answer, methods=["GET", "HEAD"])
        router.add_api_route("/gone", self._gone, methods=["POST"])
        if self._metrics is not None:
            add_feedback(router, words, self._metrics, self._judged)
        add_info(router, page)
        app.include_router(router)
        app.add_api_route(f"/{words.TAG}", home, methods=["GET", "HEAD"])

    def _state(self, words: Words) -> dict[str, object]:
        info = self._backend.info
        return {
            **panels.state(words, info, self._backend.status()),
            "server": self._start,
            "resume": self._resuming.seconds,
            "compare": info.base is not None,
        }

    async def _gone(self, request: Request) -> Response:
        """The page of this token is closed, or has its answer. Tells nobody if there was one."""
        token = (await request.body()).decode("ascii", "replace")
        # Set by the guard: no address. Whoever knows a token may always end its answer.
        key = request.client.host if request.client else ""
        if self._resuming.held(token) is None:
            if self._closed.wait(key):
                return Response(status_code=204)
            self._closed.count(key)
        self._resuming.end(token)
        return Response(status_code=204)
