"""A language for tests, read from right to left: every sentence of the catalogue in brackets.

What the page shows outside brackets comes from somewhere else.
"""

from __future__ import annotations

from typing import cast

from ui.words import Words

TAG = "ar"
OPENED, CLOSED = "\u27e6", "\u27e7"
SAMPLE = "نص"
"""Arabic, so that the browser lays the sentence out from the right."""
_KEYS = {"low", "medium", "high"}


def bracketed() -> Words:
    """The language. What is put together of its sentences has brackets within brackets."""
    sentences = {name: _marked(value) for name, value in vars(Words).items() if name.isupper()}
    kept = {"TAG": TAG, "NAME": "العربية", "DIRECTION": "rtl", "DECIMAL": "."}
    made = type("Bracketed", (Words,), {**sentences, **kept})
    return cast("Words", made())


def outside(text: str) -> str:
    """What of `text` is in no brackets."""
    depth, rest = 0, ""
    for character in text:
        depth += character == OPENED
        if not depth:
            rest += character
        depth -= character == CLOSED
    return rest


def _marked(value: object) -> object:
    if isinstance(value, str):
        return value if value in _KEYS else f"{OPENED}{SAMPLE} {value}{CLOSED}"
    if isinstance(value, tuple):
        return tuple(map(_marked, cast("tuple[object, ...]", value)))
    if isinstance(value, dict):
        return {key: _marked(each) for key, each in cast("dict[object, object]", value).items()}
    return value
