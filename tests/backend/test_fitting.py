"""As much of a conversation as a model has room for."""

from __future__ import annotations

import pytest

from backend.fitting import fit
from chat.conversation import Conversation, Role, Turn

ASKED = 20


def conversation() -> Conversation:
    turns = (Turn((Role.USER, Role.ASSISTANT)[n % 2], str(n)) for n in range(2 * ASKED - 1))
    return Conversation(tuple(turns))


@pytest.mark.parametrize("kept", range(1, ASKED + 1))
def test_the_most_that_fits_is_kept_and_little_is_tried(kept: int) -> None:
    tried: list[Conversation] = []

    def fits(each: Conversation) -> bool:
        tried.append(each)
        return ASKED - each.left_out <= kept

    fitted = fit(conversation(), fits)
    assert fitted.left_out == ASKED - kept
    assert fitted.question == conversation().question
    assert len(tried) <= 6


def test_where_nothing_fits_the_last_question_is_left() -> None:
    assert len(fit(conversation(), lambda each: False).turns) == 1
