"""What a browser posts to have one of the page's functions run: checked before Gradio reads it.

Gradio answers a malformed one with a 500 and writes a stack with its content to the log; and it
fetches the file, from an address too, that an object in it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from ui import strict_json
from ui.routes import SESSION
from ui.strict_json import NotStrict

MAX_ITEMS = 1_000
"""Of one list. The page shows no more than about 400 messages (`panels.MAX_MESSAGES`)."""

_KEPT = ("data", "event_data", "fn_index", "session_hash", "trigger_id")
_FILES = frozenset({"path", "url", "_type", "component"})
"""Names in Gradio's objects for files and components. No input of this page takes either."""


class Malformed(ValueError):
    """Not something that our page sends."""


class TooMany(Malformed):
    """A conversation of more messages than the page ever shows."""


def read_envelope(body: bytes, arity: Mapping[int, int]) -> bytes:
    """`body`, with nothing in it but what a function may be called with, in valid UTF-8.

    `arity` has the number of inputs for each function the page has. Raises `Malformed`.
    """
    try:
        return strict_json.dump(_checked(strict_json.parse(body), arity))
    except NotStrict:
        raise Malformed from None


def _checked(parsed: object, arity: Mapping[int, int]) -> dict[str, Any]:
    if not isinstance(parsed, dict):
        raise Malformed
    fields = cast("dict[str, Any]", parsed)
    data, index, trigger = fields.get("data"), fields.get("fn_index"), fields.get("trigger_id")
    session = fields.get("session_hash")
    if not isinstance(session, str) or not re.fullmatch(SESSION, session):
        raise Malformed
    # type() and not isinstance(): True is an int too.
    if type(index) is not int or type(trigger) not in (int, type(None)):
        raise Malformed
    if not isinstance(data, list) or len(cast("list[Any]", data)) != arity.get(index):
        raise Malformed
    kept = {name: fields.get(name) for name in _KEPT}
    for each in _within(kept):
        if isinstance(each, list) and len(cast("list[Any]", each)) > MAX_ITEMS:
            raise TooMany
        if isinstance(each, dict) and not _FILES.isdisjoint(cast("dict[str, Any]", each)):
            raise Malformed
    return kept


def _within(value: object) -> Iterator[object]:
    """`value` and all in it; its depth was checked."""
    yield value
    if isinstance(value, dict):
        value = list(cast("dict[str, object]", value).values())
    if isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _within(each)
