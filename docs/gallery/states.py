"""Every state that the page can be in: what brings it about, and what there is to see."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from playwright.sync_api import Page, expect

from backend.base import Backend
from chat.conversation import MAX_QUESTION_CHARS
from docs.gallery import replies
from settings import Secret
from ui.words import ENGLISH as words

BOTH = ("desktop", "phone")


@dataclass(frozen=True)
class State:
    """`act` brings the page that `backend` answers into it; `line` says what it is."""

    name: str
    line: str
    act: Callable[[Page], object]
    backend: Callable[[], Backend] = replies.scripted
    settings: Mapping[str, object] = field(default_factory=dict[str, object])
    screens: tuple[str, ...] = BOTH
    cut: bool = False
    """Whether the line to the server is cut then, and the page has said so."""


def ask(page: Page, text: str) -> None:
    page.fill("#question textarea", text)
    page.press("#question textarea", "Enter")


def asked(page: Page, text: str = replies.EXPLAIN) -> None:
    """Ask, and wait for the end of the reply."""
    feet = page.locator("#chat .foot:not(.foot-going)")
    before = feet.count()
    ask(page, text)
    expect(feet).to_have_count(before + 1)
    over(page)


def over(page: Page) -> None:
    expect(page.locator("body")).not_to_have_class(re.compile("answering"))


def shows(text: str) -> Callable[[Page], None]:
    """Ask, and wait until the transcript says `text`."""

    def act(page: Page) -> None:
        ask(page, replies.EXPLAIN)
        expect(page.locator("#chat")).to_contain_text(text)
        page.wait_for_timeout(1_200)

    return act


def ends(question: str = replies.EXPLAIN) -> Callable[[Page], None]:
    return lambda page: asked(page, question)


def typed(page: Page) -> None:
    page.fill("#question textarea", f"{replies.DIFFERENTIAL}\n\nWhich test comes first?")


def queued(page: Page) -> None:
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector("#question textarea")
    ask(other, replies.EXPLAIN)
    other.wait_for_timeout(1_500)
    page.bring_to_front()
    ask(page, replies.EXPLAIN)
    expect(page.locator("#chat")).to_contain_text(re.compile("You are next|Number 3"))


def reasoning_open(page: Page) -> None:
    asked(page)
    page.locator("#chat .thought-group .title").click()
    page.wait_for_timeout(600)
    page.locator("#chat .user-row").scroll_into_view_if_needed()


def stopped(page: Page) -> None:
    ask(page, replies.EXPLAIN)
    expect(page.locator("#chat")).to_contain_text("Angiotensin II")
    page.click("#stop")
    over(page)


def too_long(page: Page) -> None:
    text = replies.DIFFERENTIAL * (MAX_QUESTION_CHARS // len(replies.DIFFERENTIAL) + 1)
    ask(page, text)
    expect(page.locator("#notice")).to_contain_text("too long")


def in_an_emergency(page: Page) -> None:
    asked(page, replies.EMERGENCY)
    expect(page.locator("#emergency .alarm")).to_be_visible()


def folded_notice(page: Page) -> None:
    in_an_emergency(page)
    page.locator("#alarms summary").click()


def in_a_crisis(page: Page, text: str = replies.CRISIS) -> None:
    ask(page, text)
    expect(page.locator("#crisis .alarm")).to_be_visible()
    expect(page.locator("#chat .bot-row")).to_have_count(1)
    page.wait_for_timeout(900)


def alternatives(page: Page) -> None:
    asked(page)
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("#chat .alternatives")).to_contain_text("2 of 2")
    over(page)


def editing(page: Page) -> None:
    asked(page, replies.DIFFERENTIAL)
    page.get_by_role("button", name="Edit").click()
    page.locator("#chat .user-row textarea").scroll_into_view_if_needed()


def grown_too_long(page: Page) -> None:
    for question in (replies.EXPLAIN, replies.KETOACIDOSIS, replies.ANEMIA):
        asked(page, question)


def filled(page: Page) -> None:
    for question in (replies.EXPLAIN, replies.KETOACIDOSIS):
        asked(page, question)
    expect(page.locator("#filled")).not_to_be_empty()


def settings_open(page: Page) -> None:
    page.click("#settings .label-wrap")
    expect(page.get_by_text(words.LENGTH, exact=True)).to_be_visible()
    page.wait_for_timeout(500)


def conversations(page: Page) -> None:
    page.click("#open-conversations")
    expect(page.locator("#conversations")).to_be_visible()


def kept(page: Page) -> None:
    conversations(page)
    page.get_by_label(words.KEEP).check()
    page.keyboard.press("Escape")
    asked(page, replies.KETOACIDOSIS)
    for question in (replies.ANEMIA, replies.DIFFERENTIAL):
        page.click("#new")
        expect(page.get_by_text(words.TAGLINE)).to_be_visible()
        page.wait_for_timeout(1_000)  # a new conversation empties the box as well
        asked(page, question)
    conversations(page)


def temporary(page: Page) -> None:
    conversations(page)
    page.get_by_label(words.KEEP).check()
    page.keyboard.press("Escape")
    page.get_by_role("button", name=words.TEMPORARY).click()


def exporting(page: Page) -> None:
    asked(page, replies.DIFFERENTIAL)
    if page.locator("#open-exporting").is_visible():
        page.click("#open-exporting")
    else:
        page.click("#open-conversations")
        page.click("#export-this")
    expect(page.locator("#exporting")).to_be_visible()


def printed(page: Page) -> None:
    exporting(page)
    page.evaluate("window.print = () => {}")
    page.get_by_role("dialog").get_by_role("button", name=words.EXPORT_PRINT).click()
    page.emulate_media(media="print")
    expect(page.locator("#print")).to_be_visible()


def compared(page: Page) -> None:
    page.goto(f"{page.url}compare")
    page.wait_for_selector("#question textarea")
    ask(page, replies.DIFFERENTIAL)
    expect(page.locator("#sides .foot-finished")).to_have_count(2)
    over(page)


def judged(page: Page) -> None:
    asked(page, replies.DIFFERENTIAL)
    page.get_by_role("button", name=words.said_by_script()["bad"]).click()
    reasons = page.locator("#chat .reasons")
    expect(reasons).to_be_visible()
    reasons.scroll_into_view_if_needed()


def document(name: str) -> Callable[[Page], object]:
    return lambda page: page.goto(f"{page.url}{name}")


def in_turkish(page: Page) -> None:
    page.locator("a.language").click()
    page.wait_for_selector("html[lang=tr] #state[data-state]")
    asked(page, replies.IN_TURKISH)


def in_arabic(page: Page) -> None:
    asked(page, replies.IN_ARABIC)
    page.locator("#chat .thought-group .title").click()
    page.locator("#chat .user-row").scroll_into_view_if_needed()


COUNTED = {"metrics_token": Secret("of the gallery")}

STATES = (
    State("empty", "Nothing has been asked yet.", lambda page: None),
    State("typed", "A question of several lines in the box.", typed),
    State("asleep", "The model may be asleep.", lambda page: None, replies.asleep),
    State("waking", "The model is woken, and the question waits.", shows("Waking"), replies.waking),
    State("queued", "Others are being answered first.", queued, replies.thinking,
          {"max_concurrent_chats": 1}),
    State("reading", "The model reads the question.", shows("Reading"), replies.reading),
    State("thinking", "The model thinks, in sight.", shows("No doses"), replies.thinking),
    State("answering", "The reasoning is folded, and the answer grows.", shows("Angiotensin II"),
          replies.answering),
    State("answered", "The answer is whole.", ends()),
    State("reasoning", "The reasoning is opened again above the answer.", reasoning_open),
    State("caution", "The answer speaks of a dose.", ends(replies.CHILD)),
    State("small-model", "A model that is not to be trusted answered.", ends(replies.DIFFERENTIAL),
          replies.small),
    State("no-room", "The room ran out while the model was thinking.", ends(), replies.no_room),
    State("cut", "The room ran out in the answer.", ends(), replies.cut),
    State("stopped", "The visitor stopped the answer.", stopped, replies.answering),
    State("failed", "The model could not be reached.", ends(), replies.failed),
    State("busy", "Too many people are asking.", ends(), replies.busy),
    State("too-long", "A question that is too long stays in the box.", too_long),
    State("withheld", "The reply is not shown.", ends(replies.AMOUNT)),
    State("emergency", "A red flag: the notice stands above everything, the answer under it.",
          in_an_emergency),
    State("emergency-folded", "The same notice, folded by the visitor.", folded_notice),
    State("crisis", "A crisis: numbers and a fixed reply, and no model is asked.", in_a_crisis),
    State("both-notices", "An emergency and a crisis in one.",
          lambda page: in_a_crisis(page, replies.OVERDOSE)),
    State("alternatives", "The second of two replies to one question.", alternatives),
    State("editing", "A question is edited in its place.", editing),
    State("filled", "The conversation fills most of what the model can read.", filled,
          replies.short),
    State("left-out", "The oldest question left, with a notice.", grown_too_long, replies.short),
    State("settings", "The settings are open.", settings_open, replies.adapted),
    State("conversations", "Conversations, and none is kept.", conversations),
    State("kept", "Conversations that this browser keeps.", kept),
    State("temporary", "A temporary chat, where conversations are kept.", temporary),
    State("export", "Taking a conversation along.", exporting),
    State("print", "The sheet that is printed.", printed, screens=("paper",)),
    State("comparison", "One question to base and adapter.", compared, replies.adapted),
    State("lost", "The connection is lost while an answer is written.", shows("Angiotensin II"),
          replies.answering, cut=True),
    State("thumbs", "A thumb down, and its reasons.", judged, settings=COUNTED),
    State("turkish", "The page in Turkish.", in_turkish, replies.turkish),
    State("arabic", "What is written in Arabic stands from the right.", in_arabic, replies.arabic),
    State("disclaimer", "What this is, and is not.", document("disclaimer")),
    State("privacy", "What is kept, where, and how long.", document("privacy")),
)  # fmt: skip
