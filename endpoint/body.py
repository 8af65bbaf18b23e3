"""The body of a request: read within limits, and checked to be a JSON object."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from starlette.requests import ClientDisconnect, Request

from endpoint.refusal import Refusal, bad_request
from endpoint.replying import Gone
from ui.strict_json import MAX_DEPTH, NotStrict, parse

MAX_BODY = 1024 * 1024
"""Bytes: ten times the text that is taken, for escapes and what stands around it."""
BODY_SECONDS = 30.0
"""For all of a body to arrive."""

CLOSE = {"connection": "close"}
"""The rest of the body is not read, so that the connection serves nothing more."""

_NOT_STRICT = (
    f"The body is not JSON, or is more than {MAX_DEPTH} deep, or has a name twice in one object, "
    "or a whole number of more than 64 bits."
)


async def read_body(request: Request) -> bytes:
    """All of the body. Raises `Refusal` and `Gone`."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(request)
    except TimeoutError:
        raise Refusal(408, "The body did not come in time.", headers=CLOSE) from None
    except ClientDisconnect:
        raise Gone from None


async def _read(request: Request) -> bytes:
    length = request.headers.get("content-length", "0")
    if int(length) > MAX_BODY:  # the protocol's parser has seen that these are digits
        raise _too_large()
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise _too_large()  # a body in chunks has no length beforehand
    return bytes(body)


def _too_large() -> Refusal:
    # Made where it is raised: kept in a variable there, it would keep the body, and itself.
    return Refusal(413, f"The body is larger than {MAX_BODY} bytes.", headers=CLOSE)


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object that `body` is. Raises `Refusal`."""
    try:
        parsed = parse(body)
    except NotStrict:
        raise bad_request(_NOT_STRICT) from None
    if not isinstance(parsed, dict):
        raise bad_request("The body is not a JSON object.")
    return cast("dict[str, Any]", parsed)
