"""What a backend says while it answers: one frozen class for each kind of event."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Stage(Enum):
    """What a wait is waiting for."""

    QUEUED = "queued"  # other visitors are being answered
    FETCHING = "fetching"  # the model's file is being downloaded
    LOADING = "loading"  # the weights are being read
    ADAPTING = "adapting"  # the adapter is being merged into them
    WARMING = "warming"  # the first tokens are being computed, for nobody
    CONNECTING = "connecting"  # the endpoint is being reached
    WAKING = "waking"  # the endpoint sleeps and is being started
    READING = "reading"  # prefill: the prompt is being read
    GENERATING = "generating"  # the model is at work, but nothing came since the last event


class EndReason(Enum):
    """How a reply ended. A truncated reply is not a short reply."""

    FINISHED = "finished"  # the model closed its answer
    LENGTH = "length"  # the token budget or the context ran out
    STOPPED = "stopped"  # the visitor stopped it
    INTERRUPTED = "interrupted"  # it began, then broke
    WITHHELD = "withheld"  # it said what is not passed on, and was ended for that
    UNKNOWN = "unknown"  # the source ended without saying how


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the source reports them; None where it reports nothing."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    """Everything generated, reasoning included."""
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing to show yet. Sent at least every 0.5 s of silence, so that a stop is noticed."""

    stage: Stage
    elapsed: float
    """Seconds since this stage began."""
    place: int | None = None
    """Place in the queue, 1 being next; only with `Stage.QUEUED`."""
    fraction: float | None = None
    """Share done, 0 to 1, where it is known (fetching, reading)."""


@dataclass(frozen=True, slots=True)
class Shortened:
    """The conversation has no room in the model, and its beginning is left out of the prompt.

    Comes before any text. Where it comes twice, more had to go, and the later one holds.
    """

    questions: int
    """How many in all, the oldest, are left out with what was answered to them."""


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of the reasoning trace (harmony's `analysis` channel). Never an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """More of the answer (harmony's `final` channel)."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event of every stream that did not raise; exactly one."""

    reason: EndReason
    usage: Usage = Usage()


Event = Waiting | Shortened | ReasoningDelta | AnswerDelta | Ended
