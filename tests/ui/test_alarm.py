"""What the page does where a red flag is found, in a real browser (matrix rows 65 to 69)."""

from __future__ import annotations

import logging
import re
import signal
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from backend.base import Busy, Failed, NotReady, Unreachable
from backend.policy import Policy
from backend.remote import RemoteBackend
from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import MAX_QUESTION_CHARS
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Stage, Usage
from safety import red_flags
from safety.finding import Finding, Level
from safety.notices import fixed_reply, notices, word
from settings import Settings
from tests import behaviours as do
from tests.conftest import Program, Serve, wait_until
from tests.faults import FaultServer
from tests.ui.conftest import Open
from tests.visitor import Visitor, shown
from ui.words import ENGLISH as words

pytestmark = pytest.mark.browser

EMERGENCY = "I have crushing chest pain going down my left arm and I am sweating."
MINIMISED = f"{EMERGENCY} My husband says it is nothing, it is probably just heartburn."
CRISIS = "I want to kill myself tonight."
BOTH = "I took 40 paracetamol an hour ago because I want to die."
BENIGN = "What are the warning signs of a stroke?"

FINISHED = Ended(EndReason.FINISHED, Usage(10, 42, 20))
WHOLE: list[Step] = [ReasoningDelta("Let me think."), AnswerDelta("Rest and fluids."), FINISHED]
SLOW: list[Step] = [Pause(2.0, Stage.WAKING), *WHOLE]

[URGENT] = notices(Finding(Level.EMERGENCY))
[DESPERATE] = notices(Finding(Level.CRISIS))
OTHER = word("other", "en")


def scripted(*steps: Step, unreliable: bool = False) -> ScriptedBackend:
    plain = ScriptedBackend(lambda conversation, options: steps)
    info = replace(plain.info, unreliable=unreliable)
    return ScriptedBackend(lambda conversation, options: steps, info)


def ask(page: Page, text: str) -> None:
    page.fill("#question textarea", text)
    page.press("#question textarea", "Enter")


def afresh(page: Page) -> None:
    """Begin a new conversation, and wait for it."""
    page.click("#new")
    expect(page.locator("#alarms .alarm")).to_have_count(0)
    expect(page.locator("#chat .user-row")).to_have_count(0)


def emergency(page: Page) -> Locator:
    return page.locator("#emergency .alarm")


def crisis(page: Page) -> Locator:
    return page.locator("#crisis .alarm")


def answered(page: Page, count: int = 1) -> None:
    expect(page.locator("#chat .foot")).to_have_count(count)
    expect(page.locator("body")).not_to_have_class(re.compile("answering"))


def fixed(level: Level, again: bool = False) -> str:
    text = fixed_reply(Finding(level), unreliable=True, again=again)
    assert text is not None
    return text.split("\n")[0]


WATCH = """() => {
  window.seen = null;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter") window.sent = performance.now();
  }, true);
  new MutationObserver(() => {
    if (window.seen || !document.querySelector("#alarms .alarm")) return;
    const text = document.querySelector("#chat").innerText;
    window.seen = [performance.now() - window.sent, text];
  }).observe(document.body, { childList: true, subtree: true });
}"""


def seconds_to_notice(page: Page, text: str) -> float:
    """From the key that sends `text` to the notice; no token may be there by then."""
    page.evaluate(WATCH)
    ask(page, text)
    page.wait_for_function("window.seen")
    milliseconds, chat = page.evaluate("window.seen")
    assert "Let me think." not in chat
    assert "Rest and fluids." not in chat
    return milliseconds / 1_000


def test_a_notice_stands_before_the_first_token_and_within_300_milliseconds(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(scripted(*WHOLE)))
    took: list[float] = []
    for text in [EMERGENCY, MINIMISED, CRISIS, BOTH, EMERGENCY]:
        took.append(seconds_to_notice(page, text))
        expect(page.locator("#chat .bot-row").last).to_be_visible()
        expect(page.locator("body")).not_to_have_class(re.compile("answering"))
        afresh(page)
    # The middle of five: this machine may be doing something else as well.
    assert statistics.median(took) < 0.3, took


STATES: dict[str, list[Step]] = {
    "waking": SLOW,
    "unreachable": [Unreachable("refused")],
    "busy": [Busy("full", 20)],
    "not ready": [NotReady("no weights")],
    "cut off": [AnswerDelta("Rest"), Unreachable("reset")],
}


@pytest.mark.parametrize("state", STATES)
def test_the_notice_comes_in_every_state_of_the_backend_and_stays_after_its_failure(
    serve: Serve, open_page: Open, state: str
) -> None:
    backend = scripted(*STATES[state])
    if state in ("unreachable", "not ready"):
        backend.state = Failed(Unreachable("refused"))
    page = open_page(serve(backend))
    ask(page, MINIMISED)
    expect(emergency(page)).to_contain_text(URGENT.heading, timeout=1_500)
    expect(page.locator("#chat .foot")).to_be_visible()
    expect(emergency(page)).to_be_visible()
    expect(crisis(page)).to_have_count(0)
    assert len(backend.asked) == 1


def test_the_notice_comes_where_every_place_is_taken(
    serve: Serve, open_page: Open, visitor: Callable[[str], Visitor]
) -> None:
    backend = scripted(ReasoningDelta("Hmm."), Pause(60.0))
    address = serve(backend, max_concurrent_chats=1)
    visitor(address).post("queue/join", visitor(address).question("Why?"))
    wait_until(lambda: backend.open == 1, 5.0)
    page = open_page(address)
    ask(page, EMERGENCY)
    expect(emergency(page)).to_be_visible()
    expect(page.locator("#chat")).to_contain_text("You are next")
    expect(emergency(page)).to_be_visible()
    page.click("#stop")
    expect(page.locator("#chat .foot")).to_contain_text(words.STOPPED_EARLY)
    expect(emergency(page)).to_be_visible()
    afresh(page)
    ask(page, CRISIS)
    expect(crisis(page)).to_be_visible()
    expect(page.locator("#chat")).to_contain_text(fixed(Level.CRISIS))


def test_the_notice_comes_while_the_server_is_going_down(
    program: Callable[..., Program], open_page: Open, visitor: Callable[[str], Visitor]
) -> None:
    serving = program("-m", "tests.serve_scripted", "stall", "--stall", "60", "--drain", "30")
    address = serving.line("http://").strip()
    page = open_page(address)
    someone = visitor(address)
    updates = someone.ask("What is a stroke?")
    next(update for update in updates if "thought0" in shown([update]))
    serving.signal(signal.SIGTERM)
    wait_until(lambda: someone.http.get("/readyz").status_code == 503, 5.0)
    ask(page, EMERGENCY)
    expect(emergency(page)).to_be_visible()
    expect(page.locator("#chat .foot")).to_contain_text(words.RESTARTING)
    afresh(page)
    ask(page, CRISIS)
    expect(page.locator("#chat")).to_contain_text(fixed(Level.CRISIS))


def test_no_answer_retry_or_edit_takes_the_notice_away_and_a_new_conversation_does(
    serve: Serve, open_page: Open
) -> None:
    backend = scripted(*WHOLE)
    page = open_page(serve(backend))
    ask(page, EMERGENCY)
    answered(page)
    expect(emergency(page)).to_be_visible()
    page.get_by_role("button", name="Retry").click()
    wait_until(lambda: len(backend.asked) == 2, 5.0)
    answered(page)
    expect(emergency(page)).to_be_visible()
    ask(page, "And what is a cold?")
    answered(page, 2)
    expect(emergency(page)).to_be_visible()
    page.get_by_role("button", name="Edit").first.click()
    page.fill("#chat .user-row textarea", BENIGN)
    page.get_by_role("button", name="Submit").click()
    wait_until(lambda: len(backend.asked) == 4, 5.0)
    answered(page)
    expect(emergency(page)).to_be_visible()
    afresh(page)
    ask(page, BENIGN)
    answered(page)
    expect(page.locator("#alarms .alarm")).to_have_count(0)


@pytest.mark.parametrize("text", [CRISIS, BOTH, "I want to kill myself tonight, I have the pills."])
def test_in_a_crisis_no_model_is_asked_and_the_fixed_text_stands_alone(
    serve: Serve, open_page: Open, text: str
) -> None:
    backend = scripted(*WHOLE)
    page = open_page(serve(backend))
    ask(page, text)
    expect(crisis(page)).to_contain_text(DESPERATE.heading)
    found = red_flags.read([text])
    expect(emergency(page)).to_have_count(1 if found.emergency else 0)
    assert found.emergency is (text != CRISIS)
    expect(page.locator("#chat")).to_contain_text(fixed(Level.CRISIS))
    # Whoever goes on is answered by the fixed text again, in other words.
    ask(page, "Why does nobody answer me?")
    expect(page.locator("#chat")).to_contain_text(fixed(Level.CRISIS, again=True))
    expect(crisis(page)).to_be_visible()
    assert backend.asked == []
    assert page.locator("#chat .thought-group").count() == 0
    page.get_by_role("button", name=OTHER).last.click()
    expect(page.get_by_text(words.TAGLINE)).to_be_visible()
    expect(page.locator("#alarms .alarm")).to_have_count(0)
    ask(page, BENIGN)
    answered(page)
    assert [turn.text for turn in backend.asked[0][0].turns] == [BENIGN]


def test_a_crisis_hides_the_traces_of_the_answers_before_it(serve: Serve, open_page: Open) -> None:
    backend = scripted(*WHOLE)
    page = open_page(serve(backend))
    ask(page, BENIGN)
    answered(page)
    expect(page.locator("#chat .thought-group")).to_have_count(1)
    ask(page, CRISIS)
    expect(page.locator("#chat")).to_contain_text(fixed(Level.CRISIS))
    expect(page.locator("#chat .thought-group")).to_have_count(0)
    assert len(backend.asked) == 1


def test_a_crisis_is_found_however_it_is_asked(serve: Serve, open_page: Open) -> None:
    backend = scripted(*WHOLE)
    page = open_page(serve(backend))
    ask(page, BENIGN)
    answered(page)
    page.get_by_role("button", name="Edit").first.click()
    page.fill("#chat .user-row textarea", CRISIS)
    page.get_by_role("button", name="Submit").click()
    expect(crisis(page)).to_be_visible()
    expect(page.locator("#chat")).to_contain_text(fixed(Level.CRISIS))
    assert len(backend.asked) == 1


def test_whoever_calls_the_pages_function_by_hand_reaches_no_model_either(
    serve: Serve, visitor: Callable[[str], Visitor]
) -> None:
    backend = scripted(*WHOLE)
    someone = visitor(serve(backend))
    said = shown(list(someone.ask(CRISIS)))
    assert fixed(Level.CRISIS) in said
    assert backend.asked == []


@pytest.mark.parametrize(("text", "posts"), [(EMERGENCY, 1), (CRISIS, 0), (BOTH, 0)])
def test_an_endpoint_is_posted_to_once_in_an_emergency_and_never_in_a_crisis(
    serve: Serve, open_page: Open, text: str, posts: int
) -> None:
    with FaultServer() as upstream:
        upstream.behave(do.stream(*do.WHOLE))
        with closing(RemoteBackend(Settings(modal_endpoint=upstream.url()))) as backend:
            page = open_page(serve(backend))
            ask(page, text)
            expect(page.locator("#alarms .alarm").first).to_be_visible()
            expect(page.locator("#chat")).to_contain_text(
                do.ANSWER if posts else fixed(Level.CRISIS)
            )
            page.wait_for_timeout(300)
            assert sum(request.method == "POST" for request in upstream.requests) == posts


def test_the_notice_stays_where_the_endpoint_is_down(serve: Serve, open_page: Open) -> None:
    with FaultServer() as upstream:
        upstream.refuse(None)
        settings = Settings(modal_endpoint=upstream.url())
        with closing(RemoteBackend(settings, Policy().scaled(1 / 20))) as backend:
            page = open_page(serve(backend))
            ask(page, EMERGENCY)
            expect(emergency(page)).to_be_visible()
            expect(page.locator("#chat .foot")).to_contain_text("The model cannot be reached")
            expect(emergency(page)).to_be_visible()


def test_an_untrusted_model_is_not_asked_in_an_emergency(serve: Serve, open_page: Open) -> None:
    backend = scripted(*WHOLE, unreliable=True)
    page = open_page(serve(backend))
    ask(page, EMERGENCY)
    expect(emergency(page)).to_be_visible()
    expect(page.locator("#chat")).to_contain_text(fixed(Level.EMERGENCY))
    assert backend.asked == []
    page.get_by_role("button", name=OTHER).click()
    expect(page.locator("#alarms .alarm")).to_have_count(0)
    ask(page, BENIGN)
    answered(page)
    assert len(backend.asked) == 1


@pytest.mark.parametrize("text", [EMERGENCY + " " + "a" * MAX_QUESTION_CHARS, EMERGENCY])
def test_a_question_that_is_refused_still_raises_the_notice(
    serve: Serve, open_page: Open, text: str
) -> None:
    page = open_page(serve(scripted(ReasoningDelta("Hmm."), Pause(3.0), *WHOLE)))
    if text == EMERGENCY:  # refused because an answer is being written
        ask(page, BENIGN)
        expect(page.locator("#chat .thought-group")).to_contain_text("Thinking")
    ask(page, text)
    expect(emergency(page)).to_be_visible()
    expect(page.locator("#notice")).not_to_be_empty()
    expect(page.locator("#question textarea")).to_have_value(text)


def test_the_numbers_are_those_of_the_region_chosen_and_the_choice_stays_in_the_browser(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(scripted(*WHOLE)))
    requests: list[str] = []
    ask(page, BOTH)
    expect(page.locator("#chat")).to_contain_text(fixed(Level.CRISIS))
    page.wait_for_timeout(1_000)
    page.on("request", lambda request: requests.append(request.url))
    for number in ("112", "911", "999"):
        expect(emergency(page).locator(f'a[href="tel:{number}"]').first).to_be_visible()
    where = emergency(page).get_by_label(word("where", "en"))
    where.select_option(label="United States")
    expect(emergency(page).locator('a[href="tel:911"] >> visible=true')).to_have_count(1)
    expect(emergency(page).locator('a[href="tel:18002221222"]')).to_be_visible()
    expect(emergency(page).locator('a[href="tel:999"] >> visible=true')).to_have_count(0)
    # The other notice follows.
    expect(crisis(page).locator('a[href="tel:988"] >> visible=true')).to_have_count(1)
    expect(crisis(page).locator('a[href="tel:116123"] >> visible=true')).to_have_count(0)
    assert page.evaluate("({...localStorage})") == {"medicalgpt.region": "us"}
    assert [url for url in requests if not url.endswith("/state")] == []
    page.reload()
    page.wait_for_selector("#state[data-state]")
    ask(page, CRISIS)
    expect(crisis(page).locator('a[href="tel:988"] >> visible=true')).to_have_count(1)
    expect(crisis(page).locator('a[href="tel:116123"] >> visible=true')).to_have_count(0)
    # Nonsense in the store is as good as none.
    page.evaluate("localStorage.setItem('medicalgpt.region', '<b>')")
    afresh(page)
    ask(page, EMERGENCY)
    expect(emergency(page).locator('a[href="tel:999"] >> visible=true')).to_have_count(1)


def test_the_notice_folds_to_one_line_that_still_says_whom_to_call(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(scripted(*WHOLE)), viewport={"width": 360, "height": 740})
    ask(page, EMERGENCY)
    summary = emergency(page).locator("summary")
    expect(summary).to_be_visible()
    summary.focus()
    page.keyboard.press("Enter")
    expect(emergency(page).locator("p").first).not_to_be_visible()
    expect(summary).to_contain_text(URGENT.heading)
    expect(summary.locator("span >> visible=true")).to_have_text("Call 112, 911, 999")
    answered(page)
    expect(summary).to_be_visible()
    assert emergency(page).locator("button, [aria-label*=lose]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_notices_are_above_everything_and_leave_room_to_go_on(
    serve: Serve, open_page: Open, width: int, scheme: str
) -> None:
    page = open_page(
        serve(scripted(*WHOLE)), viewport={"width": width, "height": 740}, color_scheme=scheme
    )
    ask(page, BOTH)
    expect(crisis(page).locator("h2")).to_be_in_viewport()
    expect(emergency(page).locator("h2")).to_be_in_viewport()
    page.wait_for_timeout(600)
    tops = {
        part: page.locator(part).bounding_box() for part in
        ("#alarms", "#emergency", "#crisis", "#masthead", "#chat", "#question", "#disclaimer")
    }  # fmt: skip
    assert all(tops.values())
    order = [box["y"] for box in tops.values() if box]
    assert order[0] == 0
    assert order == sorted(order)
    question, chat = tops["#question"], tops["#chat"]
    assert question
    assert chat
    assert question["y"] + question["height"] <= 740
    assert chat["height"] >= 100
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator("#chat .user-row").last).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_screen_reader_hears_the_notice_at_once_and_axe_has_nothing_to_complain_of(
    serve: Serve, open_page: Open, scheme: str
) -> None:
    page = open_page(serve(scripted(*WHOLE)), color_scheme=scheme)
    for text in (EMERGENCY, CRISIS, BOTH):
        ask(page, text)
        # The accessibility tree, not the markup: what a screen reader is given.
        alerts = page.locator("#alarms").get_by_role("alert")
        expect(alerts).to_have_count(2 if text == BOTH else 1)
        expect(alerts.first.get_by_role("heading")).to_be_visible()
        expect(alerts.first).to_have_attribute("aria-live", "assertive")
        tree = page.locator("#alarms").aria_snapshot()
        assert "- alert" in tree
        assert "combobox" in tree
        assert re.search(r'link "(112|988) ', tree)
        page.wait_for_timeout(300)
        found = Axe().run(page)
        assert [v["id"] for v in found.response["violations"]] == []
        if text != EMERGENCY:
            expect(page.locator("#announcer")).to_contain_text(fixed(Level.CRISIS))
        afresh(page)


def test_the_log_names_the_rules_and_nothing_of_what_was_written(
    serve: Serve, visitor: Callable[[str], Visitor], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    someone = visitor(serve(scripted(*WHOLE)))
    for text in (EMERGENCY, CRISIS, BENIGN):
        list(someone.ask(text))
        time.sleep(0.2)
    lines = [r.getMessage() for r in caplog.records if r.getMessage().startswith("run ")]
    assert len(lines) == 3
    assert re.search(
        r"^run ref=[0-9a-f]{8} ended=finished .*rules=cardiac\.[\w.,-]+ withheld=none$", lines[0]
    )
    assert re.search(r"^run ref=[0-9a-f]{8} ended=crisis rules=crisis\.[\w.,-]+$", lines[1])
    assert lines[2].endswith("rules=none withheld=none")
    written = caplog.text
    assert not re.search(r"sweating|tonight|warning signs", written)
