"""How many tokens a text is, where nobody counted them: an estimate, and to be called one."""

from __future__ import annotations

from chat.conversation import SYSTEM_PROMPT, Conversation

BYTES_PER_TOKEN = 4
"""Of UTF-8. About right for English in the vocabularies that are common; other languages have fewer
letters to a token, and more bytes to a letter."""
AROUND = 8
"""Tokens that a chat template puts around one message."""


def tokens(text: str) -> int:
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def prompt_tokens(conversation: Conversation) -> int:
    """Of all that a model reads before it writes, our system prompt included."""
    texts = [SYSTEM_PROMPT, *(turn.text for turn in conversation.turns), conversation.begun]
    return sum(tokens(text) + AROUND for text in texts)
