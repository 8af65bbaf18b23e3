"""OpenAI's chat completions: what vLLM, llama.cpp, Ollama and `endpoint/server.py` speak.

Reasoning comes as `delta.reasoning` (vLLM today, Ollama), as `delta.reasoning_content` (vLLM
before, llama.cpp, DeepSeek), or inside `delta.content` in one of the dialects of `chat/`. Source:
platform.openai.com/docs/api-reference/chat, and the servers named.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any, cast

from backend.base import BackendError, BrokeContract, Interrupted, Option, Options, Refused
from backend.sse import SseEvent, SseReader, TooLarge
from backend.statuses import error_in_reply, failure_of
from backend.transport import Answer
from backend.wire import Emit, Get, ReplyReader, Whole
from chat.conversation import SYSTEM_PROMPT, Conversation
from chat.dialects import TextReader, opened_before
from chat.estimate import prompt_tokens
from chat.events import EndReason, ReasoningDelta, Usage
from chat.markers import Markers, Pieces
from chat.think_tags import ThinkTagsReader
from chat.typed_markers import neutralise

MODELS_BYTES = 256 * 1024
REASONS = {
    "stop": EndReason.FINISHED,
    "eos": EndReason.FINISHED,
    "length": EndReason.LENGTH,
    "abort": EndReason.INTERRUPTED,
    "error": EndReason.INTERRUPTED,
    "content_filter": EndReason.WITHHELD,
}
"""Any other finish_reason (tool_calls) leaves the end unknown."""


class OpenAIWire:
    """The contract at `base`, an address that ends in `/v1`."""

    honours = frozenset(Option)

    def __init__(self, base: str, model: str | None, event_bytes: int) -> None:
        self._base = base
        self._asked_for = model
        self._served: str | None = None
        self._base_model: str | None = None
        self._event_bytes = event_bytes
        self._context: int | None = None
        self._unreliable = False

    @property
    def url(self) -> str:
        return f"{self._base}/chat/completions"

    @property
    def model(self) -> str | None:
        return self._asked_for or self._served

    @property
    def base_model(self) -> str | None:
        return self._base_model

    @property
    def context_window(self) -> int | None:
        return self._context

    @property
    def unreliable(self) -> bool:
        return self._unreliable

    def fits(self, conversation: Conversation, room: int) -> bool:
        return prompt_tokens(conversation) <= room

    def question(self, conversation: Conversation, options: Options) -> bytes:
        if options.base and self._base_model is None:
            # It came back without; an answer of the adapter may not stand under the base's name.
            raise Refused("The endpoint does not list the base of its model.")
        # Not every server keeps what is typed apart from its template's control tokens.
        said = [
            {"role": turn.role.value, "content": neutralise(turn.text)}
            for turn in conversation.turns
        ]
        body: dict[str, Any] = {
            "model": (self._base_model if options.base else self.model) or "default",
            "messages": [{"role": "system", "content": SYSTEM_PROMPT}, *said],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": options.max_new_tokens,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "reasoning_effort": options.effort.value,
        }
        if options.seed is not None:
            body["seed"] = options.seed
        return json.dumps(body, ensure_ascii=False).encode()

    def look(self, get: Get) -> None:
        answer = get(f"{self._base.removesuffix('/v1')}/health")
        if answer.status == 404:
            answer.rest()
            answer = self._list(get)
        elif answer.status == 200:
            # At each look: the endpoint may have come back with another model.
            answer.rest()
            answer = self._list(get)
            if answer.status not in (200, 401, 403):
                # It is awake and does not tell its model: `transformers serve` without a cache.
                answer.rest()
                return
        if answer.status != 200:
            raise failure_of(answer)
        answer.rest()

    def _list(self, get: Get) -> Answer:
        answer = get(f"{self._base}/models")
        if answer.status == 200:
            self._learn(answer.body(MODELS_BYTES))
        return answer

    def _learn(self, body: bytes) -> None:
        """The model's name, base and context from a list of models; of a list unread, nothing.

        An adapter's `parent` is its base, in vLLM's list too. Where nobody named a model it is the
        first adapter whose base is listed, else the first model.
        """
        with contextlib.suppress(ValueError, RecursionError, LookupError, TypeError):
            models = cast("list[dict[str, Any]]", json.loads(body)["data"])
            names = [card["id"] for card in models]
            named = [card for card in models if card["id"] == self._asked_for]
            ours = named or [card for card in models if _base_of(card, names)] or models
            self._served = str(ours[0]["id"])
            known = named or not self._asked_for
            self._base_model = _base_of(ours[0], names) if known else None
            context = ours[0].get("max_model_len")
            self._context = context if isinstance(context, int) and context > 0 else None
            self._unreliable = ours[0].get("unreliable") is True

    def reader(self, media_type: str, emit: Emit) -> ReplyReader:
        if media_type in ("text/event-stream", ""):
            return StreamReader(emit, self._event_bytes)
        if media_type == "application/json":
            return WholeReader(emit)
        raise BrokeContract("The endpoint's answer is neither a stream nor JSON.")


def _base_of(card: dict[str, Any], names: list[Any]) -> str | None:
    """The base of an adapter, where that can be asked by a name of its own."""
    parent = card.get("parent")
    return str(parent) if parent and parent in names and parent != card["id"] else None


class _Completion:
    """One reply, from chunks or whole: choices in, events out."""

    def __init__(self, emit: Emit, *, whole: bool = False) -> None:
        self._emit = emit
        self._whole = whole
        self._content: TextReader | ThinkTagsReader = TextReader()
        self._pieces = Pieces()
        self._markers = Markers()
        self._reasonings: list[str] = []
        self._contents: list[str] = []
        self._usage = Usage()
        self.reason: EndReason | None = None

    def take(self, chunk: object, part: str) -> None:
        """`part` is where a choice has its text: `delta` or `message`. Raises `BackendError`."""
        if not isinstance(chunk, dict):
            raise BrokeContract("The endpoint's reply is not an object.")
        fields = cast("dict[str, Any]", chunk)
        if error := fields.get("error"):
            raise error_in_reply(json.dumps(error)) or Interrupted("The endpoint's reply failed.")
        if usage := fields.get("usage"):
            self._usage = _usage(usage)
        choice = _first(fields.get("choices"))
        if choice is None:
            return
        text = choice.get(part)
        if isinstance(text, dict):
            self._text(cast("dict[str, Any]", text))
        reason = choice.get("finish_reason")
        if reason is not None:
            self.reason = REASONS.get(str(reason), EndReason.UNKNOWN)

    def _text(self, delta: dict[str, Any]) -> None:
        # Where both are there, they are one text under its old and its new name.
        reasoning = delta.get("reasoning") or delta.get("reasoning_content")
        content = delta.get("content")
        if not isinstance(reasoning, str | None) or not isinstance(content, str | None):
            raise BrokeContract("The endpoint's text is not text.")
        if reasoning:
            if self._contents:
                self.flush()
            self._reasonings.append(reasoning)
        if content:
            if self._reasonings:
                self.flush()
            self._contents.append(content)

    def flush(self) -> None:
        """Emit the text so far. Not for each chunk: reading one long text costs less."""
        if self._reasonings:
            parts = self._markers.feed(self._pieces.feed("".join(self._reasonings)))
            if text := "".join(" " if marker else text for text, marker in parts):
                self._emit(ReasoningDelta(text))
        if self._contents:
            text = "".join(self._contents)
            if self._whole and opened_before(text):
                self._content = ThinkTagsReader(opened=True)
            for event in self._content.feed(text):
                self._emit(event)
        self._reasonings, self._contents = [], []

    def finish(self, reason: EndReason) -> None:
        self.flush()
        if rest := self._markers.flush():
            self._emit(ReasoningDelta(rest))
        for event in self._content.finish(reason, self._usage):
            self._emit(event)


class StreamReader:
    """A streamed reply. Its end is `[DONE]`, or a finish_reason before the body's end."""

    def __init__(self, emit: Emit, event_bytes: int) -> None:
        self._sse = SseReader(event_bytes, event_bytes)
        self._completion = _Completion(emit)
        self._last: tuple[str, str] | None = None
        self.done = False

    def feed(self, piece: bytes) -> bool:
        try:
            return self._read(self._sse.feed(piece))
        except TooLarge:
            raise BrokeContract("The endpoint sent an event without end.") from None
        finally:
            self._completion.flush()

    def _read(self, events: list[SseEvent]) -> bool:
        for event in events:
            if event.own_id:
                if (event.id, event.data) == self._last:
                    continue  # sent again, by whatever stands between
                self._last = (event.id, event.data)
            if event.data == "[DONE]":
                self.done = True
                return True
            self._completion.take(_parsed(event.data), "delta")
        return bool(events)

    def finish(self) -> None:
        reason = self._completion.reason
        if reason is None and not self.done:
            raise Interrupted("The endpoint's stream ended without its end.")
        self._completion.finish(reason or EndReason.UNKNOWN)

    def cut(self, error: BackendError) -> None:
        if self._completion.reason is None and not self.done:
            raise error
        self.finish()


class WholeReader:
    """A whole completion, in answer to a request for a stream."""

    def __init__(self, emit: Emit) -> None:
        self._completion = _Completion(emit, whole=True)
        self._body = Whole()
        self.done = False

    def feed(self, piece: bytes) -> bool:
        self._body.add(piece)
        return True

    def finish(self) -> None:
        reply = _parsed(self._body.text)
        if not isinstance(reply, dict) or not ({"choices", "error"} & reply.keys()):
            raise BrokeContract("The endpoint's JSON is not a completion.")
        self._completion.take(cast(object, reply), "message")
        self._completion.finish(self._completion.reason or EndReason.UNKNOWN)

    def cut(self, error: BackendError) -> None:
        raise error


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BrokeContract("The endpoint's JSON cannot be read.") from None


def _first(choices: object) -> dict[str, Any] | None:
    """The choice of index 0: we ask for one."""
    if not isinstance(choices, list):
        return None
    for choice in cast("list[object]", choices):
        if isinstance(choice, dict):
            fields = cast("dict[str, Any]", choice)
            if fields.get("index", 0) == 0:
                return fields
    return None


def _usage(usage: object) -> Usage:
    if not isinstance(usage, dict):
        return Usage()
    fields = cast("dict[str, Any]", usage)
    details = fields.get("completion_tokens_details")
    inner = cast("dict[str, Any]", details) if isinstance(details, dict) else {}

    def count(value: object) -> int | None:
        return value if isinstance(value, int) and 0 <= value < 10**9 else None

    return Usage(
        prompt_tokens=count(fields.get("prompt_tokens")),
        completion_tokens=count(fields.get("completion_tokens")),
        reasoning_tokens=count(inner.get("reasoning_tokens")),
    )
