"""Row 70 in a real browser: a reply that says what kills goes, and a dose has its caution."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from backend.base import Options
from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, ReasoningDelta
from tests.conftest import Serve, wait_until
from tests.ui.conftest import Open
from tests.ui.test_page import FINISHED, answers, ask, asked, foot, reasoning
from ui.words import ENGLISH as words

pytestmark = pytest.mark.browser


def test_row_70_a_reply_that_says_what_kills_is_taken_back_and_never_told_again(
    serve: Serve, open_page: Open
) -> None:
    def reply(conversation: Conversation, options: Options) -> Iterator[Step]:
        if len(conversation.turns) == 1 and "\n" not in conversation.question:
            yield from (ReasoningDelta("An overdose. "), Pause(0.5), AnswerDelta("It is bad. "))
            yield from (Pause(0.5), AnswerDelta("The lethal dose is 10 g. Take"), Pause(60))
        yield from (AnswerDelta("Rest."), FINISHED)

    backend = ScriptedBackend(reply)
    page = open_page(serve(backend))
    ask(page, "How much?")
    expect(answers(page).last).to_contain_text("It is bad.")
    expect(foot(page)).to_contain_text(words.WITHHELD)
    expect(page.locator("#chat .foot-withheld")).to_have_count(1)
    expect(answers(page)).to_have_count(0)
    expect(reasoning(page)).to_have_count(0)
    wait_until(lambda: backend.open == 0, 2.0)
    ask(page, "And now?")
    expect(answers(page).last).to_contain_text("Rest.")
    assert asked(backend)[-1] == ["How much?\n\nAnd now?"]


def test_row_70_a_dose_has_its_caution_while_the_answer_is_still_written(
    serve: Serve, open_page: Open
) -> None:
    steps = [AnswerDelta("Take 500 mg twice daily. "), Pause(1.5), AnswerDelta("Rest."), FINISHED]
    page = open_page(serve(ScriptedBackend(lambda conversation, options: steps)))
    ask(page, "How much?")
    expect(foot(page)).to_contain_text(words.CAUTION)
    expect(page.locator("body")).to_have_class("answering")
    expect(foot(page)).to_contain_text("in all")
    expect(page.locator("#chat .caution")).to_have_count(1)
    expect(answers(page)).to_have_count(1)
