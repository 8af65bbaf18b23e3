"""A reply as OpenAI's clients read it: in chunks over SSE, or whole.

Reasoning stands in `reasoning` and in `reasoning_content`, equal, because clients read one or the
other; the answer alone stands in `content`. A reply that ended without saying how has no
`finish_reason`: none is invented. One that says what kills has "content_filter": in a stream the
rest of it is not sent, and a whole one has no text, but a `refusal`.
"""

from __future__ import annotations

import json
import time
from typing import Any, assert_never

from backend.base import BackendInfo
from chat.events import (
    AnswerDelta,
    Ended,
    EndReason,
    Event,
    ReasoningDelta,
    Shortened,
    Usage,
    Waiting,
)
from chat.reply import Reply
from endpoint.refusal import Refusal
from safety.watch import WITHHELD

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": waiting\n\n"

_FINISH = {
    EndReason.FINISHED: "stop",
    EndReason.LENGTH: "length",
    EndReason.WITHHELD: "content_filter",
}


class Chunks:
    """The chunks of one streamed reply, as bytes of an event stream."""

    def __init__(self, ref: str, model: str, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._same: dict[str, Any] = _envelope(ref, model, "chat.completion.chunk")

    def opening(self, safety: dict[str, Any]) -> bytes:
        """The first chunk: whose words these are, and what was found in the conversation."""
        beside = {"safety": safety} if safety else {}
        return self._chunk({"role": "assistant", "content": ""}, beside=beside)

    def told(self, event: Event) -> bytes:
        """The chunks of one event, none or more."""
        match event:
            case Waiting() | Shortened():
                return b""
            case ReasoningDelta(text):
                return self._chunk({"reasoning": text, "reasoning_content": text})
            case AnswerDelta(text):
                return self._chunk({"content": text})
            case Ended(reason, counted):
                finish = _FINISH.get(reason)
                ending = self._chunk({}, finish) if finish is not None else b""
                return ending + self._usage(counted)
            case _:
                assert_never(event)

    def failed(self, refusal: Refusal) -> bytes:
        """What went wrong after the status code was sent."""
        return _data(refusal.body)

    def _chunk(
        self,
        delta: dict[str, str],
        finish: str | None = None,
        beside: dict[str, Any] | None = None,
    ) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        usage: dict[str, Any] = {"usage": None} if self._include_usage else {}
        return _data({**self._same, "choices": [choice], **usage, **(beside or {})})

    def _usage(self, counted: Usage) -> bytes:
        usage = usage_of(counted)
        if not self._include_usage or usage is None:
            return b""
        return _data({**self._same, "choices": [], "usage": usage})


def whole(reply: Reply, ref: str, model: str) -> dict[str, Any]:
    """A reply that has ended, in one piece."""
    reasoning = reply.reasoning or None
    message = {
        "role": "assistant",
        "content": reply.answer,
        "reasoning": reasoning,
        "reasoning_content": reasoning,
        "refusal": WITHHELD if reply.end is EndReason.WITHHELD else None,
    }
    finish = _FINISH.get(reply.end) if reply.end is not None else None
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {
        **_envelope(ref, model, "chat.completion"),
        "choices": [choice],
        "usage": usage_of(reply.usage),
    }


def usage_of(counted: Usage) -> dict[str, Any] | None:
    """Token counts as OpenAI names them; None where the backend did not count."""
    prompt, completion = counted.prompt_tokens, counted.completion_tokens
    if prompt is None or completion is None:
        return None
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if counted.reasoning_tokens is not None:
        usage["completion_tokens_details"] = {"reasoning_tokens": counted.reasoning_tokens}
    return usage


def models(info: BackendInfo, started: int) -> dict[str, Any]:
    """The model, and where it can be asked without its adapter, that; `started` in Unix seconds.

    `max_model_len` and `parent`, which names an adapter's base, are vLLM's. `unreliable` is ours,
    so that a page in front of this endpoint can say it under each answer; so is `revision`, which
    an evaluation writes down.
    """
    same = {"object": "model", "created": started, "owned_by": "medicalgpt"}
    same |= {"max_model_len": info.context_window, "unreliable": info.unreliable}
    cards = [{"id": info.model, **same, "parent": info.base, "revision": info.revision}]
    if info.base is not None:
        cards.append({"id": info.base, **same, "parent": None, "revision": info.base_revision})
    return {"object": "list", "data": cards}


def _envelope(ref: str, model: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{ref}", "object": kind, "created": int(time.time()), "model": model}


def _data(value: dict[str, Any]) -> bytes:
    # In ASCII: some clients take U+2028 and its like for the end of a line.
    return b"data: %s\n\n" % json.dumps(value, separators=(",", ":")).encode()
