"""A chat completion request -> what a backend is asked, or a refusal that names the field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from backend.base import MIN_NEW_TOKENS, BackendInfo, Effort, Option, Options
from chat.conversation import Conversation
from endpoint.openai_fields import check_fields, number, switch, unknown, whole
from endpoint.openai_messages import read_messages
from endpoint.refusal import Refusal, bad_request

MAX_STOPS = 4
MAX_STOP_CHARS = 200
LAST_SEED = 2**32 - 2
"""llama.cpp takes the number after this one for no seed at all."""

NAMES = {
    "max_tokens": Option.MAX_NEW_TOKENS,
    "max_completion_tokens": Option.MAX_NEW_TOKENS,
    "temperature": Option.TEMPERATURE,
    "top_p": Option.TOP_P,
    "seed": Option.SEED,
    "reasoning_effort": Option.EFFORT,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, and how its reply is to be told."""

    model: str
    conversation: Conversation
    options: Options
    stops: tuple[str, ...]
    stream: bool
    include_usage: bool


def read_request(fields: Mapping[str, Any], info: BackendInfo) -> Asked:
    """What `fields` ask of the backend that `info` describes. Raises `Refusal`."""
    check_fields(fields)
    model = fields.get("model")
    if model is not None and model not in (info.model, info.base):
        # The name is not repeated: it may be any text.
        raise Refusal(
            404, "No such model here; GET /v1/models names it.", "model", "model_not_found"
        )
    stream = switch(fields, "stream")
    return Asked(
        model=model or info.model,
        conversation=read_messages(fields.get("messages")),
        options=_options(fields, info),
        stops=_stops(fields.get("stop")),
        stream=stream,
        include_usage=_include_usage(fields.get("stream_options"), stream),
    )


def _options(fields: Mapping[str, Any], info: BackendInfo) -> Options:
    for name, option in NAMES.items():
        if fields.get(name) is not None and option not in info.honours:
            raise bad_request(
                f"{name} cannot be honoured by the backend that answers here.",
                name,
                "unsupported_parameter",
            )
    given = {
        "effort": _effort(fields.get("reasoning_effort")),
        "max_new_tokens": _max_tokens(fields),
        "temperature": number(fields, "temperature", 0.0, 2.0),
        "top_p": number(fields, "top_p", 0.01, 1.0),
        "seed": whole(fields, "seed", 0, LAST_SEED),
        "base": fields.get("model") == info.base if info.base else None,
    }
    return replace(info.defaults, **{name: v for name, v in given.items() if v is not None})


def _max_tokens(fields: Mapping[str, Any]) -> int | None:
    """The limit of reasoning and answer together. More than the backend has is taken for all it
    has: a reply that runs into that says so. Less than leaves room for both is refused."""
    names = ("max_completion_tokens", "max_tokens")
    newer, older = (whole(fields, name, MIN_NEW_TOKENS, None) for name in names)
    if newer is not None and older is not None and newer != older:
        raise bad_request("max_tokens and max_completion_tokens differ.", "max_tokens")
    return newer if newer is not None else older


def _effort(value: object) -> Effort | None:
    if value is None:
        return None
    names = [effort.value for effort in Effort]
    if value not in names:
        raise bad_request(
            f"reasoning_effort must be one of: {', '.join(names)}.",
            "reasoning_effort",
            "invalid_value",
        )
    return Effort(value)


def _stops(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    given = [value] if isinstance(value, str) else value
    wrong = bad_request(
        f"stop must be a text or up to {MAX_STOPS} texts of 1 to {MAX_STOP_CHARS} characters.",
        "stop",
        "invalid_value",
    )
    if not isinstance(given, list):
        raise wrong
    sequences = cast("list[object]", given)
    texts = tuple(each for each in sequences if isinstance(each, str))
    if len(texts) != len(sequences) or len(texts) > MAX_STOPS:
        raise wrong
    if not all(1 <= len(text) <= MAX_STOP_CHARS for text in texts):
        raise wrong
    return texts


def _include_usage(value: object, stream: bool) -> bool:
    if value is None:
        return False
    if not isinstance(value, dict) or not stream:
        raise bad_request("stream_options is an object beside stream: true.", "stream_options")
    fields = cast("dict[str, Any]", value)
    for name in fields:
        # Obfuscation pads the stream, and changes nothing in it.
        if name not in ("include_usage", "include_obfuscation"):
            raise unknown(name, "stream_options.")
    return switch(fields, "include_usage", "stream_options.")
