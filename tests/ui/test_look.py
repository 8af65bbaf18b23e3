"""What the page's look at a conversation finds, whatever its length."""

from __future__ import annotations

import pytest

from chat.conversation import MAX_QUESTION_CHARS, MAX_TURNS
from safety.finding import Level
from ui import alarm, panels
from ui.panels import Message

CRISIS = "I want to kill myself tonight."
EMERGENCY = "I have crushing chest pain going down my left arm and I am sweating."
BENIGN = "What does a spleen do?"


def replied(text: str) -> list[Message]:
    """A conversation of one question and its fixed reply, of a model that is not to be trusted."""
    asked = [panels.question(text)]
    shown = alarm.reply(alarm.look([], text), asked, unreliable=True, page="en")
    assert shown is not None
    return panels.history(shown)


@pytest.mark.parametrize(("text", "level"), [(CRISIS, Level.CRISIS), (EMERGENCY, Level.EMERGENCY)])
@pytest.mark.parametrize(("turns", "length"), [(MAX_TURNS + 1, 1), (7, 130)])
def test_what_was_found_holds_when_the_conversation_outgrows_what_is_read_of_it(
    text: str, level: Level, turns: int, length: int
) -> None:
    later = (BENIGN + " ") * length * 2
    history = [*replied(text), *(panels.question(later[:MAX_QUESTION_CHARS]) for _ in range(turns))]
    found = alarm.look(history, BENIGN)
    assert found.level is level
    assert found.emergency is (level is Level.EMERGENCY)
    assert (
        alarm.reply(found, [*history, panels.question(BENIGN)], unreliable=True, page="en")
        is not None
    )
    assert alarm.look(history[2:], BENIGN).level is Level.NONE  # as after an edit of the first


@pytest.mark.parametrize("before", ["", "x " * 3 * MAX_QUESTION_CHARS])
def test_both_ends_of_a_question_that_is_too_long_are_read(before: str) -> None:
    text = f"{before}{CRISIS}{' y' * MAX_QUESTION_CHARS if not before else ''}"
    assert alarm.look([], text).level is Level.CRISIS


@pytest.mark.parametrize("text", ["", "y " * MAX_QUESTION_CHARS])
def test_a_question_that_cannot_be_asked_leaves_what_was_said_before(text: str) -> None:
    assert alarm.look([panels.question(EMERGENCY)], text).level is Level.EMERGENCY
