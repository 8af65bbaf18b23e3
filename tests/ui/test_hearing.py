"""What a screen reader hears: each change once, the answer once and whole, and never a word of it
while it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from backend.base import Options
from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Stage
from tests.conftest import Serve
from tests.line import Line
from tests.ui import states
from tests.ui.conftest import Open
from tests.ui.states import CRISIS, EMERGENCY, ask, quiet
from ui.words import ENGLISH as words

pytestmark = pytest.mark.browser

SAID = words.said_by_script()

LISTEN = """() => {
    window.heard = [];
    const live = "[aria-live], [role=status], [role=alert], [role=log], output";
    const speaks = node => {
        const region = (node.nodeType === 1 ? node : node.parentElement)?.closest(live);
        if (!region || region.ariaLive === "off") return null;
        return region.checkVisibility() ? region : null;
    };
    new MutationObserver(changes => {
        const regions = new Map();
        for (const { target, addedNodes, type } of changes) {
            if (type === "attributes" || type === "characterData") regions.set(speaks(target), 1);
            for (const added of addedNodes) {
                regions.set(speaks(added), 1);
                const inside = added.querySelectorAll?.(live) ?? [];
                for (const each of inside) regions.set(speaks(each), 1);
            }
        }
        for (const region of regions.keys()) {
            const said = region?.innerText.trim().replace(/\\s+/g, " ");
            if (said) window.heard.push(said);
        }
    }).observe(document, { subtree: true, childList: true, characterData: true });
}"""
"""What a screen reader is given: the text of a live region whenever something is put into it."""


def heard(page: Page) -> list[str]:
    return page.evaluate("window.heard.splice(0)")


def slowly(conversation: Conversation, options: Options) -> Iterator[Step]:
    yield Pause(1.2, Stage.WAKING)
    for n in range(5):
        yield ReasoningDelta(f"thought{n} ")
        yield Pause(0.15)
    for n in range(8):
        yield AnswerDelta(f"**word{n}** ")
        yield Pause(0.15)
    yield Ended(EndReason.FINISHED)


def listening(page: Page) -> Page:
    page.wait_for_timeout(300)  # what a page is opened with has been written
    page.evaluate(LISTEN)
    return page


def answered(page: Page, feet: int = 1) -> list[str]:
    """What was heard until so many replies had ended."""
    expect(page.locator("#chat .foot:not(.foot-going)")).to_have_count(feet, timeout=15_000)
    quiet(page)
    page.wait_for_timeout(300)
    return heard(page)


def test_an_answer_is_heard_once_and_whole_and_before_it_each_stage_once(
    serve: Serve, open_page: Open
) -> None:
    page = listening(open_page(serve(ScriptedBackend(slowly))))
    for feet in (1, 2):
        ask(page, "Why?")
        first, *rest = answered(page, feet)
        if first.startswith(words.waiting(None, 0.0).partition(" ·")[0]):  # it was that slow
            first, *rest = rest
        assert first.endswith(words.WAKE)
        whole = f"{SAID['done']} {' '.join(f'word{n}' for n in range(8))}"
        assert rest == [SAID["thinking"], SAID["answering"], whole]


def test_what_was_heard_does_not_stand_in_the_page_a_second_time(
    staged: str, open_page: Open
) -> None:
    page = open_page(staged)
    page.clock.install()
    ask(page, "What is asthma? whole")
    expect(page.locator("#announcer")).to_contain_text("wheeze")
    page.clock.fast_forward(11_000)
    expect(page.locator("#announcer")).to_be_empty()


@pytest.mark.parametrize("state", ["cut", "room", "fail"])
def test_of_a_reply_that_is_not_whole_its_note_is_heard_and_nothing_else_of_it(
    staged: str, open_page: Open, state: str
) -> None:
    page = listening(open_page(staged))
    ask(page, f"What is asthma? {state}")
    said = answered(page)
    note = page.locator("#chat .note").inner_text()
    assert said[-1].startswith(note)
    assert "wheeze" not in " ".join(said)
    assert len(said) == len(set(said))


def test_what_is_to_be_thought_of_an_answer_is_heard_before_it(
    staged: str, open_page: Open
) -> None:
    page = listening(open_page(staged))
    ask(page, "What is asthma? whole")
    whole = answered(page)[-1]
    assert whole.startswith(
        f"{SAID['done']} {words.unreliable(states.backend().info)} Asthma is a disease"
    )
    assert "<" not in whole
    assert "**" not in whole


@pytest.mark.parametrize("text", [EMERGENCY, CRISIS])
def test_a_notice_is_heard_once_and_so_is_the_reply_under_it(
    staged: str, open_page: Open, text: str
) -> None:
    page = listening(open_page(staged))
    ask(page, text)
    expect(page.locator("#chat .option")).to_be_visible()
    page.wait_for_timeout(500)
    notice, reply = heard(page)
    assert page.locator("#alarms h2").inner_text() in notice
    assert reply == " ".join(page.locator("#chat .bot-row .message").inner_text().split())
    ask(page, "And what is a spleen? whole")
    expect(page.locator("#chat .user-row")).to_have_count(2)
    page.wait_for_timeout(800)
    assert notice not in heard(page)


def test_a_stop_a_refusal_and_a_copy_are_heard(staged: str, open_page: Open) -> None:
    page = listening(open_page(staged))
    ask(page, " ")
    expect(page.locator("#notice")).to_contain_text(words.EMPTY)
    assert heard(page) == [words.EMPTY]
    states.stopped(page)
    page.wait_for_timeout(300)
    assert heard(page)[-1].startswith(words.STOPPED)
    page.get_by_role("button", name=SAID["copy"], exact=True).locator("visible=true").click()
    page.wait_for_timeout(300)
    assert heard(page) == [SAID["copied"]]


def test_a_loss_and_a_return_of_the_connection_are_heard(staged: str, open_page: Open) -> None:
    line = Line(staged)
    with closing(line):
        page = listening(open_page(line.address))
        ask(page, "What is asthma? write")
        expect(page.locator("#announcer")).to_have_text(SAID["answering"])
        heard(page)
        line.cut()
        expect(page.locator("#told")).to_have_text(words.LOST_GOING, timeout=20_000)
        line.mend()
        expect(page.locator("#told")).to_be_empty(timeout=20_000)
        page.wait_for_timeout(500)
        assert heard(page) == [words.LOST_GOING, SAID["returned"]]


def test_both_answers_of_a_comparison_are_heard_once_with_their_names(
    staged: str, open_page: Open
) -> None:
    page = open_page(staged)
    page.goto(f"{staged}/compare")
    page.wait_for_selector("#question textarea")
    listening(page)
    states.compared(page)
    page.wait_for_timeout(300)
    said = heard(page)
    assert [sentence for sentence in said if "wheeze" in sentence] == said[-1:]
    assert re.match(
        rf"{SAID['compared']}.* {words.WITH_ADAPTER} Asthma .*{words.WITHOUT_ADAPTER} Asthma ",
        said[-1],
    )


def test_the_transcript_is_called_by_our_words_and_repeats_nothing_in_its_names(
    staged: str, open_page: Open
) -> None:
    page = open_page(staged)
    for example, text in zip(page.locator("#chat .example").all(), words.EXAMPLES, strict=True):
        expect(example).to_have_accessible_name(text)
    states.judging(page)
    named = page.locator("#chat .message [data-testid]")
    kinds = ("name_question", "name_reasoning", "name_reply", "name_foot")
    expect(named).to_have_count(len(kinds))
    for message, kind in zip(named.all(), kinds, strict=True):
        expect(message).to_have_accessible_name(SAID[kind])
        expect(message).to_have_role("group")
    log = page.get_by_role("log")
    expect(log).to_have_accessible_name(SAID["name_conversation"])
    expect(log).to_have_attribute("aria-live", "off")
    tools = log.locator("button:has(svg)").locator("visible=true")
    ours = {SAID[each] for each in ("edit", "copy", "copy_code", "retry", "good", "bad")}
    assert {each.get_attribute("aria-label") for each in tools.all()} == ours


@pytest.mark.parametrize("locale", ["de-DE", "en-US"])
def test_the_tools_of_a_message_are_ours_in_every_language_of_the_browser(
    staged: str, open_page: Open, locale: str
) -> None:
    page = open_page(staged, locale=locale)
    states.editing(page)
    for name in ("submit", "cancel"):
        expect(
            page.locator("#chat .user-row").get_by_role("button", name=SAID[name])
        ).to_be_visible()
    expect(page.get_by_role("textbox", name=SAID["edit"])).to_be_visible()
    page.get_by_role("button", name=SAID["cancel"]).click()
    for row, names in ((".user-row", ["edit"]), (".bot-row:has(.foot)", ["retry"])):
        shown = page.locator(f"#chat {row} .message-buttons button").locator("visible=true")
        expect(shown).to_have_count(len(names))
        for button, name in zip(shown.all(), names, strict=True):
            expect(button).to_have_accessible_name(SAID[name])


def test_the_settings_say_whether_they_are_open_and_what_each_control_is_for(
    staged: str, open_page: Open
) -> None:
    page = open_page(staged)
    head = page.locator("#settings .label-wrap")
    expect(head).to_have_accessible_name(words.SETTINGS)
    expect(head).to_have_attribute("aria-expanded", "false")
    states.settings(page)
    expect(head).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("group", name=words.EFFORT)).to_be_visible()
    for title in (words.LENGTH, words.TEMPERATURE):
        for role in ("slider", "spinbutton"):
            expect(page.get_by_role(role, name=title, exact=True)).to_be_visible()  # type: ignore[arg-type]
        reset = SAID["reset"].format(title=title)
        expect(page.get_by_role("button", name=reset)).to_be_visible()
