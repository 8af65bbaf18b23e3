"""The page in a real browser, over the real server, with a script in the model's place."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Locator, Page, expect

from backend.base import (
    BackendError,
    Busy,
    Failed,
    Interrupted,
    NotReady,
    Option,
    Options,
    Unreachable,
    Waking,
)
from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import MAX_QUESTION_CHARS, Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Stage, Usage
from tests.conftest import Serve, wait_until
from tests.ui.conftest import Open
from tests.visitor import Visitor, shown
from ui.words import ENGLISH as words

pytestmark = pytest.mark.browser

FINISHED = Ended(EndReason.FINISHED, Usage(10, 42, 20))
WHOLE: list[Step] = [ReasoningDelta("Let me think."), AnswerDelta("Rest and fluids."), FINISHED]


def scripted(*steps: Step) -> ScriptedBackend:
    return ScriptedBackend(lambda conversation, options: steps)


def ask(page: Page, text: str) -> None:
    page.fill("#question textarea", text)
    page.press("#question textarea", "Enter")


def questions(page: Page) -> Locator:
    return page.locator("#chat .user-row")


def reasoning(page: Page) -> Locator:
    return page.locator("#chat .thought-group").last


def answers(page: Page) -> Locator:
    """Every answer shown: what is neither a panel nor a foot."""
    return page.locator("#chat .bot-row:not(:has(.thought-group)):not(:has(.foot))")


def foot(page: Page) -> Locator:
    return page.locator("#chat .foot").last


def asked(backend: ScriptedBackend) -> list[list[str]]:
    return [[turn.text for turn in conversation.turns] for conversation, _ in backend.asked]


def test_three_questions_are_answered_in_their_own_panels(serve: Serve, open_page: Open) -> None:
    def reply(conversation: Conversation, options: Options) -> Iterator[Step]:
        n = len(conversation.turns) // 2
        yield from (ReasoningDelta(f"trace {n}"), AnswerDelta(f"reply {n}"), FINISHED)

    backend = ScriptedBackend(reply)
    page = open_page(serve(backend))
    for n in range(3):
        ask(page, f"question {n}")
        expect(answers(page)).to_have_count(n + 1)
        expect(answers(page).last).to_have_text(re.compile(f"reply {n}"))
        expect(page.locator("#chat .foot")).to_have_count(n + 1)
        reasoning(page).locator(".title").click()
        expect(reasoning(page).locator(".content")).to_have_text(re.compile(f"trace {n}"))
        expect(page.locator("body")).not_to_have_class(re.compile("answering"))
    last = ["question 0", "reply 0", "question 1", "reply 1", "question 2"]
    assert asked(backend)[-1] == last
    expect(foot(page)).to_contain_text("first token after")
    expect(foot(page)).to_contain_text("tokens/s")


def test_the_panel_is_open_while_the_model_thinks_and_folds_when_it_answers(
    serve: Serve, open_page: Open
) -> None:
    steps = [ReasoningDelta("Hmm."), Pause(2.2), AnswerDelta("Rest."), Pause(1.0), FINISHED]
    page = open_page(serve(scripted(*steps)))
    ask(page, "Why?")
    expect(reasoning(page).locator(".content")).to_be_visible()
    expect(reasoning(page)).to_contain_text("Thinking · 1 s")
    expect(reasoning(page)).to_contain_text(words.UNVERIFIED)
    expect(answers(page).last).to_contain_text("Rest.")
    expect(reasoning(page)).to_contain_text("Thought for 2 s")
    expect(reasoning(page).locator(".content")).not_to_be_visible()


def test_a_folded_panel_opens_on_a_click_and_goes_on_streaming_inside(
    serve: Serve, open_page: Open
) -> None:
    steps = [ReasoningDelta("one"), Pause(2.0), ReasoningDelta(" two"), Pause(2.0)]
    page = open_page(
        serve(scripted(*steps, AnswerDelta("Rest."), FINISHED), show_reasoning="folded")
    )
    ask(page, "Why?")
    expect(reasoning(page)).to_contain_text("Thinking")
    expect(reasoning(page)).to_contain_text(words.UNVERIFIED)
    expect(reasoning(page).locator(".content")).not_to_be_visible()
    reasoning(page).locator(".title").click()
    expect(reasoning(page).locator(".content")).to_contain_text("one")
    expect(reasoning(page).locator(".content")).to_contain_text("one two")
    expect(answers(page).last).to_contain_text("Rest.")


CLICK: list[Callable[[Page], None]] = [
    lambda page: page.click("#stop"),
    lambda page: page.keyboard.press("Escape"),
    lambda page: page.context.close(),
]
STATES: dict[str, list[Step]] = {
    "Waiting for a free place": [Pause(60, Stage.QUEUED)],
    "Thinking": [ReasoningDelta("Hmm."), Pause(60)],
    "Thought": [ReasoningDelta("Hmm."), AnswerDelta("Rest"), Pause(60)],
}


@pytest.mark.parametrize("act", CLICK, ids=["Stop", "Escape", "closing the tab"])
@pytest.mark.parametrize("state", STATES)
def test_stopping_closes_the_backends_iterator_within_a_second(
    serve: Serve, open_page: Open, state: str, act: Callable[[Page], None]
) -> None:
    backend = scripted(*STATES[state])
    page = open_page(serve(backend))
    ask(page, "Why?")
    expect(reasoning(page)).to_contain_text(state)
    wait_until(lambda: backend.open == 1, 1.0)
    began = time.monotonic()
    act(page)
    wait_until(lambda: backend.open == 0, 2.0)
    assert backend.closed_at[0] - began < 1.0


def test_a_stopped_answer_stays_is_marked_and_is_not_told_to_the_model_again(
    serve: Serve, open_page: Open
) -> None:
    backend = scripted(ReasoningDelta("Hmm."), AnswerDelta("Half"), Pause(60))
    page = open_page(serve(backend))
    ask(page, "first")
    expect(answers(page).last).to_contain_text("Half")
    page.click("#stop")
    expect(foot(page)).to_contain_text(words.STOPPED)
    expect(answers(page).last).to_contain_text("Half")
    expect(page.locator("#chat .loading-spinner")).to_have_count(0)
    ask(page, "second")
    wait_until(lambda: len(backend.asked) == 2, 5.0)
    assert asked(backend)[-1] == ["first\n\nsecond"]


ENDINGS: list[tuple[list[Step], str]] = [
    ([ReasoningDelta("Hmm."), Ended(EndReason.LENGTH)], words.NO_ROOM_LEFT),
    ([AnswerDelta("Half"), Ended(EndReason.LENGTH)], "This answer was cut off"),
    ([AnswerDelta("Half"), Interrupted("x")], "This answer was cut off"),
    ([Unreachable("http://secret")], "The model cannot be reached right now."),
    ([NotReady("/secret/path")], "The model is not ready"),
    ([Busy("x", 7)], words.BUSY.format(n=7)),
]


@pytest.mark.parametrize(("steps", "sentence"), ENDINGS)
def test_each_failure_says_so_keeps_the_question_and_offers_a_retry(
    serve: Serve, open_page: Open, steps: list[Step], sentence: str
) -> None:
    tries: list[list[Step]] = [steps, WHOLE]
    backend = ScriptedBackend(lambda conversation, options: tries.pop(0))
    page = open_page(serve(backend))
    ask(page, "Why?")
    expect(foot(page)).to_contain_text(sentence)
    expect(questions(page)).to_have_count(1)
    assert "secret" not in page.content()
    page.locator("#chat .option").first.click()
    expect(answers(page).last).to_contain_text("Rest and fluids.")
    expect(questions(page)).to_have_count(1)
    assert asked(backend) == [["Why?"], ["Why?"]]


def test_a_reply_that_ran_out_of_room_is_retried_with_twice_the_room(
    serve: Serve, open_page: Open
) -> None:
    tries = [[ReasoningDelta("Hmm."), Ended(EndReason.LENGTH)], WHOLE]
    backend = ScriptedBackend(lambda conversation, options: tries.pop(0))
    page = open_page(serve(backend))
    ask(page, "Why?")
    page.get_by_role("button", name=words.MORE_ROOM).click()
    expect(answers(page).last).to_contain_text("Rest and fluids.")
    first, second = (options.max_new_tokens for _, options in backend.asked)
    assert second == 2 * first


def test_retry_and_edit_ask_again_in_the_place_of_the_old(serve: Serve, open_page: Open) -> None:
    backend = scripted(*WHOLE)
    page = open_page(serve(backend))
    ask(page, "Why?")
    page.get_by_role("button", name="Retry").click()
    wait_until(lambda: len(backend.asked) == 2, 5.0)
    expect(page.locator("body")).not_to_have_class(re.compile("answering"))
    page.get_by_role("button", name="Edit").click()
    page.fill("#chat .user-row textarea", "How?")
    page.get_by_role("button", name="Submit").click()
    wait_until(lambda: len(backend.asked) == 3, 5.0)
    expect(answers(page).last).to_contain_text("Rest and fluids.")
    expect(questions(page)).to_have_count(1)
    assert asked(backend) == [["Why?"], ["Why?"], ["How?"]]


def test_copy_takes_the_answer_and_neither_the_trace_nor_the_foot(
    serve: Serve, open_page: Open
) -> None:
    steps = [ReasoningDelta("Hmm."), AnswerDelta("Rest if `a <b`."), FINISHED]
    page = open_page(serve(scripted(*steps)), permissions=["clipboard-read", "clipboard-write"])
    ask(page, "Why?")
    expect(foot(page)).to_be_visible()
    page.get_by_role("button", name="Copy message").locator("visible=true").click()
    assert page.evaluate("navigator.clipboard.readText()").strip() == "Rest if `a <b`."


def test_an_example_is_asked_with_one_click_and_a_new_conversation_forgets_it(
    serve: Serve, open_page: Open
) -> None:
    backend = scripted(*WHOLE)
    page = open_page(serve(backend))
    page.get_by_text(words.EXAMPLES[3]).click()
    expect(answers(page).last).to_contain_text("Rest and fluids.")
    page.click("#new")
    expect(page.get_by_text(words.TAGLINE)).to_be_visible()
    ask(page, "Next?")
    expect(foot(page)).to_be_visible()
    assert asked(backend) == [[words.EXAMPLES[3]], ["Next?"]]


def test_enter_five_times_asks_one_question(serve: Serve, open_page: Open) -> None:
    backend = scripted(ReasoningDelta("Hmm."), Pause(1.0), *WHOLE)
    page = open_page(serve(backend))
    page.fill("#question textarea", "Why?")
    for _ in range(5):
        page.press("#question textarea", "Enter")
    expect(foot(page)).to_be_visible()
    assert len(backend.asked) == 1


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("   ", words.EMPTY),
        ("x" * (MAX_QUESTION_CHARS + 1),
         words.LONG.format(n=MAX_QUESTION_CHARS + 1, max=MAX_QUESTION_CHARS)),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_stays_in_the_box_with_a_sentence(
    serve: Serve, open_page: Open, typed: str, sentence: str
) -> None:
    backend = scripted(*WHOLE)
    page = open_page(serve(backend))
    ask(page, typed)
    expect(page.locator("#notice")).to_contain_text(sentence)
    assert page.input_value("#question textarea") == typed
    assert backend.asked == []


def test_a_question_typed_during_an_answer_is_kept_for_later(serve: Serve, open_page: Open) -> None:
    backend = scripted(ReasoningDelta("Hmm."), Pause(3.0), *WHOLE)
    page = open_page(serve(backend))
    ask(page, "first")
    expect(reasoning(page)).to_contain_text("Thinking")
    ask(page, "second")
    expect(page.locator("#notice")).to_contain_text(words.STILL_ANSWERING)
    assert page.input_value("#question textarea") == "second"
    expect(page.locator("#stop")).to_be_visible()
    expect(foot(page)).to_be_visible()
    page.press("#question textarea", "Enter")
    wait_until(lambda: len(backend.asked) == 2, 5.0)


def test_settings_reach_the_backend_and_what_it_does_not_honour_is_not_offered(
    serve: Serve, open_page: Open
) -> None:
    backend = scripted(*WHOLE)
    page = open_page(serve(backend))
    page.click("#settings .label-wrap")
    page.get_by_label("High").check()
    page.locator("#settings input[type=number]").last.fill("0.2")
    page.keyboard.press("Tab")
    ask(page, "Why?")
    expect(foot(page)).to_be_visible()
    _, options = backend.asked[0]
    assert (options.effort.value, options.temperature) == ("high", 0.2)

    plain = ScriptedBackend(
        lambda conversation, options: WHOLE,
        replace(backend.info, honours=frozenset({Option.MAX_NEW_TOKENS})),
    )
    page = open_page(serve(plain))
    page.click("#settings .label-wrap")
    expect(page.get_by_text(words.LENGTH, exact=True)).to_be_visible()
    expect(page.get_by_text(words.EFFORT, exact=True)).to_have_count(0)
    expect(page.get_by_text(words.TEMPERATURE, exact=True)).to_have_count(0)


def test_the_state_line_tells_the_model_and_whether_it_is_ready(
    serve: Serve, open_page: Open
) -> None:
    backend = scripted(*WHOLE)
    backend.state = Waking(time.monotonic(), Stage.FETCHING, 0.5)
    page = open_page(serve(backend))
    state = page.locator("#state")
    expect(state).to_contain_text(f"{backend.info.model} (scripted) · fetching the model · 50%")
    backend.state = Failed(NotReady("/secret"))
    expect(state).to_contain_text("not available")
    assert "secret" not in page.content()


def test_a_trace_that_is_switched_off_never_reaches_the_browser(
    serve: Serve, visitor: Callable[[str], Visitor]
) -> None:
    someone = visitor(serve(scripted(*WHOLE), show_reasoning="off"))
    received = shown(list(someone.ask("Why?")))
    assert "Rest and fluids." in received
    assert "Let me think" not in received


def test_one_lost_look_at_the_state_does_not_end_a_living_answer(
    serve: Serve, open_page: Open
) -> None:
    backend = scripted(ReasoningDelta("Hmm."), Pause(11.0), *WHOLE)
    page = open_page(serve(backend))
    ask(page, "Why?")
    expect(reasoning(page)).to_contain_text("Thinking")
    page.route("**/state", lambda route: route.abort(), times=1)
    page.wait_for_timeout(2_500)
    expect(page.locator("#stop")).to_be_visible()
    assert page.input_value("#question textarea") == ""
    # Nor does a longer gap, while the answer itself still comes.
    page.route("**/state", lambda route: route.abort(), times=4)
    page.wait_for_timeout(4_500)
    expect(page.locator("#told")).to_be_empty()
    expect(page.locator("#stop")).to_be_visible()
    assert page.input_value("#question textarea") == ""
    expect(foot(page)).to_be_visible()
    expect(page.locator("#send")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_an_act_that_asks_nothing_is_not_announced_as_thinking(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(scripted(*WHOLE)))
    page.press("#question textarea", "Enter")
    expect(page.locator("#notice")).to_contain_text(words.EMPTY)
    expect(page.locator("#send")).to_be_visible()
    expect(page.locator("#announcer")).to_be_empty()


def test_the_looks_of_each_ending_differ(serve: Serve, open_page: Open) -> None:
    endings: list[list[Step]] = [
        [ReasoningDelta("Hmm."), Ended(EndReason.LENGTH)],
        [AnswerDelta("Half"), Ended(EndReason.LENGTH)],
        [AnswerDelta("Half"), Ended(EndReason.STOPPED)],
        [Unreachable("x")],
    ]
    looks: set[tuple[str, ...]] = set()
    for steps in endings:
        page = open_page(serve(scripted(*steps)))
        ask(page, "Why?")
        note = page.locator("#chat .note")
        expect(note).to_be_visible()
        names = ("borderLeftStyle", "borderLeftColor", "backgroundColor", "color")
        looks.add(tuple(note.evaluate(f"e => getComputedStyle(e).{name}") for name in names))
        page.context.close()
    assert len(looks) == len(endings)


def test_settings_follow_what_a_model_turns_out_to_allow_and_a_question_is_asked_within_it(
    serve: Serve, open_page: Open
) -> None:
    backend = scripted(*WHOLE)
    address = serve(backend)
    backend._info = replace(backend.info, max_new_tokens=777, defaults=Options(temperature=1.3))
    page = open_page(address)
    page.click("#settings .label-wrap")
    expect(page.locator("#settings .max_value").first).to_have_text("777")
    expect(page.locator("#settings input[type=number]").last).to_have_value("1.3")
    expect(page.locator("#settings input[type=number]").first).to_have_value("777")
    ask(page, "Why?")
    expect(foot(page)).to_be_visible()


def test_indentation_survives_and_markup_from_the_model_does_nothing(
    serve: Serve, open_page: Open
) -> None:
    hostile = (
        '<img src="https://x.invalid/a"> ![b](https://x.invalid/b) <style>*{display:none}</style>'
        "<script>window.hit=1</script>\n\n```\ndef f():\n    return 1\n```\n"
    )
    page = open_page(serve(scripted(ReasoningDelta(hostile), AnswerDelta(hostile), FINISHED)))
    ask(page, hostile)
    expect(foot(page)).to_be_visible()
    expect(answers(page).last.locator("code")).to_have_text(re.compile(r"def f\(\):\n    return 1"))
    assert page.evaluate("window.hit") is None
    assert page.locator("#chat .prose :is(img, style, script, form)").count() == 0


def test_two_tabs_never_see_each_other(serve: Serve, open_page: Open) -> None:
    def echo(conversation: Conversation, options: Options) -> Iterator[Step]:
        yield ReasoningDelta("Hmm.")
        yield Pause(1.0)
        yield AnswerDelta(f"You said {conversation.question}.")
        yield FINISHED

    address = serve(ScriptedBackend(echo))
    ann, bob = open_page(address), open_page(address)
    ask(ann, "canary-ann")
    ask(bob, "canary-bob")
    expect(answers(ann).last).to_contain_text("canary-ann")
    expect(answers(bob).last).to_contain_text("canary-bob")
    assert "canary-bob" not in ann.content()
    assert "canary-ann" not in bob.content()


def test_the_page_is_used_by_keyboard_alone(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(scripted(*WHOLE)))
    page.locator("#question textarea").focus()
    page.keyboard.type("Why?")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "send"
    page.keyboard.press("Enter")
    expect(foot(page)).to_be_visible()
    title = reasoning(page).locator(".title")
    expect(title).to_have_attribute("aria-expanded", "false")
    title.focus()
    page.keyboard.press("Enter")
    expect(reasoning(page).locator(".content")).to_contain_text("Let me think.")
    expect(title).to_have_attribute("aria-expanded", "true")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_a_phone_and_a_desk_in_light_and_dark(
    serve: Serve, open_page: Open, width: int, scheme: str
) -> None:
    wide = "| " + " | ".join(["a long cell of a table"] * 6) + " |\n|" + "---|" * 6 + "\n"
    steps = [ReasoningDelta("x" * 300), AnswerDelta("y" * 300 + "\n\n" + wide), FINISHED]
    page = open_page(
        serve(scripted(*steps)),
        viewport={"width": width, "height": 740},
        color_scheme=scheme,
    )
    ask(page, "z" * 300)
    expect(foot(page)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for part in ("#question", "#send", "#disclaimer", "#state", "#new"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= 740


def test_the_disclaimer_is_always_in_sight_and_has_a_page_of_its_own(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(scripted(*WHOLE)))
    expect(page.locator("#disclaimer")).to_contain_text(words.DISCLAIMER)
    ask(page, "Why?")
    expect(foot(page)).to_be_visible()
    expect(page.locator("#disclaimer")).to_be_in_viewport()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=words.DISCLAIMER_LINK).click()
    expect(opened.value.get_by_role("heading", name=words.DISCLAIMER_TITLE)).to_be_visible()


def test_an_untrusted_model_is_called_so_under_its_answer(serve: Serve, open_page: Open) -> None:
    backend = scripted(*WHOLE)
    info = replace(backend.info, model="Tiny-1", unreliable=True)
    page = open_page(serve(ScriptedBackend(lambda conversation, options: WHOLE, info)))
    ask(page, "Why?")
    expect(foot(page)).to_contain_text(words.unreliable(info))


def test_no_error_of_any_kind_is_shown_raw(serve: Serve, open_page: Open) -> None:
    errors = [kind("https://x.invalid /etc/x") for kind in BackendError.__subclasses__()]
    backend = ScriptedBackend(lambda conversation, options: [errors.pop()])
    page = open_page(serve(backend))
    for n in range(len(errors)):
        ask(page, f"question {n}")
        expect(page.locator("#chat .foot")).to_have_count(n + 1)
        assert not re.search(r"x\.invalid|/etc/x|Traceback", page.content())
        expect(page.locator("body")).not_to_have_class(re.compile("answering"))
