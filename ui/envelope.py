"""What a browser posts to have one of the page's functions run: checked before Gradio reads it.

Gradio answers a malformed one with a 500 and writes a stack with its content to the log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from ui.routes import SESSION

MAX_DEPTH = 16
"""Of lists and objects in each other. The page's conversation is 6 deep."""

_KEPT = ("data", "event_data", "fn_index", "session_hash", "trigger_id")


class Malformed(ValueError):
    """Not something that our page sends."""


def read_envelope(body: bytes, arity: Mapping[int, int]) -> bytes:
    """`body`, with nothing in it but what a function may be called with. Raises `Malformed`.

    `arity` has the number of inputs for each function the page has.
    """
    try:
        parsed: Any = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Malformed from None
    if not isinstance(parsed, dict):
        raise Malformed
    fields = cast("dict[str, Any]", parsed)
    if not shallow(fields):
        raise Malformed
    data, index, trigger = fields.get("data"), fields.get("fn_index"), fields.get("trigger_id")
    session = fields.get("session_hash")
    if not isinstance(session, str) or not re.fullmatch(SESSION, session):
        raise Malformed
    # type() and not isinstance(): True is an int too.
    if type(index) is not int or type(trigger) not in (int, type(None)):
        raise Malformed
    if not isinstance(data, list) or len(cast("list[Any]", data)) != arity.get(index):
        raise Malformed
    try:
        # 1e999 is a number to JSON, and an infinity here.
        return json.dumps({name: fields.get(name) for name in _KEPT}, allow_nan=False).encode()
    except ValueError:
        raise Malformed from None


def _no_number(constant: str) -> None:
    """For NaN and the infinities, which Python's JSON has and JSON has not."""
    raise Malformed


def shallow(value: object) -> bool:
    """Whether lists and objects in `value` are at most `MAX_DEPTH` deep."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[object] = []
        for each in level:
            if isinstance(each, dict):
                inner.extend(cast("dict[str, object]", each).values())
            elif isinstance(each, list):
                inner.extend(cast("list[object]", each))
        if not inner:
            return True
        level = inner
    return False
