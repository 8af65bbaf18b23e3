"""Going on with a conversation: edited, asked again, compared, continued, and grown too long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from backend.base import Effort, Options, Unreachable
from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import MAX_QUESTION_CHARS, Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Usage
from tests.conftest import Serve, wait_until
from tests.ui.conftest import Open
from ui.words import ENGLISH as words

pytestmark = pytest.mark.browser

SAID = words.said_by_script()
SECONDS = 15_000
"""In milliseconds: for a reply, on a machine that others use."""


def numbered(conversation: Conversation, options: Options) -> Iterator[Step]:
    """Each reply tells which it is, to what, and how it was asked for."""
    numbered.count += 1  # type: ignore[attr-defined]
    yield ReasoningDelta("Hmm.")
    if "slow" in conversation.question:
        yield Pause(3.0)
    if "down" in conversation.question and numbered.count > 1:  # type: ignore[attr-defined]
        yield Unreachable("x")
    yield AnswerDelta(f"Reply {numbered.count} ({options.effort.value}).")  # type: ignore[attr-defined]
    yield Ended(EndReason.FINISHED, Usage(100, 40, 20))


@pytest.fixture
def backend() -> ScriptedBackend:
    numbered.count = 0  # type: ignore[attr-defined]
    return ScriptedBackend(numbered)


def ask(page: Page, text: str) -> None:
    page.fill("#question textarea", text)
    page.press("#question textarea", "Enter")


def answered(page: Page, last: str) -> None:
    """Until the last reply reads so, and nothing more is written."""
    replies = page.locator("#chat .bot-row:not(:has(.thought-group, .foot))")
    expect(replies.last).to_contain_text(last, timeout=SECONDS)
    expect(page.locator("body")).not_to_have_class(re.compile("answering"), timeout=SECONDS)


def questions(page: Page) -> Locator:
    return page.locator("#chat .user-row")


def control(page: Page) -> Locator:
    return page.locator("#chat .alternatives").last


def go(page: Page, name: str) -> None:
    control(page).get_by_role("button", name=SAID[name]).click()


def edit(page: Page, number: int, text: str) -> None:
    page.get_by_role("button", name="Edit").nth(number).click()
    page.fill("#chat .user-row textarea", text)
    page.get_by_role("button", name="Submit").click()


def told(backend: ScriptedBackend) -> list[list[str]]:
    return [[turn.text for turn in conversation.turns] for conversation, _ in backend.asked]


def test_a_question_in_the_middle_is_edited_and_asked_in_its_place(
    serve: Serve, open_page: Open, backend: ScriptedBackend
) -> None:
    page = open_page(serve(backend))
    for n, text in enumerate(("one", "two", "three"), start=1):
        ask(page, text)
        answered(page, f"Reply {n}")

    edit(page, 1, "   ")
    expect(page.locator("#notice")).to_contain_text(words.EMPTY)
    expect(questions(page)).to_have_text(["one", "two", "three"])
    edit(page, 1, "x" * (MAX_QUESTION_CHARS + 1))
    expect(page.locator("#notice")).to_contain_text("too long")
    expect(questions(page)).to_have_text(["one", "two", "three"])
    assert len(page.input_value("#question textarea")) == MAX_QUESTION_CHARS + 1
    assert len(backend.asked) == 3

    page.fill("#question textarea", "typed meanwhile")
    edit(page, 1, "I have crushing chest pain and my left arm is numb.")
    answered(page, "Reply 4")
    expect(page.locator("#emergency .alarm")).to_be_visible()
    expect(questions(page)).to_have_count(2)
    assert page.input_value("#question textarea") == "typed meanwhile"
    assert told(backend)[-1] == ["one", "Reply 1 (medium).", backend.asked[-1][0].question]


def test_an_edit_during_an_answer_takes_nothing_away(
    serve: Serve, open_page: Open, backend: ScriptedBackend
) -> None:
    page = open_page(serve(backend))
    ask(page, "one")
    answered(page, "Reply 1")
    page.get_by_role("button", name="Edit").click()
    ask(page, "slow")
    expect(page.locator("body")).to_have_class(re.compile("answering"))
    page.fill("#chat .user-row textarea", "another")
    page.locator("#chat [aria-label=Submit]").dispatch_event("click")
    expect(page.locator("#told")).to_contain_text(words.STILL_ANSWERING)
    answered(page, "Reply 2")
    assert page.input_value("#chat .user-row textarea") == "another"
    page.get_by_role("button", name="Cancel").click()
    expect(questions(page)).to_have_text(["one", "slow"])
    assert told(backend) == [["one"], ["one", "Reply 1 (medium).", "slow"]]


def test_what_is_typed_ahead_takes_over_no_answer_that_is_being_written(
    serve: Serve, open_page: Open, backend: ScriptedBackend
) -> None:
    page = open_page(serve(backend))
    ask(page, "slow")
    answered(page, "Reply 1")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("body")).to_have_class(re.compile("answering"))
    page.wait_for_timeout(500)  # until it is the server's too
    ask(page, "next")
    expect(page.locator("#notice")).to_contain_text(words.STILL_ANSWERING)
    assert page.input_value("#question textarea") == "next"
    page.wait_for_timeout(500)
    expect(page.locator("#stop")).to_be_visible()
    expect(page.locator("#chat .foot-elsewhere")).to_have_count(0)
    answered(page, "Reply 2")
    expect(page.locator("#chat .foot-finished")).to_have_count(1)


def test_trying_again_keeps_the_reply_there_was_and_a_way_back_to_it(
    serve: Serve, open_page: Open, backend: ScriptedBackend
) -> None:
    page = open_page(serve(backend), viewport={"width": 360, "height": 740}, has_touch=True)
    ask(page, "one")
    answered(page, "Reply 1")
    expect(control(page)).to_have_count(0)
    for n in (2, 3):
        page.get_by_role("button", name="Retry").click()
        answered(page, f"Reply {n}")
    expect(control(page)).to_contain_text("3 of 3")
    go(page, "earlier")
    answered(page, "Reply 2")
    expect(control(page)).to_contain_text("2 of 3")
    expect(page.locator("#announcer")).to_have_text("Reply 2 of 3")

    # By keyboard too, and focus stays: on the other button where this one leads no further.
    page.keyboard.press("Enter")
    answered(page, "Reply 1")
    expect(control(page).get_by_role("button", name=SAID["later"])).to_be_focused()
    earlier = control(page).get_by_role("button", name=SAID["earlier"])
    expect(earlier).to_have_attribute("aria-disabled", "true")
    size = earlier.bounding_box()
    assert size is not None
    assert min(size["width"], size["height"]) >= 44
    assert [v["id"] for v in Axe().run(page).response["violations"]] == []

    # What is sent is the conversation with the reply that is shown, and nothing of the others.
    with page.expect_request(lambda request: "Reply 1" in (request.post_data or "")) as sent:
        ask(page, "two")
    assert not re.search("Reply [23]", sent.value.post_data or "")
    answered(page, "Reply 4")
    assert told(backend)[-1] == ["one", "Reply 1 (medium).", "two"]


def test_what_followed_a_reply_leaves_with_it_and_comes_back_with_it(
    serve: Serve, open_page: Open, backend: ScriptedBackend
) -> None:
    page = open_page(serve(backend))
    ask(page, "one")
    answered(page, "Reply 1")
    page.get_by_role("button", name="Retry").click()
    answered(page, "Reply 2")
    ask(page, "two")
    answered(page, "Reply 3")
    page.get_by_role("button", name="Retry").click()
    answered(page, "Reply 4")
    first, second = page.locator("#chat .alternatives").all()
    expect(second).to_contain_text("2 of 2")
    first.get_by_role("button", name=SAID["earlier"]).click()
    answered(page, "Reply 1")
    expect(questions(page)).to_have_text(["one"])
    expect(page.locator("#chat .alternatives")).to_have_count(1)
    go(page, "later")
    answered(page, "Reply 4")
    expect(questions(page)).to_have_text(["one", "two"])
    expect(page.locator("#chat .alternatives")).to_have_count(2)
    go(page, "earlier")
    answered(page, "Reply 3")

    of = page.evaluate("[0, 1, 2].map((turn) => window.medicalgpt.alternatives.of(turn))")
    assert [each and each["shown"] for each in of] == [1, 0, None]
    said = [[m["content"][0]["text"] for m in reply] for reply in of[1]["replies"]]
    assert [reply[1] for reply in said] == ["Reply 3 (medium).", "Reply 4 (medium)."]

    # An edit takes away what was replied to the old question, and nothing that came before.
    edit(page, 1, "another")
    answered(page, "Reply 5")
    expect(page.locator("#chat .alternatives")).to_have_count(1)
    page.evaluate("turn => window.medicalgpt.alternatives.restore(1, turn)", of[1])
    expect(page.locator("#chat .alternatives")).to_have_count(2)
    page.click("#new")
    expect(page.get_by_text(words.TAGLINE)).to_be_visible()
    page.wait_for_function("!window.medicalgpt.alternatives.of(0)")
    ask(page, "one")
    answered(page, "Reply 6")
    expect(control(page)).to_have_count(0)


def test_a_failure_is_no_reply_to_come_back_to_and_none_is_switched_while_one_is_written(
    serve: Serve, open_page: Open, backend: ScriptedBackend
) -> None:
    page = open_page(serve(backend))
    ask(page, "Is it slow, or down?")
    answered(page, "Reply 1")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("body")).to_have_class(re.compile("answering"))
    expect(control(page)).to_have_count(1)
    expect(control(page)).not_to_be_visible()
    expect(page.locator("#chat .foot-cut")).to_be_visible(timeout=SECONDS)
    expect(control(page)).to_contain_text("2 of 2")
    go(page, "earlier")
    answered(page, "Reply 1")
    expect(control(page)).to_have_count(0)


def test_a_crisis_leaves_no_other_reply_to_go_to(
    serve: Serve, open_page: Open, backend: ScriptedBackend
) -> None:
    page = open_page(serve(backend))
    ask(page, "one")
    answered(page, "Reply 1")
    page.get_by_role("button", name="Retry").click()
    answered(page, "Reply 2")
    ask(page, "I want to kill myself.")
    expect(page.locator("#crisis .alarm")).to_be_visible()
    expect(page.locator("#chat .alternatives")).to_have_count(0)
    assert page.evaluate("window.medicalgpt.alternatives.of(0)") is None


def test_another_effort_is_one_click_away_and_both_replies_are_named_by_theirs(
    serve: Serve, open_page: Open, backend: ScriptedBackend
) -> None:
    page = open_page(serve(backend))
    ask(page, "before")
    answered(page, "Reply 1 (medium)")
    ask(page, "one")
    answered(page, "Reply 2 (medium)")
    page.get_by_role("button", name=words.WITH_EFFORT[Effort.HIGH]).click()
    answered(page, "Reply 3 (high)")
    expect(control(page)).to_contain_text(f"2 of 2 · {words.OF_EFFORT[Effort.HIGH]}")
    go(page, "earlier")
    answered(page, "Reply 2 (medium)")
    expect(control(page)).to_contain_text(f"1 of 2 · {words.OF_EFFORT[Effort.MEDIUM]}")
    # It was for that reply, and is no setting.
    ask(page, "two")
    answered(page, "Reply 4 (medium)")
    assert told(backend)[2] == ["before", "Reply 1 (medium).", "one"]


HALF = "Rest helps, and flu"


def cut(conversation: Conversation, options: Options) -> Iterator[Step]:
    if conversation.begun.endswith("!"):
        yield Unreachable("x")
    elif conversation.begun:
        yield Pause(1.5)
        yield AnswerDelta("ids do too.")
        yield Ended(EndReason.FINISHED, Usage(60, 3, 0))
    else:
        yield ReasoningDelta("Weigh it.")
        yield AnswerDelta(HALF + "!" * ("down" in conversation.question))
        yield Ended(EndReason.LENGTH, Usage(50, 512, 20))


def continuing() -> ScriptedBackend:
    backend = ScriptedBackend(cut)
    return ScriptedBackend(cut, replace(backend.info, continues=True, max_new_tokens=1_024))


def test_an_answer_that_ran_out_of_room_goes_on_in_its_own_panel(
    serve: Serve, open_page: Open
) -> None:
    backend = continuing()
    page = open_page(serve(backend))
    ask(page, "before")
    answered(page, HALF)
    ask(page, "one")
    answered(page, HALF)
    # At the largest length there is no more room to try again with.
    expect(page.locator("#chat .option")).to_have_text([words.CONTINUE])
    with page.expect_request(lambda r: HALF in (r.post_data or "")):
        page.get_by_role("button", name=words.CONTINUE).click()
    expect(page.locator("#stop")).to_be_visible()
    expect(page.locator("#chat .foot").last).to_contain_text("Working")
    answered(page, "Rest helps, and fluids do too.")
    expect(page.locator("#chat .foot-finished")).to_have_count(1)
    expect(page.locator("#chat .note")).to_have_count(1)  # of the answer before
    page.locator("#chat .thought-group .title").last.click()
    expect(page.locator("#chat .thought-group").last).to_contain_text("Weigh it.")
    asked, _ = backend.asked[-1]
    assert (asked.begun, [turn.text for turn in asked.turns]) == (HALF, ["before\n\none"])
    ask(page, "next")
    wait_until(lambda: len(backend.asked) == 4, 5.0)
    assert told(backend)[-1] == ["before\n\none", "Rest helps, and fluids do too.", "next"]


def test_an_answer_that_could_not_be_gone_on_with_is_there_and_marked(
    serve: Serve, open_page: Open
) -> None:
    backend = continuing()
    stranger = {"x-forwarded-for": "203.0.113.7"}
    address = serve(backend, trusted_proxies=1, rate_per_minute=2)
    page = open_page(address, extra_http_headers=stranger)
    ask(page, "down")
    answered(page, f"{HALF}!")
    page.get_by_role("button", name=words.CONTINUE).click()
    expect(page.locator("#chat .option")).to_have_text([words.CONTINUE, words.AGAIN])
    answered(page, f"{HALF}!")
    expect(page.locator("#chat .note-cut")).to_contain_text("incomplete")
    # And where it is not even asked of the model.
    page.get_by_role("button", name=words.CONTINUE).click()
    expect(page.locator("#chat .note-failed")).to_contain_text("several questions")
    answered(page, f"{HALF}!")
    expect(page.locator("#chat .note-cut")).to_contain_text(words.INCOMPLETE)
    expect(page.locator("#chat .option")).to_have_text([words.CONTINUE])
    assert len(backend.asked) == 2


def test_a_conversation_that_grows_too_long_says_how_full_it_is_then_what_it_lost(
    serve: Serve, open_page: Open
) -> None:
    long = "It is a long story, and every word of it counts. " * 60

    def reply(conversation: Conversation, options: Options) -> Iterator[Step]:
        yield AnswerDelta("Noted. ")
        yield Pause(1.0)
        yield AnswerDelta("Go on.")
        yield Ended(EndReason.FINISHED)

    small = ScriptedBackend(reply)
    small = ScriptedBackend(reply, replace(small.info, context_window=4_096, max_new_tokens=1_024))
    page = open_page(serve(small))
    near = page.locator("#filled")
    ask(page, f"I have crushing chest pain. {long}")
    answered(page, "Go on.")
    expect(page.locator("#emergency .alarm")).to_be_visible()
    expect(near).to_be_empty()
    for n in range(2, 5):
        ask(page, f"{n} {long}")
        expect(page.locator("#chat .foot-finished")).to_have_count(n)
        answered(page, "Go on.")
        if n == 3:
            expect(near).to_have_text(re.compile(r"^This conversation fills about [6-9]\d% of"))
            assert (
                near.evaluate("e => e.closest('[aria-live], [role=status], [role=alert]')") is None
            )
    expect(page.locator("#chat .left-out")).to_have_text([words.left_out(1)])
    expect(near).to_have_text(words.read_from(2))
    asked, _ = small.asked[-1]
    assert [turn.text[:2] for turn in asked.turns] == ["2 ", "No", "3 ", "No", "4 "]
    # The notice stays, though what set it off is read no more.
    expect(page.locator("#emergency .alarm")).to_be_visible()
    page.click("#new")
    expect(near).to_be_empty()
