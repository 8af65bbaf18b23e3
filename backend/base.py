"""The seam: what every backend is, what it may raise, and nothing of how it works.

    BackendError              what went wrong, grouped by what the person can do next
      NotReady                waking, loading, fetching failed  -> wait, or do what it says
      Busy                    the queue is full                 -> try again in a moment
      Refused                 not allowed, not understood       -> change something
        TooLong               more than the model's context     -> ask something shorter
      Unreachable             no connection                     -> check the address
      TooSlow                 it did not answer in time         -> try again later
      Interrupted             it began, then broke              -> read what arrived, marked
      BrokeContract           not what was agreed               -> report a bug

`str(error)` is for the owner's terminal: it names no secret and nothing that was said. What a
visitor reads for each class stands in `ui/words/`.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

from chat.conversation import Conversation
from chat.events import Event, Stage


class BackendError(Exception):
    """A reply could not be had, or not to its end."""


class NotReady(BackendError):
    """The model is not loaded, and waiting in this call would not change it."""


class Busy(BackendError):
    """Too many people are asking. `retry_after` is in seconds, where it is known."""

    def __init__(self, message: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Refused(BackendError):
    """The backend will not answer this, and asking again the same way changes nothing."""


class TooLong(Refused):
    """The conversation does not fit the model's context; with `shorten`, its last question."""


class Unreachable(BackendError):
    """No connection to the backend."""


class TooSlow(BackendError):
    """It was reached, and a time limit of ours ran out."""


class Interrupted(BackendError):
    """The reply began and then broke; what arrived before is all there is."""


class BrokeContract(BackendError):
    """The other side, or our own code, did what it must never do."""


@dataclass(frozen=True, slots=True)
class Asleep:
    """Not known to run; the next question, or `wake`, finds out and wakes it."""


@dataclass(frozen=True, slots=True)
class Waking:
    """On its way. `since` is a reading of `time.monotonic()`; `fraction` is 0 to 1 or unknown."""

    since: float
    stage: Stage
    fraction: float | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """A question would be answered now."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot answer, and why."""

    error: BackendError


Status = Asleep | Waking | Ready | Failed


class Effort(Enum):
    """How much the model is asked to think; gpt-oss's reasoning levels."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Option(Enum):
    """What a visitor may set, if the backend honours it."""

    EFFORT = "effort"
    MAX_NEW_TOKENS = "max_new_tokens"
    TEMPERATURE = "temperature"
    TOP_P = "top_p"
    SEED = "seed"


@dataclass(frozen=True, slots=True)
class Options:
    """How to answer. A backend ignores what its `info` does not list as honoured."""

    effort: Effort = Effort.MEDIUM
    max_new_tokens: int = 1_024
    """Reasoning and answer together."""
    temperature: float = 0.7
    top_p: float = 1.0
    seed: int | None = None
    base: bool = False
    """Whether the model answers without its adapter; only where `info.base` names one."""
    shorten: bool = False
    """Whether the oldest questions may be left out of a conversation that has no room, so that the
    reply has all of its `max_new_tokens`. Else it is refused where there is no room at all."""

    def within(self, info: BackendInfo) -> Options:
        """These options inside what `info` allows; numbers are clamped, never refused."""
        return replace(
            self,
            max_new_tokens=min(max(self.max_new_tokens, MIN_NEW_TOKENS), info.max_new_tokens),
            temperature=min(max(self.temperature, 0.0), 2.0),
            top_p=min(max(self.top_p, 0.01), 1.0),
        )


MIN_NEW_TOKENS = 64
"""Fewer leave no room for both channels."""


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """What a backend is, known without loading anything."""

    name: str
    """The value of BACKEND that opens it."""
    model: str
    """As a person would name it."""
    revision: str
    context_window: int
    """Tokens, prompt and reply together, for one conversation."""
    max_new_tokens: int
    honours: frozenset[Option]
    defaults: Options = Options()
    unreliable: bool = False
    """Whether the model is too small for its content to be trusted at all; the page says so."""
    base: str | None = None
    """The name of the same model without its adapter, where that can be asked too."""
    base_revision: str = ""
    window_known: bool = True
    """Whether `context_window` is more than a guess."""
    continues: bool = False
    """Whether it goes on with an answer that was begun (`Conversation.begun`)."""
    adapter: str = ""
    """The adapter that is applied, as `name@revision` where its revision is known; "" where none
    is, or none that is known of."""

    def room(self, options: Options) -> int:
        """Tokens that a prompt may have, so that a reply has the room that `options` ask for."""
        reply = options.max_new_tokens if Option.MAX_NEW_TOKENS in self.honours else 0
        return self.context_window - reply


def versioned(name: str, revision: str) -> str:
    """`name@revision`, or the name alone where no revision is known."""
    return f"{name}@{revision}" if revision else name


TICK = 0.25
"""Seconds between two `Waiting`s of a silence; `Backend` asks for 0.5 at most."""

EventStream = Generator[Event, None, None]
"""Ends with exactly one `Ended`, or raises a `BackendError`. Closing it stops the work."""


class Backend(Protocol):
    """Where replies come from.

    `stream` yields typed events, reasoning and answer apart, and a `Waiting` at least every
    0.5 s of silence. Closing the generator releases everything within 1 s in every state. It
    may be called from several threads at once; each stream is used by one thread. Where questions
    of the conversation are left out, `Shortened` says so before any text; an answer that was begun
    is gone on with by its new text alone, or `Refused` where `info.continues` is false.
    """

    @property
    def info(self) -> BackendInfo: ...

    def status(self) -> Status:
        """Answers at once, from what is known; never touches a network."""
        ...

    def stream(self, conversation: Conversation, options: Options) -> EventStream: ...

    def wake(self) -> None:
        """Begin what makes it ready, where it sleeps. Returns at once; does nothing elsewhere."""
        ...

    def close(self) -> None:
        """Stop every stream and free what is held. Safe to call twice."""
        ...
