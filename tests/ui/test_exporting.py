"""A conversation is taken along with all that says what it is worth."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.base import Effort, Interrupted, Option, Options
from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta
from tests.conftest import Serve
from tests.ui.conftest import Open
from ui.words import ENGLISH as words

pytestmark = pytest.mark.browser

SAID = words.said_by_script()
CRISIS = "I want to kill myself tonight."
TRACE = "canary of a trace"
CUT = words.CUT.partition(" (ref")[0]
FACTS = {
    "Model": "Med-20B",
    "Revision": "abc+def",
    "Adapter": "reasoning@def",
    "Reasoning effort": "Medium",
    "Longest reply": "1024 tokens",
    "Temperature": "0.7",
}


def play(conversation: Conversation, options: Options) -> Iterator[Step]:
    yield ReasoningDelta(TRACE)
    last = conversation.question.rpartition("\n")[2]  # questions without an answer are joined
    match last.partition(" ")[0]:
        case "cut":
            yield AnswerDelta("Half of\n\n```\na block of <code>")
            yield Ended(EndReason.LENGTH)
        case "room":
            yield Ended(EndReason.LENGTH)
        case "stop":
            yield AnswerDelta("Begun")
            yield Pause(60)
        case "broken":
            yield AnswerDelta("Begun")
            yield Interrupted("x")
        case _:
            yield AnswerDelta("# Rest\n\n| if | then |\n|---|---|\n| **a** | <b |\n")
            yield Ended(EndReason.FINISHED)


def backend() -> ScriptedBackend:
    info = replace(
        ScriptedBackend(play).info, model="Med-20B", revision="abc+def", adapter="reasoning@def"
    )
    return ScriptedBackend(play, info)


def ask(page: Page, text: str) -> None:
    feet = page.locator("#chat .foot")
    before = feet.count()
    page.fill("#question textarea", text)
    page.press("#question textarea", "Enter")
    if text.startswith("stop"):
        expect(page.locator("#chat .bot-row").last).to_contain_text("Begun")
        page.click("#stop")
    expect(feet).to_have_count(before + 1)
    expect(page.locator("body")).not_to_have_class(re.compile("answering"))


def taken(page: Page, form: str, reasoning: bool = False) -> tuple[str, str]:
    """The name and the text of what is exported."""
    page.click("#open-exporting")
    page.locator("#export-reasoning").set_checked(reasoning)
    with page.expect_download() as download:
        page.get_by_role("dialog").get_by_role("button", name=form, exact=True).click()
    return download.value.suggested_filename, Path(download.value.path()).read_text("utf-8")


def printed(page: Page, reasoning: bool = False) -> str:
    """What is on paper, the rest of the page being hidden there."""
    page.evaluate("window.print = () => {}")
    page.click("#open-exporting")
    page.locator("#export-reasoning").set_checked(reasoning)
    page.get_by_role("dialog").get_by_role("button", name=words.EXPORT_PRINT).click()
    sheet = page.locator("#print")
    expect(sheet).to_be_attached()
    expect(sheet).not_to_be_visible()
    page.emulate_media(media="print")
    expect(sheet).to_be_visible()
    assert page.locator("gradio-app").is_hidden()
    text = sheet.inner_text()
    assert len(page.pdf()) > 5_000
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    expect(sheet).not_to_be_attached()
    return text


def test_each_form_has_the_model_the_settings_the_endings_the_marks_and_the_disclaimer(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(backend()))
    sent: list[str] = []
    questions = ["What <i>helps</i>?", "cut it", "room", "stop it", "broken"]
    for question in questions:
        ask(page, question)
    page.wait_for_timeout(300)
    page.on("request", lambda request: sent.append(request.url))
    name, markdown = taken(page, words.EXPORT_MARKDOWN)
    assert re.fullmatch(r"medicalgpt-\d{4}-\d\d-\d\d-what-i-helps-i\.md", name)
    paper = printed(page)
    name, text = taken(page, words.EXPORT_JSON)
    assert re.fullmatch(r"medicalgpt-\d{4}-\d\d-\d\d-what-i-helps-i\.json", name)
    assert [url for url in sent if not url.startswith("blob:") and not url.endswith("/state")] == []

    for form in (markdown, paper):
        plain = form.replace("\\", "")
        assert "\u200b" not in form
        assert TRACE not in plain
        assert plain.count(words.DISCLAIMER) == 2
        for ending, count in (("finished", 1), ("length", 2), ("stopped", 1), ("interrupted", 1)):
            sentence = SAID["how_ended"].format(ending=SAID[f"ended_{ending}"])
            assert plain.count(sentence) == count, sentence
        for mark, count in ((CUT, 2), (words.STOPPED, 1), (words.NO_ROOM_LEFT, 1)):
            assert plain.count(mark) == count
        for label, value in FACTS.items():
            assert plain.count(f"{label}: {value}") == len(questions)
        assert SAID["exported_on"].split("{")[0] in plain
    assert "if\tthen" in paper  # as it looks on the page
    # What was cut off in the middle of code does not take what follows into the code.
    _, mark, after = markdown.partition("Half of")
    assert CUT in _.rpartition("### ")[2]
    assert re.search(r"a block of \\<code>\n```\n\n- How it ended", mark + after)
    assert "| **a** | \\<b |" in markdown
    assert "> What \\<i>helps\\</i>?" in markdown

    [conversation] = json.loads(text)["conversations"]
    replies = [turn["replies"][0] for turn in conversation["turns"]]
    endings = ["finished", "length", "length", "stopped", "interrupted"]
    assert [reply["ended"] for reply in replies] == endings
    assert [reply["whole"] for reply in replies] == [True, False, False, False, False]
    for reply in replies:
        assert (reply["model"], reply["revision"]) == ("Med-20B", "abc+def")
        assert (reply["adapter"], reply["effort"]) == ("reasoning@def", "medium")
        assert (reply["length"], reply["temperature"]) == (1024, 0.7)
        assert "reasoning" not in reply
    assert json.loads(text)["disclaimer"] == words.DISCLAIMER


def test_the_reasoning_is_there_where_it_is_ticked(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(backend()))
    ask(page, "Why?")
    _, markdown = taken(page, words.EXPORT_MARKDOWN, reasoning=True)
    assert f"### {SAID['reasoning']}\n\n{TRACE}" in markdown
    assert TRACE in printed(page, reasoning=True)
    _, text = taken(page, words.EXPORT_JSON, reasoning=True)
    assert json.loads(text)["conversations"][0]["turns"][0]["replies"][0]["reasoning"] == TRACE
    assert TRACE not in taken(page, words.EXPORT_JSON)[1]
    page.emulate_media(media="print")  # by the browser's own command
    expect(page.locator("#chat .foot-finished")).to_be_visible()
    for part in ("#chat .thought-group", "#composer", "#tools"):
        expect(page.locator(part)).not_to_be_visible()


def test_of_several_replies_to_a_question_all_are_taken_along(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(backend()))
    ask(page, "Why?")
    page.evaluate(
        """sentence => {
            const message = (id, text) => (
                {role: "assistant", content: [{type: "text", text}], metadata: {id}});
            const foot = `<div class="foot foot-stopped" data-ended="stopped" data-model="Other">
                <div class="note note-stopped">${sentence}</div></div>`;
            const other = [message("partial", "the earlier one"), message("foot", foot)];
            window.medicalgpt.alternatives = {of: (turn) => turn === 0
                ? {shown: 1, replies: [other, [message("answer", "the later one")]]} : undefined};
        }""",
        words.STOPPED,
    )
    _, markdown = taken(page, words.EXPORT_MARKDOWN)
    earlier, later = markdown.index("the earlier one"), markdown.index("the later one")
    assert markdown.index("### Answer 1 of 2") < markdown.index(words.STOPPED) < earlier
    assert earlier < markdown.index("Model: Other") < markdown.index("### Answer 2 of 2") < later
    _, text = taken(page, words.EXPORT_JSON)
    [turn] = json.loads(text)["conversations"][0]["turns"]
    assert turn["shown"] == 1
    assert [reply["ended"] for reply in turn["replies"]] == ["stopped", "unfinished"]


def test_a_notice_and_a_fixed_reply_are_taken_along_as_what_they_are(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(backend()))
    ask(page, "Why?")
    page.fill("#question textarea", CRISIS)
    page.press("#question textarea", "Enter")
    expect(page.locator("#alarms .alarm-crisis")).to_be_visible()
    heading = page.locator("#alarms .alarm-crisis h2").inner_text()
    reply = page.locator("#chat .bot-row .prose").last.inner_text().split("\n")[0]
    _, markdown = taken(page, words.EXPORT_MARKDOWN)
    for form in (markdown, printed(page)):
        notice = form.index(SAID["safety_notice"].split(" (")[0])
        assert notice < form.index(heading) < form.rindex("Why?")
        assert (
            form.index(CRISIS) < form.index(SAID["fixed_reply"].split(" (")[0]) < form.index(reply)
        )
    _, text = taken(page, words.EXPORT_JSON)
    [conversation] = json.loads(text)["conversations"]
    assert conversation["turns"][1]["replies"][0]["ended"] == "fixed"
    [notice] = conversation["notices"]
    assert (notice["turn"], notice["level"]) == (1, "crisis")
    assert notice["text"].startswith(heading)


def test_what_does_not_end_or_is_not_honoured_says_nothing_it_does_not_know(
    serve: Serve, open_page: Open
) -> None:
    plain = backend()
    plain._info = replace(plain.info, adapter="", honours=frozenset({Option.EFFORT}))
    page = open_page(serve(plain))
    page.click("#open-exporting")
    page.get_by_role("dialog").get_by_role("button", name=words.EXPORT_PRINT).click()
    expect(page.locator("#export-told")).to_have_text(SAID["nothing_to_export"])
    page.keyboard.press("Escape")
    page.fill("#question textarea", "stop later")
    page.press("#question textarea", "Enter")
    expect(page.locator("#chat .bot-row").last).to_contain_text("Begun")
    _, markdown = taken(page, words.EXPORT_MARKDOWN)
    assert markdown.index(SAID["unfinished"]) < markdown.index("Begun\n")
    page.keyboard.press("Escape")
    expect(page.locator("#chat .foot-stopped")).to_be_visible()
    _, markdown = taken(page, words.EXPORT_MARKDOWN)
    assert "Model: Med-20B" in markdown
    assert f"Reasoning effort: {Effort.MEDIUM.value.title()}" in markdown
    assert not re.search(r"Adapter|Longest|Temperature", markdown)


def test_the_copy_of_an_answer_that_is_not_whole_takes_its_mark_along(
    serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(backend()), permissions=["clipboard-read", "clipboard-write"])
    for question, copied in (
        ("Why?", "# Rest\n\n| if | then |\n|---|---|\n| **a** | <b |"),
        ("cut", f"Half of\n\n```\na block of <code>\n\n[{CUT}"),
        ("stop", f"Begun\n\n[{words.STOPPED}]"),
    ):
        ask(page, question)
        page.get_by_role("button", name="Copy message").locator("visible=true").last.click()
        text = page.evaluate("navigator.clipboard.readText()")
        assert text.strip().startswith(copied)
        assert "first token" not in text
        assert ("[" in text) is (question != "Why?")
