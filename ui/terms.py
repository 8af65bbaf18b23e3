"""On what terms a reply was asked for, and what of the model's context it then fills."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backend.base import BackendInfo, Options
from chat import estimate
from chat.reply import Reply


@dataclass(frozen=True, slots=True)
class Terms:
    """`options` are those that the backend was given."""

    options: Options
    conversation: int | None = None
    """Tokens of all that the model was to read, an estimate; None for a reply that stands alone,
    and that nothing follows."""
    asked: datetime | None = None
    """When, in UTC; None where nobody is to know."""

    @property
    def alone(self) -> bool:
        return self.conversation is None


@dataclass(frozen=True, slots=True)
class Filled:
    """The `share`, 0 to 1 and more, of what a model can read; `counted`, or an estimate."""

    share: float
    counted: bool


def filled(reply: Reply, info: BackendInfo, terms: Terms) -> Filled | None:
    """What the conversation fills with this reply in it; None where nobody can tell.

    All that there is to fill is the context without the room of the next reply.
    """
    room = info.room(terms.options)
    if terms.conversation is None or not info.window_known or room <= 0:
        return None
    counted = reply.usage.prompt_tokens is not None
    prompt = reply.usage.prompt_tokens or terms.conversation
    return Filled((prompt + _answer(reply)) / room, counted)


def _answer(reply: Reply) -> int:
    """Tokens of what the next question brings along: a finished answer, without its reasoning."""
    if not reply.complete:
        return 0
    written, thought = reply.usage.completion_tokens, reply.usage.reasoning_tokens
    if written is None or thought is None:
        return estimate.tokens(reply.answer[reply.begun :])
    return max(0, written - thought)
