"""A conversation that is longer than the model can read: its oldest questions leave.

The system prompt is no part of a conversation and never leaves; nor does the last question.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

from chat.conversation import Conversation


def fit(conversation: Conversation, fits: Callable[[Conversation], bool]) -> Conversation:
    """The most of `conversation` that `fits`; its last question alone where nothing does.

    `fits` may be dear: it is asked a few times, however long the conversation is.
    """
    if fits(conversation):
        return conversation
    shorter: list[Conversation] = []
    one = conversation.shorter()
    while one is not None:
        shorter.append(one)
        one = one.shorter()
    if not shorter:
        return conversation
    return shorter[min(bisect_left(shorter, True, key=fits), len(shorter) - 1)]
