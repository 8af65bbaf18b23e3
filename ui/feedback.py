"""Thumbs: one verdict on an answer becomes one more in a count, and nothing else.

What comes is a verdict and, with a thumb down, a reason of a short list; neither which answer it is
about nor any text. Only where the owner counts (`METRICS_TOKEN`): else it would go nowhere.
"""

from __future__ import annotations

from typing import Any, cast

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from ui import strict_json
from ui.metrics import Metrics
from ui.rates import Rates
from ui.strict_json import NotStrict
from ui.words import Words

GOOD, BAD = "good", "bad"
REASONS = ("wrong", "unclear", "unsafe", "unanswered", "long", "other")
"""What a thumb down may be for, in the order that the page offers them."""
NO_REASON = "none"
PER_MINUTE, PER_HOUR = 10, 60
"""Of one visitor, the owner too: more than anybody reads, and too few to drown the counts."""


def verdict(body: bytes) -> tuple[str, str]:
    """The verdict in `body` and its reason, of the lists above. Raises `NotStrict`."""
    given = strict_json.parse(body)
    if not isinstance(given, dict):
        raise NotStrict
    match cast("dict[str, Any]", given):
        case {"verdict": "good", **more} if not more:
            return GOOD, NO_REASON
        case {"verdict": "bad", "reason": str(reason), **more} if reason in REASONS and not more:
            return BAD, reason
        case _:
            raise NotStrict


def add_feedback(app: APIRouter, words: Words, metrics: Metrics, rates: Rates) -> None:
    """The address where verdicts are taken, into `metrics`, each visitor's at `rates`."""

    async def take(request: Request) -> Response:
        try:
            given, reason = verdict(await request.body())
        except NotStrict:
            return JSONResponse({"detail": words.BAD_REQUEST}, 400)
        # Set by the guard: no address.
        key = request.client.host if request.client else ""
        if rates.wait(key):
            return JSONResponse({"detail": words.UNCOUNTED}, 429)
        rates.count(key)
        metrics.judged(given, reason)
        return Response(status_code=204)

    app.add_api_route("/feedback", take, methods=["POST"])
