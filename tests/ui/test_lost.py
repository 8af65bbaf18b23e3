"""The connection is lost under an open page, or the page under its answer; and what comes back."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from backend.base import Options
from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta
from tests.conftest import Program, Serve, wait_until
from tests.line import Line
from tests.ui.conftest import Open
from ui.words import ENGLISH as words

pytestmark = pytest.mark.browser

FINISHED = Ended(EndReason.FINISHED)


def steadily(conversation: Conversation, options: Options) -> Iterator[Step]:
    """About eight seconds of words; a conversation that goes on is answered at once.

    With a caution, which stands under an answer as its foot does, but while it is written.
    """
    if len(conversation.turns) == 1:
        yield ReasoningDelta("Let me think.")
        yield AnswerDelta("A dose of 500 mg is one thing. ")
        for n in range(40):
            yield Pause(0.2)
            yield AnswerDelta(f"word{n} ")
    yield AnswerDelta("The end.")
    yield FINISHED


def half(conversation: Conversation, options: Options) -> Iterator[Step]:
    yield AnswerDelta("A dose of 500 mg is half of ")
    yield Pause(60)


@pytest.fixture
def network(serve: Serve) -> Iterator[Callable[..., Line]]:
    """`network(backend, **settings)` serves it at the end of a line."""
    lines: list[Line] = []

    def lay(backend: ScriptedBackend, **settings: object) -> Line:
        lines.append(Line(serve(backend, **settings)))
        return lines[-1]

    yield lay
    for each in lines:
        each.close()


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Pages are loaded anew here, and silence takes a while to notice."""
    expect.set_options(timeout=20_000)
    yield
    expect.set_options(timeout=5_000)


Network = Callable[..., Line]


def ask(page: Page, text: str, until: str = "") -> None:
    page.fill("#question textarea", text)
    page.press("#question textarea", "Enter")
    if until:
        expect(page.locator("#chat")).to_contain_text(until)


def nothing_is_left(page: Page) -> None:
    expect(page.locator("#told")).to_be_empty()
    expect(page.locator("#send")).to_be_visible()
    wait_until(lambda: page.evaluate("sessionStorage.length") == 0, 2.0)


def test_a_page_that_loses_the_connection_keeps_its_text_and_goes_on_when_it_is_back(
    network: Network, open_page: Open
) -> None:
    backend = ScriptedBackend(steadily)
    net = network(backend)
    page = open_page(net.address)
    page.evaluate("window.here = 'not loaded again'")
    ask(page, "What is asthma?", "word3")

    net.cut()
    expect(page.locator("#told")).to_have_text(words.LOST_GOING)
    expect(page.locator("#state")).to_contain_text(words.said_by_script()["gone"])
    expect(page.locator("#chat")).to_contain_text("word3")
    assert backend.open == 1
    page.wait_for_timeout(1_000)
    net.mend()
    expect(page.locator("#told")).to_be_empty()
    expect(page.locator("#chat")).to_contain_text("word15")
    net.drop()  # a proxy that has had enough: back at once, and nothing need be said
    expect(page.locator("#chat .foot-finished")).to_be_visible()
    expect(page.locator("#chat")).to_contain_text("word38 word39 The end.")
    assert page.evaluate("window.here") == "not loaded again"
    nothing_is_left(page)

    ask(page, "And in children?")
    expect(page.locator("#chat .foot-finished")).to_have_count(2)
    told = [[turn.text for turn in conversation.turns] for conversation, _ in backend.asked]
    assert len(told) == 2
    assert told[1][1].endswith("The end.")


def test_a_connection_that_falls_silent_is_given_up_and_the_answer_fetched_by_another(
    network: Network, open_page: Open
) -> None:
    more = threading.Event()

    def told(conversation: Conversation, options: Options) -> Iterator[Step]:
        yield AnswerDelta("One, ")
        while not more.is_set():
            yield Pause(0.2)
        yield AnswerDelta("two.")
        yield FINISHED

    backend = ScriptedBackend(told)
    net = network(backend)
    page = open_page(net.address)
    ask(page, "Why?", "One,")
    net.silence(b"queue/data")  # the answer's own, while the looks at the server go on
    more.set()
    expect(page.locator("#chat .foot-finished")).to_be_visible()
    assert len(backend.asked) == 1
    nothing_is_left(page)
    net.silence()  # and every other: the next question goes nowhere
    ask(page, "And?")
    expect(page.locator("#chat .foot-finished")).to_have_count(2, timeout=45_000)
    assert len(backend.asked) == 2
    nothing_is_left(page)


WHOLE: list[Step] = [AnswerDelta("and whole."), FINISHED]


def test_a_page_that_the_phone_threw_away_has_its_conversation_and_the_answer_again(
    network: Network, open_page: Open
) -> None:
    more = threading.Event()

    def second_is_slow(conversation: Conversation, options: Options) -> Iterator[Step]:
        yield AnswerDelta(f"Said to {conversation.question} ")
        while len(conversation.turns) > 1 and not more.is_set():
            yield Pause(0.2)
        yield from WHOLE

    backend = ScriptedBackend(second_is_slow)
    net = network(backend)
    page = open_page(net.address)
    ask(page, "one")
    expect(page.locator("#chat .foot-finished")).to_be_visible()
    ask(page, "two", "Said to two")
    page.evaluate("navigator.sendBeacon = () => false")  # the page cannot say that it goes
    net.cut()
    page.goto("about:blank")
    net.mend()
    page.goto(net.address)
    for text in ("Said to one and whole.", "Said to two"):
        expect(page.locator("#chat")).to_contain_text(text)
    expect(page.locator("#stop")).to_be_visible()
    more.set()
    expect(page.locator("#chat .foot-finished")).to_have_count(2)
    expect(page.locator("#chat")).to_contain_text("Said to two and whole.")
    assert len(backend.asked) == 2
    nothing_is_left(page)
    page.reload()
    expect(page.get_by_text(words.TAGLINE)).to_be_visible()


def test_who_comes_back_too_late_finds_what_came_and_it_is_marked(
    network: Network, open_page: Open
) -> None:
    backend = ScriptedBackend(half)
    net = network(backend, resume_seconds=2)
    page = open_page(net.address)
    ask(page, "How much?", "half of")
    expect(page.locator("#chat .caution")).to_be_visible()
    net.cut()
    expect(page.locator("#told")).to_have_text(words.LOST_GOING)
    wait_until(lambda: backend.open == 0, 4.0)
    expect(page.locator("#told")).to_have_text(words.LOST_OVER)
    expect(page.locator("#send")).to_be_visible()
    net.mend()
    foot = page.locator("#chat .foot-cut")
    expect(foot).to_contain_text(words.LOST_CUT)
    expect(foot).to_contain_text(words.CAUTION)
    expect(page.locator("#chat")).to_contain_text("half of")
    expect(page.locator("#chat .loading-spinner")).to_have_count(0)
    nothing_is_left(page)
    ask(page, "And now?")
    wait_until(lambda: len(backend.asked) == 2, 5.0)
    conversation, _ = backend.asked[1]
    assert [turn.text for turn in conversation.turns] == ["How much?\n\nAnd now?"]


def test_a_tab_that_was_duplicated_has_the_answer_and_the_first_says_so(
    serve: Serve, open_page: Open
) -> None:
    more = threading.Event()

    def waits(conversation: Conversation, options: Options) -> Iterator[Step]:
        yield AnswerDelta("half ")
        while not more.is_set():
            yield Pause(0.2)
        yield from WHOLE

    backend = ScriptedBackend(waits)
    address = serve(backend)
    page, copy = open_page(address), open_page(address)
    ask(page, "What is asthma?", "half")
    kept = page.evaluate("sessionStorage.getItem('medicalgpt.lost')")
    copy.evaluate("kept => sessionStorage.setItem('medicalgpt.lost', kept)", kept)
    copy.reload()
    expect(copy.locator("#chat")).to_contain_text("What is asthma?")
    expect(page.locator("#chat .foot-elsewhere")).to_contain_text(words.ELSEWHERE)
    expect(page.locator("#send")).to_be_visible()
    page.close()
    more.set()
    expect(copy.locator("#chat .foot-finished")).to_be_visible()
    assert len(backend.asked) == 1


def test_a_stop_that_was_pressed_without_a_connection_holds_when_it_is_back(
    network: Network, open_page: Open
) -> None:
    backend = ScriptedBackend(half)
    net = network(backend)
    page = open_page(net.address)
    ask(page, "How much?", "half of")
    net.cut()
    expect(page.locator("#told")).to_have_text(words.LOST_GOING)
    page.click("#stop")
    net.mend()
    expect(page.locator("#chat .foot-stopped")).to_contain_text(words.STOPPED)
    assert backend.open == 0
    nothing_is_left(page)


def test_a_question_that_is_asked_while_the_network_is_off_is_sent_when_it_is_on(
    serve: Serve, open_page: Open
) -> None:
    backend = ScriptedBackend(lambda *asked: WHOLE)
    page = open_page(serve(backend))
    page.context.set_offline(True)
    ask(page, "Why?")
    expect(page.locator("#told")).to_have_text(words.LOST_SENDING)
    assert page.input_value("#question textarea") == "Why?"
    page.context.set_offline(False)
    expect(page.locator("#chat .foot-finished")).to_be_visible()
    assert len(backend.asked) == 1
    nothing_is_left(page)


def test_a_page_that_is_loaded_again_by_hand_ends_its_answer_and_keeps_the_question(
    serve: Serve, open_page: Open
) -> None:
    backend = ScriptedBackend(half)
    page = open_page(serve(backend))
    ask(page, "How much?", "half of")
    page.reload()
    wait_until(lambda: backend.open == 0, 1.0)
    expect(page.locator("#chat .user-row")).to_contain_text("How much?")
    expect(page.locator("#chat .foot-cut")).to_contain_text(words.LOST_CUT)
    nothing_is_left(page)
    page.get_by_role("button", name=words.AGAIN).click()
    wait_until(lambda: len(backend.asked) == 2, 5.0)


def test_a_killed_server_costs_the_visitor_no_text_and_the_page_works_again(
    program: Callable[..., Program], open_page: Open
) -> None:
    first = program("-m", "tests.serve_scripted", "slow", "--rate", "8", "--reasoning", "4")
    address = first.line("http://").strip()
    page = open_page(address)
    ask(page, "I have crushing chest pain going down my left arm.", "word3")
    expect(page.locator("#alarms .alarm-emergency")).to_be_visible()

    first.signal(signal.SIGKILL)
    expect(page.locator("#told")).to_contain_text(words.LOST_GOING)
    expect(page.locator("#state")).to_contain_text(words.said_by_script()["gone"])
    expect(page.locator("#chat")).to_contain_text("word3")
    page.fill("#question textarea", "typed meanwhile")

    port = address.rsplit(":", 1)[1]
    again = program("-m", "tests.serve_scripted", "slow", "--rate", "0", "--port", port)
    again.line("http://")
    expect(page.locator("#state")).to_contain_text("ready")
    # It is another server: the page is loaded anew, with what it had.
    foot = page.locator("#chat .foot-cut")
    expect(foot).to_contain_text(words.LOST_CUT)
    expect(page.locator("#chat .user-row")).to_contain_text("crushing chest pain")
    expect(page.locator("#chat")).to_contain_text("word3")
    expect(page.locator("#question textarea")).to_have_value("typed meanwhile")
    expect(page.locator("#alarms .alarm-emergency")).to_be_visible()
    page.locator("#alarms select").select_option("gb")
    expect(page.locator("#alarms .alarm-emergency")).to_contain_text("999")
    page.get_by_role("button", name=words.AGAIN).click()
    expect(page.locator("#chat .foot-finished")).to_be_visible()
    expect(page.locator("#alarms .alarm")).to_have_count(1)
    nothing_is_left(page)
    page.click("#new")
    expect(page.locator("#alarms .alarm")).to_have_count(0)


@pytest.mark.parametrize(("view", "count"), [("", 1), ("compare", 2)])
def test_a_tab_that_is_closed_over_a_line_that_stays_open_says_so(
    network: Network, open_page: Open, view: str, count: int
) -> None:
    """Some proxies keep their connection to the server when a browser leaves."""

    def for_ever(conversation: Conversation, options: Options) -> Iterator[Step]:
        yield from (AnswerDelta("half"), Pause(60))

    info = replace(ScriptedBackend(for_ever).info, base="plain")
    backend = ScriptedBackend(for_ever, info)
    net = network(backend)
    net.lingers = True
    page = open_page(net.address)
    page.goto(f"{net.address}/{view}")
    page.wait_for_selector("#question textarea")
    ask(page, "Why?", "half")
    wait_until(lambda: backend.open == count, 2.0)
    began = time.monotonic()
    page.close()
    wait_until(lambda: backend.open == 0, 2.0)
    assert max(backend.closed_at) - began < 1.0
