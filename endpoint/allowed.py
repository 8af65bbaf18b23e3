"""What of a chat request may reach a model server: an allow-list of fields, each checked.

Knows no network. For `endpoint/gateway.py` and `endpoint/generate.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

MOST_TOKENS = 8_192
"""The most one reply may have, reasoning and answer."""
PLAIN_TOKENS = 4_096
"""What it may have where nothing is asked for."""
NUMBERS = {
    "temperature": (0, 2),
    "top_p": (0.001, 1),
    "seed": (-(2**63), 2**63 - 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}
"""What each may be, both ends included."""
STOP_CHARS = 200
LENGTHS = {"max_tokens", "max_completion_tokens"}
FORWARDED = {
    *("model", "messages", "stream", "stream_options", "stop", "n"),
    *("reasoning_effort", "include_reasoning"),
    *NUMBERS,
    *LENGTHS,
}
IGNORED = {"user", "metadata", "store", "service_tier", "safety_identifier"}
"""Taken and dropped: SDKs send them, and they change no answer."""
ROLES = {"system", "developer", "user", "assistant"}
EFFORTS = {"low", "medium", "high"}
STOPS = 4


class Refusal(Exception):
    """A request that is not passed on. `str()` is the sentence for whoever sent it."""

    def __init__(self, status: int, text: str, param: str | None = None) -> None:
        super().__init__(status, text, param)  # all of them, so that it can be pickled
        self.status, self.text, self.param = status, text, param

    def __str__(self) -> str:
        return self.text


def forwarded(body: bytes) -> dict[str, Any]:
    """What of a chat request goes to the server. Raises `Refusal`."""
    asked = {name: value for name, value in json_object(body).items() if value is not None}
    for name in asked:
        if name not in FORWARDED | IGNORED:
            # Templates, token ids, log-probabilities, tools, media: each is a way to put control
            # tokens into a prompt, to read what is not an answer, or to hold the GPU for long.
            raise Refusal(400, f"{name[:64]!r} is not supported here.", name[:64])
    kept = {name: value for name, value in asked.items() if name in FORWARDED - LENGTHS}
    kept["messages"] = _messages(asked.get("messages"))
    _check(kept)
    wanted = [_tokens(name, asked[name]) for name in LENGTHS & set(asked)] or [PLAIN_TOKENS]
    kept["max_completion_tokens"] = min(MOST_TOKENS, *wanted)
    return kept


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises `Refusal`."""
    try:
        parsed: object = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is not JSON.") from None
    if not isinstance(parsed, dict):
        raise Refusal(400, "The body is not a JSON object.")
    return cast("dict[str, Any]", parsed)


def _no_constant(name: str) -> object:
    raise ValueError(name)  # NaN and the infinities, which are not JSON


def _check(asked: Mapping[str, Any]) -> None:
    for name in NUMBERS.keys() & asked.keys():
        value, (least, most) = asked[name], NUMBERS[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Refusal(400, f"{name!r} must be a number.", name)
        if not least <= value <= most:  # 1e999 is a number to JSON, and an infinity here
            raise Refusal(400, f"{name!r} must be from {least} to {most}.", name)
        if name == "seed" and not isinstance(value, int):
            raise Refusal(400, "'seed' must be a whole number.", name)
    for name in {"stream", "include_reasoning"} & set(asked):
        if not isinstance(asked[name], bool):
            raise Refusal(400, f"{name!r} must be true or false.", name)
    if isinstance(asked.get("n"), bool) or asked.get("n", 1) != 1:
        raise Refusal(400, "'n' must be 1.", "n")
    if str(asked.get("reasoning_effort", "low")) not in EFFORTS:
        raise Refusal(400, "'reasoning_effort' must be low, medium or high.", "reasoning_effort")
    if asked.get("stream_options", {}) not in (
        {},
        {"include_usage": True},
        {"include_usage": False},
    ):
        raise Refusal(400, "'stream_options' may only have 'include_usage'.", "stream_options")
    stops = cast("object", asked.get("stop", []))
    stops = [stops] if isinstance(stops, str) else stops
    if not isinstance(stops, list) or len(cast("list[object]", stops)) > STOPS:
        raise Refusal(400, f"'stop' must be a text or up to {STOPS} texts.", "stop")
    for each in cast("list[object]", stops):
        if not isinstance(each, str) or not 0 < len(each) <= STOP_CHARS:
            raise Refusal(400, f"A stop must be a text of up to {STOP_CHARS} characters.", "stop")
    if not isinstance(asked.get("model", ""), str):
        raise Refusal(400, "'model' must be a name.", "model")


def _tokens(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Refusal(400, f"{name!r} must be a whole number above 0.", name)
    return value


def _messages(given: object) -> list[dict[str, str]]:
    """Role and text of each message, and nothing else of it."""
    if not isinstance(given, list) or not given:
        raise Refusal(400, "'messages' must be a list of messages.", "messages")
    kept: list[dict[str, str]] = []
    for message in cast("list[object]", given):
        if not isinstance(message, dict):
            raise Refusal(400, "A message must be an object.", "messages")
        fields = cast("dict[str, object]", message)
        role = fields.get("role")
        if not isinstance(role, str) or role not in ROLES:
            raise Refusal(400, f"A message's role must be one of {sorted(ROLES)}.", "messages")
        kept.append({"role": role, "content": _text(fields.get("content"))})
    return kept


def _text(content: object) -> str:
    if isinstance(content, str):
        # Half of a surrogate pair is no text, and would be a fault of ours further in.
        return content.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    texts: list[str] = []
    for part in cast("list[object]", content) if isinstance(content, list) else [None]:
        fields = cast("dict[str, object]", part) if isinstance(part, dict) else {}
        text = fields.get("text")
        if fields.get("type") != "text" or not isinstance(text, str):
            raise Refusal(400, "A message's content must be text.", "messages")
        texts.append(_text(text))
    return "".join(texts)
