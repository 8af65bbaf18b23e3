"""JSON as strangers may send it: one reading only, small numbers, shallow. Knows no page.

Python's parser takes more than JSON is, and what it takes breaks things further in: NaN, numbers
that no other program can hold, names that stand twice and are then read differently by two
readers, and half of a surrogate pair.
"""

from __future__ import annotations

import json
from typing import Any, cast

MAX_DEPTH = 16
"""Of lists and objects in each other. The page's conversation is 6 deep."""
_LOWEST, _BEYOND = -(2**63), 2**64
_DIGITS = 20


class NotStrict(ValueError):
    """No JSON, or more than is taken here. Never says what was sent."""


def parse(body: bytes) -> Any:
    """The value that `body` is. Raises `NotStrict`, and nothing else."""
    try:
        parsed: Any = json.loads(
            body, parse_constant=_no_number, parse_int=_whole, object_pairs_hook=_object
        )
    except (ValueError, RecursionError):
        raise NotStrict from None
    if not _shallow(parsed):
        raise NotStrict
    return parsed


def dump(value: object) -> bytes:
    """`value` as JSON in valid UTF-8: halves of surrogate pairs become U+FFFD.

    Raises `NotStrict` for an infinity: 1e999 is a number to JSON.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except ValueError:
        raise NotStrict from None
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _no_number(constant: str) -> None:
    """For NaN and the infinities, which Python's JSON has and JSON has not."""
    raise NotStrict


def _whole(text: str) -> int:
    if len(text) > _DIGITS or not _LOWEST <= (number := int(text)) < _BEYOND:
        raise NotStrict
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotStrict
    return found


def _shallow(value: object) -> bool:
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
