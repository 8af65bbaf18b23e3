"""The fold of a stream's events into what is known of the reply so far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never

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

NOTHING_COUNTED = Usage()


class Phase(Enum):
    """What the reply is doing now."""

    WAITING = "waiting"
    THINKING = "thinking"
    ANSWERING = "answering"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, at one moment. Immutable: `apply` gives the next one.

    All times are seconds on one monotonic clock, the one whose reading is passed to `apply`.
    """

    started: float
    reasoning: str = ""
    answer: str = ""
    waiting: Waiting | None = None
    """The wait in progress, if the last event was one."""
    reasoning_at: float | None = None
    answer_at: float | None = None
    ended_at: float | None = None
    end: EndReason | None = None
    usage: Usage = NOTHING_COUNTED
    left_out: int = 0
    """Questions, the oldest of the conversation, that the model was not given to read."""
    begun: int = 0
    """Characters of the answer that were there before: this reply goes on with it."""
    withheld_chars: int = 0
    """Characters that were written and taken back; they cost what others cost."""

    @classmethod
    def going_on(cls, started: float, answer: str) -> Reply:
        """One that goes on with `answer`, which was cut off."""
        return cls(started, answer=answer, begun=len(answer))

    def apply(self, event: Event, now: float) -> Reply:
        """The reply after `event`, seen at `now`. Events after the end change nothing."""
        if self.end is not None:
            return self
        match event:
            case Waiting():
                return replace(self, waiting=event)
            case Shortened(questions):
                return replace(self, left_out=questions)
            case ReasoningDelta(text):
                return replace(
                    self,
                    reasoning=self.reasoning + text,
                    waiting=None,
                    reasoning_at=now if self.reasoning_at is None else self.reasoning_at,
                )
            case AnswerDelta(text):
                return replace(
                    self,
                    answer=self.answer + text,
                    waiting=None,
                    answer_at=now if self.answer_at is None else self.answer_at,
                )
            case Ended(reason, usage):
                return replace(self, waiting=None, ended_at=now, end=reason, usage=usage)
            case _:
                assert_never(event)

    def withheld(self, now: float) -> Reply:
        """The reply without its text, ended at `now`: what it said is not to be passed on."""
        return replace(
            self,
            withheld_chars=self.withheld_chars + len(self.reasoning) + len(self.answer),
            reasoning="",
            answer="",
            waiting=None,
            ended_at=now if self.ended_at is None else self.ended_at,
            end=EndReason.WITHHELD,
        )

    @property
    def phase(self) -> Phase:
        if self.end is not None:
            return Phase.ENDED
        if self.answer_at is not None:
            return Phase.ANSWERING
        if self.reasoning_at is not None:
            return Phase.THINKING
        return Phase.WAITING

    @property
    def complete(self) -> bool:
        """Whether the answer may be relied on as the whole of what the model had to say."""
        return self.end is EndReason.FINISHED and bool(self.answer.strip())

    @property
    def time_to_first_token(self) -> float | None:
        """Seconds from the question to the first piece of text, waits and queue included."""
        firsts = [at for at in (self.reasoning_at, self.answer_at) if at is not None]
        return min(firsts) - self.started if firsts else None

    def thought_for(self, now: float) -> float | None:
        """Seconds of reasoning so far, or in all once the answer has begun or the reply ended."""
        if self.reasoning_at is None:
            return None
        until = self.answer_at if self.answer_at is not None else self.ended_at
        return max(0.0, (now if until is None else until) - self.reasoning_at)

    @property
    def tokens_per_second(self) -> float | None:
        """Decode speed: tokens after the first over the time from the first to the end.

        None until the reply has ended, and where the source counted nothing.
        """
        first, tokens = self.time_to_first_token, self.usage.completion_tokens
        if first is None or self.ended_at is None or tokens is None or tokens < 2:
            return None
        seconds = self.ended_at - (self.started + first)
        return (tokens - 1) / seconds if seconds > 0 else None
