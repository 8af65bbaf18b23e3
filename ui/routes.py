"""The addresses that exist. Gradio serves about forty more; whatever is not here is a 404."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ui.words import LANGUAGES

READ = frozenset({"GET", "HEAD"})
WRITE = frozenset({"POST"})

SESSION = r"[A-Za-z0-9-]{1,64}"
"""Gradio's name for one open page, made in the browser."""

# No segment begins with a dot, so that no path climbs out of its folder.
_FILE = r"[\w@+-][\w.@+-]*(?:/[\w@+-][\w.@+-]*)*"


@dataclass(frozen=True, slots=True)
class Route:
    """An address, the methods it takes, and how it is treated."""

    name: str
    """For the log: never what a visitor wrote."""
    path: re.Pattern[str]
    methods: frozenset[str] = READ
    keep_query: bool = False
    """Whether its query string is passed on. Only one needs it, and some of Gradio's obey it."""
    cache: str = "no-store"
    question: bool = False
    """Whether it takes an `Envelope`."""
    everywhere: bool = True
    """Whether the page of each language has it, and not only the server."""
    most: int | None = None
    """Bytes of its body, where it takes fewer than others (`ui.guard.MAX_BODY`)."""


def _route(path: str, **rest: object) -> Route:
    return Route(path, re.compile(path, re.ASCII), **rest)  # type: ignore[arg-type]


FOREVER = "public, max-age=31536000, immutable"
"""For files whose name holds a hash of their content."""
SHORT = "public, max-age=3600"

ROUTES = (
    _route(rf"/(?:{'|'.join(LANGUAGES)})", everywhere=False),  # to where that language's page is
    _route(r"/(?:compare)?"),
    _route(r"/(?:healthz|readyz|metrics)", everywhere=False),
    _route(r"/(?:state|disclaimer|privacy|config)"),
    _route(r"/feedback", methods=WRITE, most=200),
    _route(rf"/assets/{_FILE}", cache=FOREVER),
    _route(rf"/static/{_FILE}", cache=SHORT),
    _route(r"/(?:theme\.css|favicon\.ico|robots\.txt|manifest\.json)", cache=SHORT),
    _route(r"/gradio_api/(?:app_id|info)"),
    _route(rf"/gradio_api/heartbeat/{SESSION}"),
    _route(r"/gradio_api/queue/data", keep_query=True),
    _route(r"/gradio_api/(?:queue/join|run/predict)", methods=WRITE, question=True),
    _route(r"/gradio_api/(?:cancel|reset)", methods=WRITE),
    _route(r"/gone", methods=WRITE, most=64),
)


def find(path: str, of_server: bool = True) -> Route | None:
    """The route of a path whose escapes are undone, or None; `of_server` is whether those that the
    server has once are among them."""
    for route in ROUTES:
        if route.path.fullmatch(path) and (of_server or route.everywhere):
            return route
    return None
