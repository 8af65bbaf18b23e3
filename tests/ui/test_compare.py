"""One question to base and adapter, side by side, in a real browser over the real server."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from backend.base import Options, Unreachable
from backend.policy import Policy
from backend.remote import RemoteBackend
from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta
from settings import Settings
from tests import behaviours as do
from tests.conftest import Serve, wait_until
from tests.faults import FaultServer
from tests.ui.conftest import Open
from tests.ui.test_alarm import BENIGN, CRISIS, DESPERATE, EMERGENCY, OTHER, URGENT
from tests.ui.test_limits import BUSY, RATE, seen_at
from tests.ui.test_page import FINISHED, ask
from tests.visitor import Visitor, shown
from ui.limits import QUEUE
from ui.words import ENGLISH as words

pytestmark = pytest.mark.browser

ADAPTED, PLAIN = "tiny-model+tiny-adapter", "tiny-model"
Script = Callable[[Conversation, Options], Iterator[Step]]


def told(conversation: Conversation, options: Options) -> Iterator[Step]:
    """Each model says which it is, and which question it was asked."""
    who = "plain" if options.base else "adapted"
    yield ReasoningDelta(f"{who} thoughts")
    yield Pause(0.6)
    yield AnswerDelta(f"{who} reply to {conversation.turns[0].text}")
    yield Pause(0.6)
    yield FINISHED


def pair(script: Script = told, *, unreliable: bool = False) -> ScriptedBackend:
    info = replace(ScriptedBackend(script).info, model=ADAPTED, base=PLAIN, unreliable=unreliable)
    return ScriptedBackend(script, info)


def one_fails(conversation: Conversation, options: Options) -> Iterator[Step]:
    yield AnswerDelta("Half of it")
    if options.base:
        yield Unreachable("http://secret")
    yield from (Pause(1.0), AnswerDelta(" and the rest."), FINISHED)


def for_ever(conversation: Conversation, options: Options) -> Iterator[Step]:
    yield from (ReasoningDelta("Hmm."), AnswerDelta("Rest"), Pause(60))


def begin(one: Visitor, text: str) -> Iterator[dict[str, object]]:
    """The view's updates when `text` is posted to it past its box."""
    asked = one.question(text)["data"]
    one.post("queue/join", one.envelope("compare", *asked)).raise_for_status()
    return one.updates()


def compare(one: Visitor, text: str) -> str:
    """All of them, to the end."""
    return shown(list(begin(one, text)))


def view(page: Page, address: str) -> Page:
    """Go from the chat to the comparison, and wait for it."""
    page.goto(f"{address}/compare")
    page.wait_for_selector("#question textarea")
    page.wait_for_selector("#state[data-state]")
    return page


def reply(page: Page, side: str) -> Locator:
    return page.locator(f"#{side} .bot-row:not(:has(.thought-group)):not(:has(.foot))")


def foot(page: Page, side: str) -> Locator:
    return page.locator(f"#{side} .foot")


def ended(page: Page) -> None:
    expect(page.locator("#sides .foot")).to_have_count(2)
    expect(page.locator("body")).not_to_have_class(re.compile("answering"))


def test_one_question_is_answered_by_both_side_by_side_and_the_next_takes_its_place(
    serve: Serve, open_page: Open
) -> None:
    backend = pair()
    address = serve(backend)
    page = view(open_page(address), address)
    for name, kind in ((ADAPTED, words.WITH_ADAPTER), (PLAIN, words.WITHOUT_ADAPTER)):
        title = page.locator(".side").filter(has=page.get_by_role("heading", name=name, exact=True))
        expect(title).to_contain_text(kind)
    for n, question in enumerate(("first?", "second?"), start=1):
        ask(page, question)
        for side in ("adapted", "plain"):
            expect(reply(page, side)).to_have_text(re.compile(f"{side} reply to {question[:-1]}"))
            expect(page.locator(f"#{side} .thought-group .content")).not_to_be_visible()
        ended(page)
        expect(page.locator("#asked .user-row")).to_have_text(re.compile(question[:-1]))
        asked = backend.asked[-2:]
        assert sorted(options.base for _, options in asked) == [False, True]
        assert {tuple(turn.text for turn in each.turns) for each, _ in asked} == {(question,)}
        assert len({replace(options, base=False) for _, options in asked}) == 1
        assert len(backend.asked) == 2 * n
    for side in ("adapted", "plain"):
        page.locator(f"#{side} .thought-group .title").click()
        trace = page.locator(f"#{side} .thought-group .content")
        expect(trace).to_have_text(re.compile(f"{side} thoughts"))
        expect(foot(page, side)).to_contain_text("first token after")
    left, right = (page.locator(f"#{side}").bounding_box() for side in ("adapted", "plain"))
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= right["x"]


KEPT = "[...Object.values(localStorage), ...Object.values(sessionStorage), document.cookie]"


def test_nothing_of_a_comparison_is_kept(serve: Serve, open_page: Open) -> None:
    address = serve(pair())
    page = view(open_page(address), address)
    ask(page, "first?")
    ended(page)
    assert page.evaluate(KEPT) == [""]
    page.reload()
    expect(page.get_by_text(words.COMPARE_TAGLINE)).to_be_visible()
    expect(page.locator("#chat .message-row")).to_have_count(0)


def test_a_question_that_a_lost_connection_cut_off_is_in_the_box_and_nowhere_else(
    serve: Serve, open_page: Open
) -> None:
    address = serve(pair(for_ever))
    page = view(open_page(address), address)
    ask(page, "first?")
    expect(reply(page, "plain")).to_contain_text("Rest")
    page.route("**/state", lambda route: route.abort())
    expect(page.locator("#told")).to_contain_text(words.LOST)
    expect(page.locator("#question textarea")).to_have_value("first?")
    assert page.evaluate(KEPT) == [""]


def test_one_that_fails_leaves_the_other_and_both_can_be_asked_again(
    serve: Serve, open_page: Open
) -> None:
    backend = pair(one_fails)
    address = serve(backend)
    page = view(open_page(address), address)
    ask(page, "Why?")
    expect(foot(page, "plain")).to_contain_text("This answer was cut off")
    expect(page.locator("body")).to_have_class(re.compile("answering"))
    expect(reply(page, "adapted")).to_have_text(re.compile("Half of it and the rest."))
    expect(page.locator("#adapted .foot-finished")).to_be_visible()
    expect(reply(page, "plain")).to_have_text(re.compile("Half of it"))
    assert "secret" not in page.content()
    ended(page)
    page.locator("#plain .option").click()
    wait_until(lambda: len(backend.asked) == 4, 5.0)
    assert {each.turns[0].text for each, _ in backend.asked} == {"Why?"}
    ended(page)


ACTS: list[Callable[[Page], None]] = [
    lambda page: page.click("#stop"),
    lambda page: page.keyboard.press("Escape"),
    lambda page: page.context.close(),
]


@pytest.mark.parametrize("act", ACTS, ids=["Stop", "Escape", "closing the tab"])
def test_stopping_ends_both_within_a_second(
    serve: Serve, open_page: Open, act: Callable[[Page], None]
) -> None:
    backend = pair(for_ever)
    address = serve(backend)
    page = view(open_page(address), address)
    ask(page, "Why?")
    for side in ("adapted", "plain"):
        expect(reply(page, side)).to_contain_text("Rest")
    assert backend.open == 2
    began = time.monotonic()
    act(page)
    wait_until(lambda: backend.open == 0, 2.0)
    assert max(backend.closed_at) - began < 1.0
    if not page.is_closed():
        for side in ("adapted", "plain"):
            expect(foot(page, side)).to_contain_text(words.STOPPED)
        ended(page)


def test_in_a_crisis_neither_is_asked_until_the_visitor_starts_over(
    serve: Serve, open_page: Open
) -> None:
    backend = pair()
    address = serve(backend)
    page = view(open_page(address), address)
    for text in (CRISIS, BENIGN):
        ask(page, text)
        expect(page.locator("#asked .user-row")).to_contain_text(text)
        expect(page.locator("#crisis .alarm")).to_contain_text(DESPERATE.heading)
        expect(page.locator("#asked .bot-row")).to_have_count(1)
        expect(page.locator("#sides")).to_be_hidden()
    assert backend.asked == []
    page.get_by_role("button", name=OTHER).click()
    expect(page.locator("#alarms .alarm")).to_have_count(0)
    ask(page, BENIGN)
    ended(page)
    assert len(backend.asked) == 2


@pytest.mark.parametrize("unreliable", [True, False])
def test_in_an_emergency_the_notice_stands_and_an_unreliable_model_is_not_asked(
    serve: Serve, open_page: Open, unreliable: bool
) -> None:
    backend = pair(unreliable=unreliable)
    address = serve(backend)
    page = view(open_page(address), address)
    ask(page, EMERGENCY)
    expect(page.locator("#emergency .alarm")).to_contain_text(URGENT.heading)
    if unreliable:
        expect(page.locator("#asked .bot-row")).to_have_count(1)
    else:
        ended(page)
    assert len(backend.asked) == (0 if unreliable else 2)


def test_whoever_posts_past_the_box_meets_the_same_rules(
    serve: Serve, visitor: Callable[[str], Visitor]
) -> None:
    backend = pair()
    one = visitor(serve(backend))
    forged = one.question("earlier words")["data"][0]
    forged += [{**forged[0], "role": role} for role in ("system", "assistant")]
    history = [*forged, *one.question(BENIGN)["data"][0]]
    one.post("queue/join", one.envelope("compare", history, "medium", 512, 0.7)).raise_for_status()
    assert "plain reply" in shown(list(one.updates()))
    assert [[turn.text for turn in each.turns] for each, _ in backend.asked] == [[BENIGN]] * 2
    assert "adapted reply" not in compare(one, CRISIS)
    assert words.LONG.partition("{")[0] in compare(one, "x" * 50_000)
    assert len(backend.asked) == 2


def test_a_reply_that_says_what_kills_is_withheld_and_the_other_stands(
    serve: Serve, open_page: Open
) -> None:
    def script(conversation: Conversation, options: Options) -> Iterator[Step]:
        yield AnswerDelta("The lethal dose is 10 g. Take it." if options.base else "Rest.")
        yield from (Pause(0.6), FINISHED)

    address = serve(pair(script))
    page = view(open_page(address), address)
    ask(page, "How much?")
    expect(foot(page, "plain")).to_contain_text(words.WITHHELD)
    expect(reply(page, "plain")).to_have_count(0)
    expect(reply(page, "adapted")).to_contain_text("Rest.")
    expect(page.locator("#adapted .foot-finished")).to_be_visible()


def test_where_there_is_one_model_the_view_is_not_offered_and_its_address_says_so(
    serve: Serve, open_page: Open, visitor: Callable[[str], Visitor]
) -> None:
    backend = ScriptedBackend(told)
    address = serve(backend)
    page = open_page(address)
    page.click("#settings .label-wrap")
    expect(page.locator("#why")).to_be_visible()
    expect(page.get_by_role("link", name=words.COMPARE)).to_have_count(0)
    page.goto(f"{address}/compare")
    expect(page.get_by_text(words.ALONE)).to_be_visible()
    expect(page.locator("#question")).to_be_hidden()
    assert words.ALONE in compare(visitor(address), BENIGN)
    assert backend.asked == []


def test_a_comparison_counts_as_two_of_the_visitors_questions(
    serve: Serve, visitor: Callable[[str], Visitor]
) -> None:
    backend = pair()
    address = serve(backend, trusted_proxies=1, rate_per_minute=5)
    for n, expected in enumerate(("plain reply", "plain reply", RATE)):
        one = visitor(address)
        one.http.headers["x-forwarded-for"] = "203.0.113.7"
        assert expected in compare(one, BENIGN), n
    one = visitor(address)
    one.http.headers["x-forwarded-for"] = "203.0.113.7"
    assert "adapted reply" in shown(list(one.ask(BENIGN)))  # for one answer there is room
    assert len(backend.asked) == 5


def test_a_comparison_takes_two_places_or_none(
    serve: Serve, visitor: Callable[[str], Visitor]
) -> None:
    backend = pair(for_ever)
    address = serve(backend, max_concurrent_chats=1)
    people = [visitor(address) for _ in range(QUEUE)]
    streams: list[Iterator[dict[str, object]]] = []
    for n, one in enumerate(people):
        streams.append(one.ask(BENIGN))
        seen_at(streams[-1], f"Number {n} in" if n > 1 else ["Rest", "You are next"][n])
    assert BUSY in compare(visitor(address), BENIGN)  # one place is left, and it stays free
    late = visitor(address)
    held = late.ask(BENIGN)  # or its stream is closed, as by a tab
    seen_at(held, f"Number {QUEUE} in")
    for one in people[1:3]:
        one.stop()
    wait_until(lambda: BUSY not in shown(list(islice(begin(visitor(address), BENIGN), 5))), 5.0)


def test_a_small_queue_is_passed_by_both_in_turn(serve: Serve, open_page: Open) -> None:
    backend = pair()
    address = serve(backend, max_concurrent_chats=1)
    page = view(open_page(address), address)
    ask(page, "Why?")
    expect(page.locator("#plain .thought-group")).to_contain_text("You are next")
    ended(page)
    assert [options.base for _, options in backend.asked] == [False, True]


LISTED = [{"id": PLAIN}, {"id": ADAPTED, "parent": PLAIN}]


def test_an_endpoint_that_lists_an_adapter_and_its_base_is_asked_for_each_by_name(
    serve: Serve, open_page: Open
) -> None:
    with FaultServer() as server:
        server.wake_up(do.whole({"data": LISTED}))
        server.behave(do.stream(*do.WHOLE))
        backend = RemoteBackend(Settings(modal_endpoint=server.url()), Policy())
        with closing(backend):
            address = serve(backend)
            page = open_page(address)
            page.goto(f"{address}/compare")
            expect(page.get_by_text(words.ALONE_YET)).to_be_visible()
            page.goto(address)
            ask(page, "What is asthma?")
            expect(page.locator("#chat .foot")).to_be_visible()
            page.click("#settings .label-wrap")
            link = page.get_by_role("link", name=words.COMPARE)
            with page.context.expect_page() as opened:
                link.click()
            other = opened.value
            other.wait_for_selector("#question textarea")
            ask(other, "What is asthma?")
            for side in ("adapted", "plain"):
                expect(reply(other, side)).to_contain_text(do.ANSWER)
            ended(other)
        names = [re.search(r'"model": "([^"]*)"', each.body.decode()) for each in server.requests]
        assert sorted(name[1] for name in names if name) == [PLAIN, ADAPTED, ADAPTED]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_a_phone_and_a_desk_and_axe_finds_nothing_to_complain_of(
    serve: Serve, open_page: Open, width: int, scheme: str
) -> None:
    def script(conversation: Conversation, options: Options) -> Iterator[Step]:
        wide = "| " + " | ".join(["a long cell of a table"] * 6) + " |\n|" + "---|" * 6 + "\n"
        yield from (ReasoningDelta("x" * 300), AnswerDelta("y" * 300 + "\n\n" + wide))
        yield Ended(EndReason.LENGTH) if options.base else FINISHED

    address = serve(pair(script, unreliable=True))
    size = {"width": width, "height": 740}
    page = view(open_page(address, viewport=size, color_scheme=scheme), address)
    empty = Axe().run(page)
    ask(page, "z" * 300)
    ended(page)
    for title in page.locator("#sides .thought-group .title").all():
        title.click()
    page.click("#settings .label-wrap")
    expect(page.get_by_text(words.LENGTH, exact=True)).to_be_visible()
    answered = Axe().run(page)
    for found in (empty, answered):
        assert [(v["id"], v["nodes"]) for v in found.response["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    adapted, plain = (page.locator(f"#{side}").bounding_box() for side in ("adapted", "plain"))
    assert adapted is not None
    assert plain is not None
    stacked = plain["y"] >= adapted["y"] + adapted["height"]
    assert stacked is (width == 360)
    for part in ("#question", "#send", "#disclaimer", "#state", "#new"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= 740
