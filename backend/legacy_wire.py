"""The legacy JSON contract of the endpoint that is deployed already: one message, one reply.

No history, no streaming, no options. A reply's text is read by `chat.dialects.read_whole`.
"""

from __future__ import annotations

import json
from typing import Any, cast

from backend.base import BackendError, BrokeContract, Interrupted, Option, Options, TooLong
from backend.statuses import error_in_reply, failure_of
from backend.wire import Emit, Get, ReplyReader, Whole
from chat.conversation import Conversation, Role
from chat.dialects import read_whole
from chat.estimate import BYTES_PER_TOKEN
from chat.typed_markers import neutralise

MAX_MESSAGE_CHARS = 8_000
"""Of the whole message, as long as one question may be: nothing longer was ever promised."""
CONTEXT_WINDOW = MAX_MESSAGE_CHARS // BYTES_PER_TOKEN
"""The same in tokens, an estimate."""

ASLEEP_OR_WRONG = frozenset({401, 403, 404, 408, 410, 429})
"""The client errors that a GET gets from what is not an endpoint that would take a POST."""

_BEFORE = "Earlier in this conversation:"
_NOW = "The question now:"
_WHO = {Role.USER: "Question", Role.ASSISTANT: "Answer"}


class LegacyWire:
    """The contract at `url`."""

    honours: frozenset[Option] = frozenset()
    model: str | None = None
    base_model: str | None = None
    context_window: int | None = CONTEXT_WINDOW
    unreliable = False

    def __init__(self, url: str) -> None:
        self.url = url

    def fits(self, conversation: Conversation, room: int) -> bool:
        # What it takes is told in characters, and these are counted.
        return len(fold(conversation)) <= room * BYTES_PER_TOKEN

    def question(self, conversation: Conversation, options: Options) -> bytes:
        message = fold(conversation)
        if len(message) > MAX_MESSAGE_CHARS:
            raise TooLong("The conversation is longer than the endpoint takes.")
        return json.dumps({"message": message}, ensure_ascii=False).encode()

    def look(self, get: Get) -> None:
        answer = get(self.url)
        status = answer.status
        if 200 <= status < 300 or (400 <= status < 500 and status not in ASLEEP_OR_WRONG):
            answer.rest()
            return
        raise failure_of(answer)

    def reader(self, media_type: str, emit: Emit) -> ReplyReader:
        if media_type not in ("application/json", ""):
            raise BrokeContract("The endpoint's answer is not JSON.")
        return LegacyReader(emit)


class LegacyReader:
    """A whole reply: `response`, or `error`, which wins over it."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._body = Whole()
        self.done = False

    def feed(self, piece: bytes) -> bool:
        self._body.add(piece)
        return True

    def finish(self) -> None:
        try:
            reply: Any = json.loads(self._body.text)
        except (ValueError, RecursionError):
            raise BrokeContract("The endpoint's JSON cannot be read.") from None
        if not isinstance(reply, dict):
            raise BrokeContract("The endpoint's reply is not an object.")
        fields = cast("dict[str, Any]", reply)
        if error := fields.get("error"):
            raise error_in_reply(str(error)) or Interrupted("The endpoint's reply failed.")
        response = fields.get("response")
        if not isinstance(response, str):
            raise BrokeContract("The endpoint's reply has no text.")
        for event in read_whole(response):
            self._emit(event)

    def cut(self, error: BackendError) -> None:
        # Half of a JSON object is no part of an answer.
        if isinstance(error, Interrupted):
            raise BrokeContract("The endpoint's reply broke off.")
        raise error


def fold(conversation: Conversation) -> str:
    """The conversation as one message."""
    *before, asked = (neutralise(turn.text) for turn in conversation.turns)
    if not before:
        return asked
    who = [_WHO[turn.role] for turn in conversation.turns]
    lines = [f"{name}: {text}" for name, text in zip(who, before, strict=False)]
    return "\n\n".join([_BEFORE, *lines, _NOW, asked])
