"""Text in every script, and markers of every model, in a real browser 360 pixels wide."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from backend.scripted import ScriptedBackend
from chat.conversation import MAX_QUESTION_CHARS
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Usage
from tests.conftest import Serve
from tests.markers import FAMILIES, disguises
from tests.ui.conftest import Open
from ui.words import ENGLISH as words

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 360, "height": 740}}
FINISHED = Ended(EndReason.FINISHED, Usage(10, 42, 20))
TYPED = {
    "Arabic": "ما هو علاج الربو؟ BP 120/80 ثم ١٢ ملغ",
    "Hebrew with marks": "מהי אסתמה\u200f (C++) שָׁלוֹם",
    "Persian with non-joiners": "می\u200cخواهم بدانم آسم چیست",
    "Devanagari and Sinhala": "क्\u200dष दमा क्या है? ශ්\u200dරී",
    "emoji": "👩\u200d⚕\ufe0f 👨\u200d👩\u200d👧\u200d👦 🏴\u200d☠\ufe0f 1\ufe0f\u20e3 🇹🇷",
    "marks on marks": "a" + "\u0300\u0316\u0334" * 300 + " asthma",
    "the longest word": "w" * MAX_QUESTION_CHARS,
    "the longest word of Chinese": "胸" * MAX_QUESTION_CHARS,
    "a word of entities": "&lt;b&gt;&#x202e;&amp;" * 40,
    "a table, a heading, a rule": "| a | b |\n|---|---|\n| 1 | 2 |\n\n# h\n\n---\n\n    code "
    + "y" * 300,
}


def echoing() -> ScriptedBackend:
    """Thinks and says what it is asked."""
    return ScriptedBackend(
        lambda conversation, options: [
            ReasoningDelta(conversation.question), AnswerDelta(conversation.question), FINISHED,
        ]
    )  # fmt: skip


def ask(page: Page, text: str) -> Locator:
    """The bubble of the question, once its answer has ended."""
    page.fill("#question textarea", text)
    page.press("#question textarea", "Enter")
    expect(page.locator("#chat .foot")).to_be_visible()
    return page.locator("#chat .user-row").last


def plain(text: str) -> str:
    """Without what the page puts in to disarm it, line breaks, and Markdown's `~` and `>`."""
    return re.sub(r"[\s\u200b~>]+", "", text)


def letters(text: str) -> str:
    return re.sub(r"\W", "", text)


def check_layout(page: Page) -> None:
    """Nothing wider than the screen; what is used stands on it, and nothing lies over it."""
    page.locator("#chat .thought-group .title").last.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for name in ("#question textarea", "#send", "#disclaimer"):
        box = page.locator(name).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert box["y"] + box["height"] <= 740
    hit = page.evaluate(
        "() => { const b = document.querySelector('#send').getBoundingClientRect();"
        "return document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2)"
        ".closest('#send') !== null }"
    )
    assert hit, "something lies over the button"
    wide = page.evaluate(
        "() => [...document.querySelectorAll('#chat .message-row')].filter("
        "e => e.getBoundingClientRect().right > 361).length"
    )
    assert wide == 0


@pytest.mark.parametrize("typed", TYPED.values(), ids=TYPED.keys())
def test_it_is_shown_as_it_was_typed_and_the_layout_holds(
    serve: Serve, open_page: Open, typed: str
) -> None:
    """Matrix row 61: question, reasoning and answer, on a phone."""
    backend = echoing()
    page = open_page(serve(backend), **PHONE)
    bubble = ask(page, typed)
    assert backend.asked[0][0].question == typed.strip()
    if not set("|&") & set(typed):  # Markdown draws those two kinds, and says the same
        assert letters(typed) in letters(bubble.inner_text())
    check_layout(page)


def test_a_word_of_fifty_thousand_is_too_long_and_stays_in_the_box(
    serve: Serve, open_page: Open
) -> None:
    """Matrix row 61: LONG, and the layout holds."""
    page = open_page(serve(echoing()), **PHONE)
    page.fill("#question textarea", "w" * 50_000)
    page.press("#question textarea", "Enter")
    sentence = words.LONG.format(n=50_000, max=MAX_QUESTION_CHARS)
    expect(page.locator("#notice")).to_contain_text(sentence)
    assert page.input_value("#question textarea") == "w" * 50_000
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_word_of_fifty_thousand_from_the_model_does_not_break_the_page(
    serve: Serve, open_page: Open
) -> None:
    """Matrix row 61, the other way."""
    word = "w" * 50_000
    steps = [ReasoningDelta(word), AnswerDelta(f"`{word}` {word}"), FINISHED]
    page = open_page(serve(ScriptedBackend(lambda conversation, options: steps)), **PHONE)
    ask(page, "Why?")
    check_layout(page)


@pytest.mark.parametrize("family", FAMILIES)
def test_markers_stay_readable_in_the_bubble(serve: Serve, open_page: Open, family: str) -> None:
    """Matrix row 57: what was typed can be read, and nothing of it is markup."""
    markers = FAMILIES[family].split()
    disguised = disguises(markers[0])
    typed = " \n".join([*markers, disguised["nested"], disguised["full width"]])
    backend = echoing()
    page = open_page(serve(backend))
    bubble = ask(page, typed)
    assert backend.asked[0][0].question == typed
    shown = plain(bubble.inner_text())
    for marker in [*markers, disguised["nested"], disguised["full width"]]:
        assert plain(marker) in shown, marker
    assert bubble.locator("s, u, b, table, think").count() == 0


def test_entities_are_shown_and_mean_nothing(serve: Serve, open_page: Open) -> None:
    """Matrix row 57: `&lt;` is either itself or the sign, never a tag."""
    backend = echoing()
    page = open_page(serve(backend))
    bubble = ask(page, "&lt;img src=x onerror=alert(1)&gt; &lt;|im_start|&gt;system")
    assert backend.asked[0][0].question.startswith("&lt;img")
    assert "|im_start|" in bubble.inner_text()
    assert page.locator("#chat .prose img").count() == 0
