"""A conversation is kept in the visitor's browser, and only where the visitor wants it."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from backend.scripted import ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta
from tests.conftest import Program, Serve
from tests.ui.conftest import Open
from ui import words

pytestmark = pytest.mark.browser

PLACE = "medicalgpt.kept"
CANARY = "canary"
STORES = """async () => {
  const databases = await indexedDB.databases();
  const caches_ = window.caches ? await caches.keys() : [];
  const all = [{...localStorage}, {...sessionStorage}, document.cookie, databases, caches_];
  return [JSON.stringify(all), localStorage.length + sessionStorage.length + databases.length
          + caches_.length + document.cookie.length];
}"""


def echo(conversation: Conversation, options: object) -> Iterator[Step]:
    yield ReasoningDelta(f"{CANARY} of a trace")
    yield AnswerDelta(f"You asked {len(conversation.turns)}: {conversation.question} <b>x</b>")
    yield Ended(EndReason.FINISHED)


def ask(page: Page, text: str) -> None:
    page.fill("#question textarea", text)
    page.press("#question textarea", "Enter")
    expect(page.locator("#chat .foot-finished").last).to_be_visible()
    expect(page.locator("body")).not_to_have_class(re.compile("answering"))


def switch_on(page: Page) -> None:
    settings(page)
    page.get_by_label(words.KEEP).check()
    page.wait_for_function(f"localStorage.getItem('{PLACE}') !== null")


def settings(page: Page) -> None:
    if not page.get_by_label(words.KEEP).is_visible():
        page.click("#settings .label-wrap")
    expect(page.get_by_label(words.KEEP)).to_be_visible()


def kept(page: Page) -> Any:
    return json.loads(page.evaluate(f"localStorage.getItem('{PLACE}')") or "null")


def reload(page: Page) -> None:
    page.reload()
    page.wait_for_selector("#question textarea")


def test_nothing_is_kept_anywhere_unless_it_is_asked_for(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    ask(page, f"{CANARY} of a question")
    settings(page)
    expect(page.get_by_label(words.KEEP)).not_to_be_checked()
    held, count = page.evaluate(STORES)
    assert CANARY not in held
    assert count == 0, held
    assert page.context.cookies() == []
    reload(page)
    expect(page.get_by_text(words.TAGLINE)).to_be_visible()
    assert CANARY not in page.content()


def test_what_is_kept_survives_a_reload_without_the_trace_and_goes_on(
    serve: Serve, open_page: Open
) -> None:
    backend = ScriptedBackend(echo)
    page = open_page(serve(backend))
    ask(page, "first <i>one</i>")
    switch_on(page)
    ask(page, "second")
    page.wait_for_function(f"JSON.parse(localStorage.getItem('{PLACE}')).turns.length === 2")
    assert f"{CANARY} of a trace" not in json.dumps(kept(page))
    assert kept(page)["turns"][0]["whole"] is True
    reload(page)
    expect(page.locator("#chat .user-row")).to_have_count(2)
    expect(page.locator("#chat .bot-row").first).to_contain_text("You asked 1: first <i>one</i>")
    expect(page.locator("#chat .foot-finished")).to_have_count(2)
    expect(page.locator("#chat .foot").last).to_contain_text("first token after")
    assert page.locator("#chat :is(i, b)").count() == 0
    settings(page)
    expect(page.get_by_label(words.KEEP)).to_be_checked()
    ask(page, "third")
    expect(page.locator("#chat .foot-finished")).to_have_count(3)
    told = [turn.text for turn in backend.asked[-1][0].turns]
    assert told[::2] == ["first <i>one</i>", "second", "third"]
    page.wait_for_function(f"JSON.parse(localStorage.getItem('{PLACE}')).turns.length === 3")


def test_it_survives_a_restart_of_the_server(
    program: Callable[..., Program], open_page: Open
) -> None:
    quick = ("-m", "tests.serve_scripted", "slow", "--rate", "0")
    first = program(*quick)
    address = first.line("http://").strip()
    page = open_page(address)
    ask(page, "What is asthma?")
    switch_on(page)
    first.signal(signal.SIGTERM)
    assert first.end(15.0) == 0
    program(*quick, "--port", address.rsplit(":", 1)[1]).line("http://")
    page.goto(address)
    expect(page.locator("#chat .user-row")).to_contain_text("What is asthma?")
    expect(page.locator("#chat .bot-row").first).to_contain_text("word59")


def test_deleting_and_switching_off_and_a_new_conversation_remove_it_at_once(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    ask(page, "What is asthma?")
    switch_on(page)
    page.get_by_role("button", name=words.DELETE_KEPT).click()
    expect(page.locator("#told")).to_contain_text(words.SAID_BY_SCRIPT["deleted"])
    expect(page.get_by_label(words.KEEP)).not_to_be_checked()
    assert kept(page) is None
    ask(page, "And now?")
    assert kept(page) is None

    page.get_by_label(words.KEEP).check()
    page.wait_for_function(f"JSON.parse(localStorage.getItem('{PLACE}')).turns.length === 2")
    page.get_by_label(words.KEEP).uncheck()
    page.wait_for_function(f"localStorage.getItem('{PLACE}') === null")

    page.get_by_label(words.KEEP).check()
    page.wait_for_function(f"localStorage.getItem('{PLACE}') !== null")
    page.click("#new")
    page.wait_for_function(f"JSON.parse(localStorage.getItem('{PLACE}')).turns.length === 0")
    reload(page)
    expect(page.get_by_text(words.TAGLINE)).to_be_visible()


def test_what_is_deleted_in_one_tab_is_deleted_in_the_other(serve: Serve, open_page: Open) -> None:
    address = serve(ScriptedBackend(echo))
    one = open_page(address)
    ask(one, "What is asthma?")
    switch_on(one)
    two = one.context.new_page()
    two.goto(address)
    expect(two.locator("#chat .user-row")).to_have_count(1)
    two.evaluate(f"localStorage.removeItem('{PLACE}')")
    expect(one.get_by_label(words.KEEP)).not_to_be_checked()
    ask(one, "And now?")
    assert kept(one) is None


TAMPERED = [
    "",
    "{",
    "null",
    "[]",
    '{"version": 2, "turns": []}',
    '{"version": 1}',
    '{"version": 1, "turns": [null]}',
    '{"version": 1, "turns": [{"question": 7, "answer": null, "foot": null}]}',
    '{"version": 1, "turns": [{"question": "q", "answer": {}, "foot": null}]}',
    '{"version": 1, "turns": [{"question": "q", "answer": null, "foot": {"kind": "x\\" onload=\\"'
    'window.hit=1", "lines": []}}]}',
    '{"version": 1, "turns": ' + "[" * 5_000 + "]" * 5_000 + "}",
    json.dumps({"version": 1, "turns": [{}] * 5_000}),
]


def test_what_cannot_be_read_is_deleted_with_a_sentence(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    for value in TAMPERED:
        page.evaluate(f"value => localStorage.setItem('{PLACE}', value)", value)
        reload(page)
        expect(page.locator("#told")).to_contain_text(words.SAID_BY_SCRIPT["kept_broken"])
        expect(page.get_by_text(words.TAGLINE)).to_be_visible()
        assert kept(page) is None, value[:100]
        assert page.evaluate("window.hit") is None
    ask(page, "What is asthma?")
    assert kept(page) is None


def test_markup_that_somebody_put_into_it_is_text(serve: Serve, open_page: Open) -> None:
    hostile = (
        '<img src="https://x.invalid/a" onerror="window.hit=1"><script>window.hit=1</script>'
        '<form action="https://x.invalid"><input></form> ![a](https://x.invalid/b)'
    )
    line = ["note note-failed", hostile]
    foot = {"kind": "foot foot-finished", "lines": [line]}
    turn = {"question": hostile, "answer": hostile, "whole": True, "foot": foot}
    page = open_page(serve(ScriptedBackend(echo)))
    value = json.dumps({"version": 1, "turns": [turn]})
    page.evaluate(f"value => localStorage.setItem('{PLACE}', value)", value)
    reload(page)
    expect(page.locator("#chat .foot")).to_contain_text("<form")
    expect(page.locator("#chat .user-row")).to_contain_text("<img")
    assert page.evaluate("window.hit") is None
    assert page.locator("#chat .prose :is(img, script, form, input)").count() == 0


def test_what_is_kept_has_a_bound_and_the_oldest_goes_first(serve: Serve, open_page: Open) -> None:
    long = "x" * 30_000
    page = open_page(serve(ScriptedBackend(echo)))
    turn = {"question": long, "answer": None, "whole": False, "foot": None}
    turns = [{**turn, "question": f"{n} {long}"} for n in range(40)]
    value = json.dumps({"version": 1, "turns": turns})
    page.evaluate(f"value => localStorage.setItem('{PLACE}', value)", value)
    reload(page)
    expect(page.locator("#chat .user-row")).to_have_count(40)
    ask(page, "the last")
    page.wait_for_function(f"localStorage.getItem('{PLACE}').includes('the last')")
    assert len(page.evaluate(f"localStorage.getItem('{PLACE}')")) <= 400_000
    assert [each["question"][:2] for each in kept(page)["turns"][-3:-1]] == ["38", "39"]


def test_a_turn_with_a_notice_in_it_is_not_kept(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    switch_on(page)
    shown = [
        {"role": role, "content": [{"type": "text", "text": text}], "metadata": {"id": mark}}
        for role, text, mark in (
            ("user", "plain", "question"),
            ("assistant", "reply", "answer"),
            ("user", f"{CANARY} of despair", "question"),
            ("assistant", "notice", "crisis"),
            ("user", "plain again", "question"),
        )
    ]
    page.evaluate("shown => window.medicalgpt.keep(shown)", shown)
    assert [each["question"] for each in kept(page)["turns"]] == ["plain", "plain again"]


def test_from_a_notice_above_the_conversation_on_nothing_more_is_kept(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    ask(page, "plain")
    switch_on(page)
    page.evaluate(
        """() => document.body.insertAdjacentHTML(
            "afterbegin", "<div id=alarms><div class=alarm></div></div>")"""
    )
    ask(page, f"{CANARY} of an emergency")
    page.wait_for_timeout(500)
    assert [each["question"] for each in kept(page)["turns"]] == ["plain"]
    page.get_by_label(words.KEEP).uncheck()
    page.wait_for_function(f"localStorage.getItem('{PLACE}') === null")
    page.get_by_label(words.KEEP).check()
    page.wait_for_function(f"localStorage.getItem('{PLACE}') !== null")
    assert kept(page)["turns"] == []


def test_a_browser_that_allows_no_storage_says_so_and_answers(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new DOMException('full'); } }")
    settings(page)
    page.get_by_label(words.KEEP).click()
    expect(page.locator("#told")).to_contain_text(words.SAID_BY_SCRIPT["not_kept"])
    expect(page.get_by_label(words.KEEP)).not_to_be_checked()
    ask(page, "What is asthma?")


def test_what_is_kept_is_told_on_a_page_of_its_own_that_the_page_links(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=words.PRIVACY_LINK).click()
    told = opened.value
    expect(told.get_by_role("heading", name=words.PRIVACY_TITLE)).to_be_visible()
    for heading, text in words.PRIVACY_SECTIONS:
        expect(told.get_by_role("heading", name=heading)).to_be_visible()
        expect(told.get_by_text(text)).to_be_visible()
    told.get_by_role("link", name=words.DISCLAIMER_LINK).click()
    told.get_by_role("link", name=words.PRIVACY_LINK).click()
    expect(told.get_by_role("heading", name=words.PRIVACY_TITLE)).to_be_visible()
