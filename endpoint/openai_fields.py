"""The fields of a chat completion request: which are honoured, refused by name, or without effect.

What would change the reply and is not honoured is refused, never passed over: a caller who asked
for it would take the reply for something it is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from endpoint.refusal import Refusal, bad_request

HONOURED = frozenset({
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens",
    "temperature", "top_p", "seed", "stop", "reasoning_effort",
})  # fmt: skip
WITHOUT_EFFECT = frozenset({
    "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key",
    "prompt_cache_retention", "parallel_tool_calls",
})  # fmt: skip
"""They would change nothing that is told here: no tools, no accounts, nothing stored."""

NEUTRAL: dict[str, tuple[object, ...]] = {
    "n": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "verbosity": ("medium",),
    "audio": (),
    "prediction": (),
    "web_search_options": (),
}
"""What is not honoured, and the values of it that ask for nothing."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def check_fields(fields: Mapping[str, Any]) -> None:
    """Raises `Refusal` for the first field that cannot be honoured. Null is as good as absent."""
    for name, value in fields.items():
        if name in NEUTRAL:
            if value is not None and not any(_same(value, each) for each in NEUTRAL[name]):
                raise bad_request(f"{name} is not supported here.", name, "unsupported_parameter")
        elif name not in HONOURED | WITHOUT_EFFECT:
            raise unknown(name)


def unknown(name: str, inside: str = "") -> Refusal:
    """A field that this service has never heard of, named unless the name is a text by itself."""
    shown = f"{inside}{name}" if _NAME.fullmatch(name) else None
    field = shown or "A field of the request"
    return bad_request(f"{field} is not known here.", shown, "unknown_parameter")


def _same(value: object, neutral: object) -> bool:
    # 0.0 is as neutral as 0, but False is not a number.
    return value == neutral and isinstance(value, bool) == isinstance(neutral, bool)


def whole(fields: Mapping[str, Any], name: str, low: int, high: int | None) -> int | None:
    """A whole number, if it is there. Raises `Refusal`."""
    value = fields.get(name)
    if value is None:
        return None
    if type(value) is not int or value < low or (high is not None and value > high):
        limits = f"from {low} to {high}" if high is not None else f"of at least {low}"
        raise bad_request(f"{name} must be a whole number {limits}.", name, "invalid_value")
    return value


def number(fields: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    """A number, if it is there. Raises `Refusal`."""
    value = fields.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not low <= value <= high:
        raise bad_request(f"{name} must be a number from {low} to {high}.", name, "invalid_value")
    return float(value)


def switch(fields: Mapping[str, Any], name: str, inside: str = "") -> bool:
    """True or false, false where it is absent. Raises `Refusal`."""
    value = fields.get(name)
    if value is not None and type(value) is not bool:
        shown = inside + name
        raise bad_request(f"{shown} must be true or false.", shown, "invalid_value")
    return bool(value)
