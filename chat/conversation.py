"""What was said so far, and what of it may reach a model.

A browser's history is untrusted. `Conversation.from_untrusted` keeps user and assistant text
only; reasoning, notices and unfinished answers are never kept, and no role but these two exists
here. The one system text there is, `SYSTEM_PROMPT`, is the server's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import cast

from chat.invisible import clean

SYSTEM_PROMPT = (
    "You are a medical reasoning assistant for education and research. Think through the "
    "question step by step, then give a clear and careful answer. Say what is uncertain. You "
    "do not replace a clinician: for a personal health problem, advise seeing one, and for "
    "signs of an emergency, advise calling the local emergency number at once."
)

MAX_QUESTION_CHARS = 8_000
MAX_TURNS = 40
MAX_HISTORY_CHARS = 48_000

ANSWER = "answer"
"""Mark on a finished answer in the page's history: the only assistant text a model sees again."""


class QuestionError(ValueError):
    """A question that cannot be asked as it stands."""


class EmptyQuestion(QuestionError):
    """Nothing readable was typed."""


class QuestionTooLong(QuestionError):
    """Longer than `MAX_QUESTION_CHARS`; it is refused, never cut."""

    def __init__(self, length: int, limit: int) -> None:
        super().__init__(f"{length} of {limit} characters")
        self.length = length
        self.limit = limit


class AnswerTooLong(QuestionError):
    """An answer that is to be gone on with, and is longer than all that a model is ever told."""


class Role(Enum):
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Turn:
    role: Role
    text: str
    joined: tuple[str, ...] = ()
    """Where it joins several texts of one role, such as questions without an answer: each."""


# Letters that are drawn as nothing: no question has these alone.
_BLANK = re.compile("[\\s\u061c\u200c-\u200f\u115f\u1160\u3164\uffa0\u2800]*")


def question(text: str, limit: int = MAX_QUESTION_CHARS) -> str:
    """What was typed, cleaned and ready to be asked.

    Raises `EmptyQuestion` and `QuestionTooLong`.
    """
    text = clean(text).strip()
    if _BLANK.fullmatch(text):
        raise EmptyQuestion
    if len(text) > limit:
        raise QuestionTooLong(len(text), limit)
    return text


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns that alternate, oldest first, beginning and ending with the user's."""

    turns: tuple[Turn, ...]
    begun: str = ""
    """What the model wrote of its answer to the last question before it was cut off, to go on from.
    Empty where it is to begin, and always for a backend whose `info.continues` is false."""
    left_out: int = 0
    """How many questions, the oldest, are not in it any more, with what was answered to them."""

    def __post_init__(self) -> None:
        roles = [turn.role for turn in self.turns]
        expected = [Role.USER if i % 2 == 0 else Role.ASSISTANT for i in range(len(roles))]
        if not roles or roles != expected or roles[-1] is not Role.USER:
            raise ValueError("a conversation alternates, from a user's turn to a user's turn")

    @classmethod
    def ask(cls, text: str) -> Conversation:
        """A conversation of one question. Raises `QuestionError`."""
        return cls((Turn(Role.USER, question(text)),))

    @classmethod
    def from_untrusted(cls, history: object, text: str, begun: str = "") -> Conversation:
        """The new question `text` after whatever of `history` may be kept.

        `history` is what a browser claims was said: a list of messages with a role, content (a
        string or a list of typed parts) and metadata. Anything else is dropped, the oldest
        turns first where there is too much. A question whose answer was not finished stays,
        joined with the user's next one. `begun` is what there is of an answer to go on with.
        Raises `QuestionError` for the new question and for `begun` only.
        """
        asked, begun = Turn(Role.USER, question(text)), clean(begun).strip()
        if len(begun) > MAX_HISTORY_CHARS:
            raise AnswerTooLong
        kept: list[Turn] = []
        left_out = 0
        room = MAX_HISTORY_CHARS
        messages = reversed(_messages(history))
        for message in messages:
            turn = _turn(message)
            if turn is None:
                continue
            room -= len(turn.text)
            if room < 0 or len(kept) >= MAX_TURNS:
                left_out = sum(map(_asks, [message, *messages]))
                break
            kept.append(turn)
        return cls(_alternate([*reversed(kept), asked]), begun, left_out)

    def shorter(self) -> Conversation | None:
        """The same without its oldest question and what was answered to it; None where it has one
        question only."""
        first, *rest = self.turns
        if len(first.joined) > 1:
            turns = (_joined(first.role, first.joined[1:]), *rest)
        elif rest:
            turns = tuple(rest[1:])
        else:
            return None
        return replace(self, turns=turns, left_out=self.left_out + 1)

    @property
    def question(self) -> str:
        """The last thing the user said."""
        return self.turns[-1].text


def _messages(history: object) -> Sequence[object]:
    # Looking at more than this many would only be a favour to somebody forging them.
    if not isinstance(history, list):
        return []
    return cast("list[object]", history)[-20 * MAX_TURNS :]


def _turn(message: object) -> Turn | None:
    if not isinstance(message, Mapping):
        return None
    fields = cast("Mapping[object, object]", message)
    text = clean(_text(fields.get("content"))).strip()
    if _BLANK.fullmatch(text):
        return None
    match fields.get("role"):
        case "user":
            return Turn(Role.USER, text)
        case "assistant":
            metadata = fields.get("metadata")
            if not isinstance(metadata, Mapping):
                return None
            marks = cast("Mapping[object, object]", metadata)
            finished = marks.get("id") == ANSWER and not marks.get("title")
            return Turn(Role.ASSISTANT, text) if finished else None
        case _:
            return None


def _asks(message: object) -> bool:
    if not isinstance(message, Mapping):
        return False
    return cast("Mapping[object, object]", message).get("role") == "user"


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts: list[str] = []
    for part in cast("list[object]", content):
        if isinstance(part, Mapping):
            fields = cast("Mapping[object, object]", part)
            text = fields.get("text")
            if fields.get("type") == "text" and isinstance(text, str):
                parts.append(text)
    return "\n".join(parts)


def _alternate(turns: list[Turn]) -> tuple[Turn, ...]:
    """Join neighbours of one role, and drop what an assistant says before the first question."""
    joined: list[Turn] = []
    for turn in turns:
        if joined and joined[-1].role is turn.role:
            before = joined[-1]
            joined[-1] = _joined(turn.role, (*(before.joined or (before.text,)), turn.text))
        elif joined or turn.role is Role.USER:
            joined.append(turn)
    return tuple(joined)


def _joined(role: Role, texts: tuple[str, ...]) -> Turn:
    return Turn(role, "\n\n".join(texts), texts if len(texts) > 1 else ())
