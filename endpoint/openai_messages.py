"""OpenAI's messages -> a `Conversation`.

The backend writes its own system prompt, and only the server writes system text. So a system (or
developer) message that is that prompt is dropped; any other is the client's words, and is read as
the user's, joined with the user's text after it. Neighbours of one role are joined. The reasoning
that clients send back with an assistant's message is dropped: it never enters a prompt.
"""

from __future__ import annotations

from typing import Any, cast

from chat.conversation import (
    SYSTEM_PROMPT,
    Conversation,
    EmptyQuestion,
    QuestionTooLong,
    Role,
    Turn,
    question,
)
from endpoint.openai_fields import unknown
from endpoint.refusal import Refusal, bad_request

MAX_CHARS = 100_000
"""Of all messages together. What a backend's context holds is the backend's to say."""

_ROLES = {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "system": Role.USER,
    "developer": Role.USER,
}
_SYSTEM = ("system", "developer")
_DROPPED = ("reasoning", "reasoning_content")
_NOTHING = (
    "name",
    "refusal",
    "annotations",
    "audio",
    "tool_calls",
    "function_call",
    "tool_call_id",
)
"""Fields of a message that must be empty: a reply does not depend on them here."""


def read_messages(value: object) -> Conversation:
    """The conversation that `messages` is. Raises `Refusal`, which names the place."""
    if not isinstance(value, list) or not value:
        raise bad_request("messages must be a list with a message in it.", "messages")
    turns: list[Turn] = []
    room = MAX_CHARS
    role = ""
    for index, message in enumerate(cast("list[object]", value)):
        role, text = _message(message, f"messages[{index}]")
        room -= len(text)
        if room < 0:
            raise _too_long()
        if role not in _SYSTEM or text != SYSTEM_PROMPT:
            _join(turns, Turn(_ROLES[role], text))
    if role != "user":
        raise bad_request("The last message must be the user's.", "messages")
    if turns[0].role is not Role.USER:
        raise bad_request("The first message must not be the assistant's.", "messages")
    return Conversation(tuple(turns))


def _join(turns: list[Turn], turn: Turn) -> None:
    if turns and turns[-1].role is turn.role:
        turns[-1] = Turn(turn.role, turns[-1].text + "\n\n" + turn.text)
    else:
        turns.append(turn)


def _message(message: object, where: str) -> tuple[str, str]:
    """The role and the text of a message."""
    if not isinstance(message, dict):
        raise bad_request(f"{where} must be an object.", where)
    fields = cast("dict[str, Any]", message)
    role = fields.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        known = ", ".join(_ROLES)
        raise bad_request(f"{where}.role must be one of: {known}.", f"{where}.role")
    for name, value in fields.items():
        if name in _NOTHING:
            if value:
                raise _unsupported(f"{where}.{name}")
        elif name not in ("role", "content", *_DROPPED):
            raise unknown(name, f"{where}.")
    try:
        return role, question(_content(fields.get("content"), f"{where}.content"), MAX_CHARS)
    except EmptyQuestion:
        raise bad_request(f"{where}.content is empty.", f"{where}.content") from None
    except QuestionTooLong:
        raise _too_long() from None


def _too_long() -> Refusal:
    return bad_request(
        f"messages hold more than {MAX_CHARS} characters.", "messages", "context_length_exceeded"
    )


def _content(content: object, where: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise bad_request(f"{where} must be a text or a list of text parts.", where)
    parts = cast("list[object]", content)
    return "\n".join(_part(part, f"{where}[{index}]") for index, part in enumerate(parts))


def _part(part: object, where: str) -> str:
    if not isinstance(part, dict):
        raise bad_request(f"{where} must be an object.", where)
    fields = cast("dict[str, Any]", part)
    text = fields.get("text")
    if fields.get("type") != "text":
        raise _unsupported(f"{where}.type")
    if not isinstance(text, str):
        raise bad_request(f"{where}.text must be a text.", f"{where}.text")
    if extra := fields.keys() - {"type", "text"}:
        raise unknown(min(extra), f"{where}.")
    return text


def _unsupported(where: str) -> Refusal:
    return bad_request(f"{where}: only text is taken here.", where, "unsupported_parameter")
