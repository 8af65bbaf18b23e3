"""What the two contracts of an endpoint have in common: see `openai_wire` and `legacy_wire`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from backend.base import BackendError, BrokeContract, Option, Options
from backend.transport import Answer
from chat.conversation import Conversation
from chat.events import Event

Emit = Callable[[Event], None]
Get = Callable[[str], Answer]
"""The answer's head to a GET of an address, redirects followed. Raises `Failure`."""


WHOLE_BYTES = 4 * 1024 * 1024
"""Of a reply that comes in one piece of JSON: twice the longest, for its escapes."""


class Whole:
    """A body that means nothing before its end."""

    def __init__(self) -> None:
        self._body = bytearray()

    def add(self, piece: bytes) -> None:
        """Raises `BrokeContract` for more than a reply can be."""
        self._body += piece
        if len(self._body) > WHOLE_BYTES:
            raise BrokeContract("The endpoint sent more than a reply can be.")

    @property
    def text(self) -> str:
        return self._body.decode("utf-8", "replace")


class ReplyReader(Protocol):
    """Reads one reply's body as it comes, and emits events."""

    @property
    def done(self) -> bool:
        """Whether the reply said that it is over, whatever may still follow."""
        ...

    def feed(self, piece: bytes) -> bool:
        """Whether `piece` completed any data of the reply. Raises `BackendError`."""
        ...

    def finish(self) -> None:
        """The body ended: emits what is left and the `Ended`, or raises `BackendError`."""
        ...

    def cut(self, error: BackendError) -> None:
        """The body broke off with `error`: raises it, or another, unless nothing is missing."""
        ...


class Wire(Protocol):
    """How an endpoint is asked, and how its replies are read."""

    honours: frozenset[Option]

    @property
    def url(self) -> str:
        """Where a question is posted."""
        ...

    @property
    def model(self) -> str | None:
        """The model's name, where it is known."""
        ...

    @property
    def base_model(self) -> str | None:
        """The name of the same model without its adapter, where the endpoint lists both."""
        ...

    @property
    def context_window(self) -> int | None:
        """Tokens, where the endpoint told."""
        ...

    @property
    def unreliable(self) -> bool:
        """Whether the endpoint says that its model is too small to be trusted at all."""
        ...

    def fits(self, conversation: Conversation, room: int) -> bool:
        """Whether it can be asked in a prompt of `room` tokens; an estimate where nobody counts."""
        ...

    def question(self, conversation: Conversation, options: Options) -> bytes:
        """The body of the POST. Raises `TooLong`, and `Refused` for a base there is none of."""
        ...

    def look(self, get: Get) -> None:
        """Whether the endpoint is awake: returns if so. Raises `Failure`."""
        ...

    def reader(self, media_type: str, emit: Emit) -> ReplyReader:
        """For a body of this type. Raises `BrokeContract` for one that is no reply."""
        ...
