"""Conversations are kept in the visitor's browser, and only where the visitor wants it."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from backend.scripted import ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta
from tests.conftest import Program, Serve
from tests.ui.conftest import Open
from ui.words import ENGLISH as words

pytestmark = pytest.mark.browser

PLACE = "medicalgpt.kept."
FIRST = "medicalgpt.kept"
CANARY = "canary"
EMERGENCY = "I have crushing chest pain going down my left arm and I am sweating."
TURNS = f"""Object.entries(localStorage).filter(([name]) => name.startsWith('{PLACE}'))
    .reduce((sum, [, written]) => sum + JSON.parse(written).conversations[0].turns.length, 0)"""
"""In the browser: how many turns are kept, of all conversations together."""
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
    feet = page.locator("#chat .foot")
    before = feet.count()
    page.fill("#question textarea", text)
    page.press("#question textarea", "Enter")
    expect(feet).to_have_count(before + 1)
    expect(page.locator("body")).not_to_have_class(re.compile("answering"))


def afresh(page: Page) -> None:
    page.click("#new")
    expect(page.get_by_text(words.TAGLINE)).to_be_visible()


def opened(page: Page) -> Locator:
    """The drawer, open."""
    page.click("#open-conversations")
    expect(page.locator("#conversations")).to_be_visible()
    return page.locator("#conversations")


def switch_on(page: Page) -> None:
    opened(page).get_by_label(words.KEEP).check()
    page.wait_for_function("localStorage.getItem('medicalgpt.keeping') !== null")
    page.keyboard.press("Escape")
    expect(page.locator("#conversations")).not_to_be_visible()


def kept(page: Page) -> list[Any]:
    """The conversations that are there, the one that was begun first first."""
    script = f"""() => Object.entries(localStorage)
        .filter(([name]) => name.startsWith('{PLACE}')).map(([, written]) => written)"""
    files = [json.loads(written) for written in page.evaluate(script)]
    return sorted((file["conversations"][0] for file in files), key=lambda one: one["changed"])


def asked(conversation: Any) -> list[str]:
    return [turn["question"] for turn in conversation["turns"]]


def titles(page: Page) -> Locator:
    return page.locator("#kept-list .open b")


def put(page: Page, *conversations: Any, version: int = 2) -> None:
    """Into the browser's storage, as if they had been kept."""
    for each in conversations:
        file = {"format": "medicalgpt", "version": version, "conversations": [each]}
        script = "([name, value]) => localStorage.setItem(name, value)"
        page.evaluate(script, [PLACE + each["id"], json.dumps(file)])


def conversation(number: int, *questions: str) -> dict[str, Any]:
    turns = [{"question": each, "asked": None, "shown": 0, "replies": []} for each in questions]
    moment = f"2026-01-01T00:00:00.{number:03}Z"
    title = f"number {number}"
    return {
        "id": f"{number:032x}",
        "title": title,
        "begun": moment,
        "changed": moment,
        "turns": turns,
    }


def reload(page: Page) -> None:
    page.reload()
    page.wait_for_selector("#question textarea")


def test_nothing_is_kept_anywhere_unless_it_is_asked_for(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    ask(page, f"{CANARY} of a question")
    drawer = opened(page)
    expect(drawer.get_by_label(words.KEEP)).not_to_be_checked()
    expect(drawer.locator("#kept-state")).to_have_text(words.said_by_script()["keeping_off"])
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
    page.wait_for_function(f"{TURNS} === 2")
    [one] = kept(page)
    assert f"{CANARY} of a trace" not in json.dumps(one)
    assert one["title"] == "first <i>one</i>"
    reply = one["turns"][0]["replies"][0]
    assert (reply["whole"], reply["ended"], reply["model"]) == (
        True,
        "finished",
        backend.info.model,
    )
    assert (reply["effort"], reply["length"], reply["temperature"]) == ("medium", 1024, 0.7)
    reload(page)
    expect(page.locator("#chat .user-row")).to_have_count(2)
    expect(page.locator("#chat .bot-row").first).to_contain_text("You asked 1: first <i>one</i>")
    expect(page.locator("#chat .foot-finished")).to_have_count(2)
    expect(page.locator("#chat .foot").last).to_contain_text("first token after")
    assert page.locator("#chat :is(i, b)").count() == 0
    ask(page, "third")
    expect(page.locator("#chat .foot-finished")).to_have_count(3)
    told = [turn.text for turn in backend.asked[-1][0].turns]
    assert told[::2] == ["first <i>one</i>", "second", "third"]
    page.wait_for_function(f"{TURNS} === 3")
    [again] = kept(page)
    assert again["turns"][:2] == one["turns"]


def test_it_survives_a_restart_of_the_server(
    program: Callable[..., Program], open_page: Open
) -> None:
    quick = ("-m", "tests.serve_scripted", "slow", "--rate", "0")
    first = program(*quick)
    address = first.line("http://").strip()
    page = open_page(address)
    switch_on(page)
    ask(page, "What is asthma?")
    page.wait_for_function(f"{TURNS} === 1")
    first.signal(signal.SIGTERM)
    assert first.end(30.0) == 0
    program(*quick, "--port", address.rsplit(":", 1)[1]).line("http://")
    page.goto(address)
    asked_again = page.locator("#chat .user-row")
    expect(asked_again).to_contain_text("What is asthma?", timeout=20_000)  # Gradio loads anew
    expect(page.locator("#chat .bot-row").first).to_contain_text("word59")


def test_conversations_are_listed_opened_renamed_and_deleted(serve: Serve, open_page: Open) -> None:
    backend = ScriptedBackend(echo)
    page = open_page(serve(backend))
    switch_on(page)
    for question in ("one", "two", "three"):
        afresh(page)
        ask(page, question)
    drawer = opened(page)
    expect(titles(page)).to_have_text(["three", "two", "one"])
    expect(page.locator("[aria-current]")).to_contain_text("three")

    drawer.get_by_role("button", name="Rename “two”").click()
    page.keyboard.type("the second")
    page.keyboard.press("Enter")
    expect(titles(page)).to_have_text(["three", "the second", "one"])
    assert page.evaluate("document.activeElement.textContent").startswith("the second")

    drawer.get_by_role("button", name="one").first.click()
    expect(page.locator("#chat .user-row")).to_have_text(["one"])
    ask(page, "and then?")
    assert [turn.text for turn in backend.asked[-1][0].turns][::2] == ["one", "and then?"]
    opened(page)
    expect(titles(page)).to_have_text(["one", "three", "the second"])

    drawer.get_by_role("button", name="Delete “three”").click()
    page.keyboard.press("Escape")  # leaves the question, not the drawer
    expect(titles(page)).to_have_count(3)
    drawer.get_by_role("button", name="Delete “three”").click()
    drawer.get_by_role("button", name="Delete", exact=True).click()
    expect(titles(page)).to_have_text(["one", "the second"])
    drawer.get_by_role("button", name="Delete “one”").click()
    drawer.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#chat .user-row")).to_have_count(0)  # what is deleted leaves the page
    assert [one["title"] for one in kept(page)] == ["the second"]

    drawer.get_by_role("button", name=words.DELETE_ALL).click()
    assert len(kept(page)) == 1
    drawer.get_by_role("button", name="Really delete all 1").click()
    expect(drawer.locator("#kept-none")).to_be_visible()
    assert kept(page) == []
    drawer.get_by_label(words.KEEP).uncheck()
    page.keyboard.press("Escape")
    ask(page, "not kept")
    assert page.evaluate(STORES)[1] == 0


def test_a_temporary_chat_is_one_click_and_a_new_conversation_ends_it(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    temporary = page.get_by_role("button", name=words.TEMPORARY)
    expect(temporary).not_to_be_visible()  # until something is kept, all are
    switch_on(page)
    ask(page, "kept")
    temporary.click()
    expect(page.get_by_text(words.TAGLINE)).to_be_visible()
    expect(temporary).to_have_attribute("aria-pressed", "true")
    ask(page, f"{CANARY} of a question")
    assert CANARY not in page.evaluate(STORES)[0]
    reload(page)
    expect(temporary).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text(words.TAGLINE)).to_be_visible()
    ask(page, f"{CANARY} of another")
    afresh(page)
    expect(temporary).to_have_attribute("aria-pressed", "false")
    ask(page, "kept too")
    page.wait_for_function("JSON.stringify({...localStorage}).includes('kept too')")
    assert [asked(one) for one in kept(page)] == [["kept"], ["kept too"]]


def test_what_is_sent_does_not_grow_with_what_is_kept(serve: Serve, open_page: Open) -> None:
    sent: list[int] = []
    posted: list[str] = []
    for count in (1, 50):
        page = open_page(serve(ScriptedBackend(echo)))
        put(page, *(conversation(n, *[f"{n} {'x' * 500}"] * 20) for n in range(count)))
        switch_on(page)
        page.on("request", lambda request: posted.append(request.post_data or ""))
        ask(page, "What is asthma?")
        opened(page)
        expect(titles(page)).to_have_count(count + 1)
        assert "What is asthma?" in "".join(posted)
        assert "xxx" not in "".join(posted)
        sent.append(sum(map(len, posted)))
        posted.clear()
    assert abs(sent[0] - sent[1]) < 10, sent  # the digits of times and random names


def test_two_tabs_never_overwrite_each_other_and_what_one_deletes_is_deleted_in_both(
    serve: Serve, open_page: Open
) -> None:
    address = serve(ScriptedBackend(echo))
    one = open_page(address)
    switch_on(one)
    ask(one, "What is asthma?")
    one.wait_for_function(f"{TURNS} === 1")
    two = one.context.new_page()
    two.goto(address)
    opened(two).get_by_role("button", name="What is asthma?").first.click()
    expect(two.locator("#chat .user-row")).to_have_count(1)
    ask(two, "in the second")
    ask(one, "in the first")
    one.wait_for_function(f"{TURNS} === 4")
    first = ["What is asthma?"]
    assert [asked(each) for each in kept(one)] == [
        [*first, "in the second"], [*first, "in the first"],
    ]  # fmt: skip

    opened(one).get_by_role("button", name=words.DELETE_ALL).click()
    one.get_by_role("button", name="Really delete all 2").click()
    two.bring_to_front()
    ask(two, "And now?")
    two.wait_for_timeout(300)
    assert kept(two) == []
    afresh(two)
    ask(two, "Afresh?")
    two.wait_for_function(f"{TURNS} === 1")
    two.evaluate(f"localStorage.removeItem('{PLACE}{kept(two)[0]['id']}')")  # nobody is told
    ask(two, "And then?")
    two.wait_for_timeout(300)
    assert kept(two) == []


FIRST_VERSION = {
    "version": 1,
    "turns": [
        {"question": "What is asthma?", "answer": "An <illness", "whole": True,
         "foot": {"kind": "foot foot-finished", "lines": [["figures", "42 tokens"]]}},
        {"question": "And COPD?", "answer": "It is", "whole": False,
         "foot": {"kind": "foot foot-stopped", "lines": [["note note-stopped", words.STOPPED]]}},
    ],
}  # fmt: skip


def test_what_the_first_version_kept_is_taken_over(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    page.evaluate(f"value => localStorage.setItem('{FIRST}', value)", json.dumps(FIRST_VERSION))
    reload(page)
    expect(page.locator("#chat .user-row")).to_have_text(["What is asthma?", "And COPD?"])
    expect(page.locator("#chat .foot-stopped")).to_contain_text(words.STOPPED)
    [one] = kept(page)
    assert [reply["ended"] for turn in one["turns"] for reply in turn["replies"]] == [
        "finished", "stopped",
    ]  # fmt: skip
    assert page.evaluate(f"localStorage.getItem('{FIRST}')") is None
    ask(page, "And croup?")
    page.wait_for_function(f"{TURNS} === 3")

    page.evaluate(f"localStorage.setItem('{FIRST}', '{{')")
    reload(page)
    expect(page.locator("#told")).to_contain_text(words.said_by_script()["kept_broken"])
    assert page.evaluate(f"localStorage.getItem('{FIRST}')") is None
    assert len(kept(page)) == 1


REPLY = {"answer": None, "ended": "finished", "whole": True, "foot": None}
TAMPERED: list[Any] = [
    None, [], {"turns": None}, {"turns": [None]}, {"turns": [{"question": 7, "replies": []}]},
    {"turns": [{"question": "q"}]}, {"turns": [{"question": "q", "replies": [REPLY] * 50}]},
    {"turns": [{"question": "q", "replies": [{**REPLY, "answer": {}}]}]},
    {"turns": [{"question": "q", "replies": [
        {**REPLY, "foot": {"kind": 'x" onload="window.hit=1', "lines": []}}]}]},
    {"turns": [{"question": "q" * 300_000, "replies": []}]},
]  # fmt: skip


def test_what_cannot_be_read_is_deleted_with_a_sentence_and_the_rest_stays(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    put(page, conversation(1, "whole"))
    put(page, conversation(2, "of the future"), version=3)
    for number, value in enumerate(TAMPERED):
        put(page, {**conversation(100 + number), "turns": []})
        file = {"format": "medicalgpt", "version": 2, "conversations": [value]}
        place = f"{PLACE}{100 + number:032x}"
        page.evaluate("([at, value]) => localStorage.setItem(at, value)", [place, json.dumps(file)])
        opened(page)
        expect(titles(page)).to_have_text(["number 1"])
        expect(page.locator("#told")).to_have_text(words.said_by_script()["kept_broken"])
        assert page.evaluate("at => localStorage.getItem(at)", place) is None, value
        assert page.evaluate("window.hit") is None
        page.keyboard.press("Escape")
        page.evaluate("window.medicalgpt.tell('')")
    assert [one["title"] for one in kept(page)] == ["number 1", "number 2"]


def test_several_replies_to_a_question_come_back_where_the_page_can_show_them(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    replies = [{**REPLY, "answer": each, "ended": "stopped"} for each in ("earlier", "later")]
    turn = {"question": "Why?", "asked": None, "shown": 1, "replies": replies}
    put(page, {**conversation(1), "turns": [turn]})
    opened(page)
    titles(page).click()
    first = page.locator("#chat .bot-row").first
    expect(first).to_have_text(re.compile("later"))
    way = page.locator("#chat .alternatives")
    expect(way).to_contain_text("2 of 2")
    way.get_by_role("button").first.click()
    expect(first).to_have_text(re.compile("earlier"))


def test_what_is_written_can_be_read_however_many_replies_a_question_has(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    switch_on(page)
    ask(page, "one")
    page.wait_for_function(f"{TURNS} === 1")
    script = """shown => {
        const [question, ...reply] = JSON.parse(JSON.stringify(shown));
        const replies = Array.from({ length: 25 }, (_, at) => reply.map((message) => (
            { ...message, content: [{ type: "text", text: `reply ${at}` }] })));
        window.medicalgpt.alternatives.restore(0, { shown: 3, replies });
        window.medicalgpt.keep([question, ...replies[3]]);
    }"""
    shown = [
        {"role": role, "content": [{"type": "text", "text": text}], "metadata": {"id": mark}}
        for role, text, mark in (("user", "one", "question"), ("assistant", "reply", "answer"))
    ]
    page.evaluate(script, shown)
    [one] = kept(page)
    [turn] = one["turns"]
    assert len(turn["replies"]) == 20
    assert turn["shown"] == 0, "the one on the page, which was the fourth"
    assert turn["replies"][1]["answer"] == "reply 4"
    expect(opened(page).locator("#kept-list .open b")).to_have_text(["one"])
    assert len(kept(page)) == 1


def test_something_else_after_a_fixed_reply_begins_another_conversation(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    switch_on(page)
    ask(page, "one")
    page.wait_for_function(f"{TURNS} === 1")
    page.fill("#question textarea", "I want to kill myself tonight.")
    page.press("#question textarea", "Enter")
    expect(page.locator("#crisis .alarm")).to_be_visible()
    page.locator("#chat .options button").last.click()
    expect(page.get_by_text(words.TAGLINE)).to_be_visible()
    ask(page, "two")
    page.wait_for_function(f"{TURNS} === 2")
    assert [asked(each) for each in kept(page)] == [["one"], ["two"]]


HOSTILE = (
    '<img src="https://x.invalid/a" onerror="window.hit=1"><script>window.hit=1</script>'
    '<form action="https://x.invalid"><input></form> ![a](https://x.invalid/b)\n\n'
    "[a link](https://x.invalid/c) https://x.invalid/d &lt;b&#62; $\\href{https://x.invalid}{e}$"
)


def hostile(number: int) -> dict[str, Any]:
    foot = {"kind": "foot foot-finished", "lines": [["note note-failed", HOSTILE]]}
    facts = {"model": f'm" onload="window.hit=1" {HOSTILE}', "revision": HOSTILE}
    reply = {"answer": HOSTILE, "ended": "finished", "whole": True, "foot": foot, **facts}
    turn = {"question": HOSTILE, "asked": HOSTILE, "shown": 0, "replies": [reply]}
    return {**conversation(number), "title": HOSTILE, "turns": [turn]}


def harmless(page: Page) -> None:
    expect(page.locator("#chat .foot")).to_contain_text("<form")
    expect(page.locator("#chat .user-row")).to_contain_text("<img")
    assert page.evaluate("window.hit") is None
    assert page.locator("#chat .prose :is(img, script, form, input, a)").count() == 0
    assert page.locator("#kept-list :is(img, script, form)").count() == 0


def test_markup_that_somebody_put_into_it_is_text(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    put(page, hostile(1))
    opened(page)
    titles(page).click()
    harmless(page)


def test_a_link_that_was_let_through_is_one_again(serve: Serve, open_page: Open) -> None:
    def linking(conversation: Conversation, options: object) -> Iterator[Step]:
        yield AnswerDelta(
            "See [the NHS](https://www.nhs.uk/a?b=c), https://who.int and PMID 123456."
        )
        yield Ended(EndReason.FINISHED)

    page = open_page(serve(ScriptedBackend(linking)))
    switch_on(page)
    ask(page, "Where?")
    page.wait_for_function(f"{TURNS} === 1")
    shown = page.locator("#chat .bot-row .prose").first.inner_html()
    assert shown.count("<a ") == 3  # one is the host in the mark
    reload(page)
    expect(page.locator("#chat .user-row")).to_have_count(1)
    assert page.locator("#chat .bot-row .prose").first.inner_html() == shown


def test_what_is_kept_has_a_bound_and_the_oldest_goes_first(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    put(page, conversation(1, *(f"{n} {'x' * 30_000}" for n in range(40))))
    switch_on(page)
    opened(page)
    titles(page).click()
    expect(page.locator("#chat .user-row")).to_have_count(40)
    ask(page, "the last")
    page.wait_for_function("JSON.stringify({...localStorage}).includes('the last')")
    [one] = kept(page)
    assert len(json.dumps(one)) <= 401_000
    assert [each[:2] for each in asked(one)[-3:]] == ["38", "39", "th"]


def test_where_there_is_no_room_one_sentence_says_so_and_nothing_is_lost(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    switch_on(page)
    ask(page, "kept")
    page.wait_for_function(f"{TURNS} === 1")
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new DOMException('full'); } }")
    ask(page, "too much")
    expect(page.locator("#told")).to_have_text(words.said_by_script()["kept_full"])
    assert [asked(one) for one in kept(page)] == [["kept"]]

    other = open_page(serve(ScriptedBackend(echo)))
    other.evaluate("() => { Storage.prototype.setItem = () => { throw new DOMException('no'); } }")
    opened(other).get_by_label(words.KEEP).click()
    expect(other.locator("#told")).to_have_text(words.said_by_script()["not_kept"])
    expect(other.get_by_label(words.KEEP)).not_to_be_checked()
    other.keyboard.press("Escape")
    ask(other, "What is asthma?")


def test_a_turn_with_a_fixed_reply_and_all_after_a_notice_is_not_kept(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    switch_on(page)
    shown = [
        {"role": role, "content": [{"type": "text", "text": text}], "metadata": {"id": mark}}
        for role, text, mark in (
            ("user", "plain", "question"),
            ("assistant", "reply", "answer"),
            ("user", f"{CANARY} of despair", "question"),
            ("assistant", "notice", "crisis"),
        )
    ]
    page.evaluate("shown => window.medicalgpt.keep(shown)", shown)
    assert [asked(one) for one in kept(page)] == [["plain"]]

    afresh(page)
    ask(page, "before")
    ask(page, EMERGENCY)  # this model is asked none the less, under a notice
    expect(page.locator("#alarms .alarm")).to_be_visible()
    page.wait_for_timeout(300)
    assert [asked(one) for one in kept(page)] == [["plain"], ["before"]]
    drawer = opened(page)
    expect(drawer.locator("#kept-state")).to_have_text(words.said_by_script()["keeping_warned"])
    drawer.get_by_label(words.KEEP).uncheck()
    drawer.get_by_label(words.KEEP).check()
    page.wait_for_timeout(300)
    assert [asked(one) for one in kept(page)] == [["plain"], ["before"]]
    titles(page).last.click()
    expect(page.locator("#alarms .alarm")).to_have_count(0)
    expect(page.locator("#chat .user-row")).to_have_text(["plain"])


def imported(page: Page, content: str) -> str:
    """What is said of a file with `content`."""
    page.locator("#kept-state").evaluate("told => { told.textContent = 'not yet'; }")
    file = {"name": "a.json", "mimeType": "application/json", "buffer": content.encode()}
    page.locator("#import-file").set_input_files(file)
    expect(page.locator("#kept-state")).not_to_have_text("not yet")
    return page.locator("#kept-state").inner_text()


def saved(page: Page, press: str) -> tuple[str, str]:
    """The name and the text of the file that a press of that button gives."""
    with page.expect_download() as download:
        page.click(press)
    return download.value.suggested_filename, Path(download.value.path()).read_text("utf-8")


def test_what_is_exported_is_imported_as_it_was_beside_what_is_there(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    switch_on(page)
    ask(page, "first <i>one</i>")
    ask(page, "second www.x.org")
    afresh(page)
    ask(page, "another")
    page.wait_for_function(f"{TURNS} === 3")
    drawer = opened(page)
    before = kept(page)
    name, text = saved(page, "#export-kept")
    assert re.fullmatch(r"medicalgpt-\d{4}-\d\d-\d\d\.json", name)
    file = json.loads(text)
    assert (file["format"], file["version"]) == ("medicalgpt", 2)
    assert file["disclaimer"] == words.DISCLAIMER
    assert imported(page, text) == "Conversations that were added: 2."
    expect(titles(page)).to_have_count(4)
    after = kept(page)
    assert len({one["id"] for one in after}) == 4
    assert [one for one in after if one in before] == before
    plain = [{**one, "id": None, "begun": None, "changed": None} for one in [*before, *after]]
    assert all(plain.count(one) == 3 for one in plain)

    drawer.get_by_role("button", name=words.DELETE_ALL).click()
    drawer.get_by_role("button", name="Really delete all 4").click()
    imported(page, text)
    titles(page).last.click()
    expect(page.locator("#chat .user-row")).to_have_count(2)
    expect(page.locator("#chat .foot-finished")).to_have_count(2)


def test_a_file_that_is_broken_hostile_or_too_much_is_answered_in_one_sentence(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(ScriptedBackend(echo)))
    put(page, conversation(1, "here before"))
    switch_on(page)
    opened(page)
    good = {"format": "medicalgpt", "version": 2, "conversations": [conversation(5, "good")]}
    said = words.said_by_script()
    broken: list[Any] = [
        "", "{", "null", "[]", json.dumps(good)[:-3], "[" * 50_000,
        *(json.dumps({**good, "conversations": [conversation(5, "x"), bad]}) for bad in TAMPERED),
        json.dumps({**good, "format": "another"}), json.dumps({**good, "version": 1}),
        json.dumps({**good, "conversations": [conversation(5, "x")] * 201}),
        json.dumps(good) + " " * 5_000_001,
    ]  # fmt: skip
    for text in broken:
        assert imported(page, text) == said["import_broken"], text[:80]
    assert imported(page, json.dumps({**good, "version": 3})) == said["import_new"]
    page.evaluate("localStorage.setItem('filler', 'x'.repeat(5_230_000))")
    big = {**good, "conversations": [conversation(n, "x" * 9_000) for n in range(2)]}
    assert imported(page, json.dumps(big)) == said["import_full"]
    page.evaluate("localStorage.removeItem('filler')")
    expect(titles(page)).to_have_text(["number 1"])
    assert len(kept(page)) == 1

    fixed = {"question": "q", "replies": [{**REPLY, "answer": "Call 112.", "ended": "fixed"}]}
    cut = {**conversation(6, "before"), "turns": [*conversation(6, "before")["turns"], fixed]}
    warned = {**conversation(7, "a", "b"), "notices": [{"turn": 1, "text": "Call 112."}]}
    said_of_it = imported(page, json.dumps({**good, "conversations": [cut, warned]}))
    assert said_of_it == f"Conversations that were added: 2. {said['import_left']}"
    assert [asked(one) for one in kept(page)] == [["here before"], ["before"], ["a"]]

    forged = {**REPLY, "answer": "half of", "ended": "stopped"}  # whole, it says
    unmarked = {"question": "q", "asked": None, "shown": 0, "replies": [forged]}
    marked = {**conversation(9), "title": "marked", "turns": [unmarked]}
    imported(page, json.dumps({**good, "conversations": [hostile(8), marked]}))
    titles(page).get_by_text("marked").click()
    expect(page.locator("#chat .note-cut")).to_have_text(said["unfinished"])
    opened(page)
    titles(page).get_by_text("<img").click()
    harmless(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_drawer_is_used_by_keyboard_and_fits_a_phone(
    serve: Serve, open_page: Open, scheme: str
) -> None:
    size = {"width": 360, "height": 740}
    page = open_page(serve(ScriptedBackend(echo)), viewport=size, color_scheme=scheme)
    put(
        page,
        *(conversation(n, "w" * 200) for n in range(30)),
        {**conversation(40), "title": "w" * 99},
    )
    switch_on(page)
    ask(page, "What is asthma?")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    ways = {
        "conversations": ["open-conversations"],
        "exporting": ["open-conversations", "export-this"],
    }
    for dialog, way in ways.items():
        for button in way:
            page.locator(f"#{button}").focus()
            page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        assert page.evaluate("document.querySelector('dialog[open]').scrollWidth") <= 360
        assert page.evaluate("document.activeElement.closest('dialog').id") == dialog
        assert [v["id"] for v in Axe().run(page).response["violations"]] == []
        small = (
            "all => all.map(e => e.getBoundingClientRect()).filter(r => r.height && r.height < 44)"
        )
        assert (
            page.locator(f"#{dialog} :is(button, label), #entries button").evaluate_all(small) == []
        )
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).not_to_be_visible()
        assert page.evaluate("document.activeElement.id") == "open-conversations"


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
