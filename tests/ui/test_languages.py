"""The page in the visitor's language: chosen, switched, complete, from either side, by region."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from gradio_client import Client
from playwright.sync_api import Browser, FloatRect, Page, expect

from backend.base import Interrupted, Options
from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta
from safety.finding import Finding, Level
from safety.notices import fixed_reply, word
from settings import Secret
from tests.conftest import Serve, serving
from tests.ui import languages, states
from tests.ui.conftest import Open
from tests.ui.test_states import fits
from ui.words import ENGLISH, LANGUAGES, Words

TURKISH = LANGUAGES["tr"]
TURK: dict[str, Any] = {"locale": "tr-TR", "timezone_id": "Europe/Istanbul"}

# Every text that is in sight or heard, but for what people and models wrote, fixed texts of the
# safety layer, which have a language of their own, and titles that a visitor gave.
TEXTS = """() => {
  const not = "[data-testid] .prose, .alarm, textarea, .language, script, style, #kept-list b";
  const ours = ".foot, .intro, .thought-group";
  const seen = (each) => each.checkVisibility({ visibilityProperty: true });
  const texts = [document.title];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const within = node.parentElement;
    if (!seen(within) || (within.closest(not) && !within.closest(ours))) continue;
    texts.push(within.id === "announcer" ? node.data.split("\\n")[0] : node.data);
  }
  for (const each of document.querySelectorAll("[aria-label], [title], [placeholder]")) {
    if (each.closest(".alarm, .language") || !seen(each)) continue;
    for (const name of ["aria-label", "title", "placeholder"]) {
      if (name === "aria-label" && each.hasAttribute("aria-labelledby")) continue;
      texts.push(each.getAttribute(name) ?? "");
    }
  }
  return texts;
}"""
OTHER = word("other", "en")  # of a fixed reply, in the language of the message
FIXED = [
    (fixed_reply(Finding(level), unreliable=True) or "").partition("\n")[0]
    for level in (Level.CRISIS, Level.EMERGENCY)
]
NAMES = (
    OTHER,
    *FIXED,
    "Wheeze means narrow airways.",
    "a script, not a model",
    "(scripted)",
    "base-model",
)
FINISHED = Ended(EndReason.FINISHED)
LETTERS = re.compile(r"[A-Za-zÇĞİÖŞÜçğıöşü]{2,}")


@pytest.fixture(scope="module")
def staged() -> Iterator[str]:
    """Every state, in a third language too: one in which every sentence of ours is marked."""
    LANGUAGES[languages.TAG] = languages.bracketed()
    try:
        with serving(states.backend(), metrics_token=Secret("m" * 32)) as address:
            yield address
    finally:
        del LANGUAGES[languages.TAG]


def foreign(page: Page) -> list[str]:
    """What is to be read on the page, once nothing more is drawn, and is in no catalogue."""
    texts, before = page.evaluate(TEXTS), None
    while texts != before:
        page.wait_for_timeout(400)
        texts, before = page.evaluate(TEXTS), texts
    found: list[str] = []
    for text in texts:
        rest = languages.outside(text)
        for name in NAMES:
            rest = rest.replace(name, "")
        if LETTERS.search(rest):
            found.append(text)
    return found


def sentences(words: Words) -> Iterator[tuple[str, str]]:
    """Every sentence, by where it stands."""

    def within(name: str, value: object) -> Iterator[tuple[str, str]]:
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, dict):
            for key, each in value.items():
                yield from within(f"{name}.{key}", each)
        elif isinstance(value, tuple):
            for at, each in enumerate(value):
                yield from within(f"{name}.{at}", each)

    for name in vars(Words):
        if name.isupper():
            yield from within(name, getattr(words, name))


def test_turkish_has_a_sentence_for_each_english_one_with_the_same_places_to_fill() -> None:
    english, turkish = dict(sentences(ENGLISH)), dict(sentences(TURKISH))
    assert english.keys() == turkish.keys()
    same = {name for name in english if english[name] == turkish[name]}
    assert same == {"TITLE", "DIRECTION", "EFFORTS.0.1", "EFFORTS.1.1", "EFFORTS.2.1"}
    places = re.compile(r"{[^}]*}")
    for name, sentence in english.items():
        assert sorted(places.findall(sentence)) == sorted(places.findall(turkish[name])), name


@pytest.mark.parametrize("state", states.CHAT)
def test_no_sentence_on_the_page_is_outside_the_catalogue(
    staged: str, open_page: Open, state: str
) -> None:
    page = open_page(f"{staged}/{languages.TAG}/", timezone_id="UTC")
    states.CHAT[state](page)
    assert foreign(page) == []


@pytest.mark.parametrize("state", states.COMPARISON)
def test_no_sentence_of_the_comparison_is_outside_the_catalogue(
    staged: str, open_page: Open, state: str
) -> None:
    page = open_page(f"{staged}/{languages.TAG}/compare")
    states.COMPARISON[state](page)
    assert foreign(page) == []


@pytest.mark.parametrize("document", states.DOCUMENTS)
def test_no_sentence_of_the_documents_is_outside_the_catalogue(
    staged: str, browser: Browser, document: str
) -> None:
    page = browser.new_page()
    page.goto(f"{staged}/{languages.TAG}/{document}")
    assert foreign(page) == []
    page.close()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize(
    "state",
    ["empty", "answered", "emergency", "editing", "alternatives", "conversations", "judging"],
)
def test_a_language_that_is_read_from_the_right_is_laid_out_from_there(
    staged: str, open_page: Open, state: str, width: int
) -> None:
    page = open_page(f"{staged}/{languages.TAG}/", viewport={"width": width, "height": 740})
    states.CHAT[state](page)
    fits(page)
    assert box(page, ".wordmark")["x"] > box(page, "#state")["x"]
    assert box(page, "#question")["x"] > box(page, "#send, #stop:visible")["x"]


def test_what_is_written_in_arabic_stands_from_the_right_on_any_page(
    serve: Serve, open_page: Open
) -> None:
    arabic = "ما هي أعراض الربو؟"
    answer = "الربو مرض مزمن.\n\n- صفير\n- ضيق التنفس\n"
    page = open_page(
        serve(ScriptedBackend(lambda *_: [ReasoningDelta(arabic), AnswerDelta(answer), FINISHED]))
    )
    page.fill("#question textarea", arabic)
    expect(page.locator("#question textarea")).to_have_css("direction", "rtl")
    page.fill("#question textarea", "What are its signs?")
    expect(page.locator("#question textarea")).to_have_css("direction", "ltr")
    page.fill("#question textarea", arabic)
    page.press("#question textarea", "Enter")
    expect(page.locator("#chat .foot-finished")).to_be_visible()
    for part in (
        "[data-testid=user] p",
        ".bot-row:has(li) p",
        ".bot-row li",
    ):
        expect(page.locator(f"#chat {part}").first).to_have_css("direction", "rtl")
    expect(page.locator("#chat .foot")).to_have_css("direction", "ltr")
    page.locator("#chat .thought-group .title").click()
    trace = page.locator("#chat .thought-group .content")
    expect(trace).to_have_css("direction", "rtl")
    expect(trace).to_have_css("padding-right", re.compile("[1-9]"))  # apart from its rule


def test_the_browser_chooses_the_language_and_the_visitor_another_which_is_remembered(
    staged: str, open_page: Open
) -> None:
    page = open_page(staged, **TURK)
    assert page.url == f"{staged}/tr/"
    assert page.evaluate("document.documentElement.lang") == "tr"
    expect(page.locator("#send")).to_have_text(TURKISH.SEND)
    page.click("a.language[hreflang=en]")
    expect(page.locator("#send")).to_have_text(ENGLISH.SEND)
    page.goto(staged)
    page.wait_for_selector("#question textarea")
    assert page.url == f"{staged}/"
    for view in ("compare", "privacy"):
        page.goto(f"{staged}/{view}")
        steps = page.evaluate("history.length")
        page.locator("a.language[hreflang=tr]").click()
        page.wait_for_url(f"{staged}/tr/{view}")
        assert (
            page.evaluate("history.length") == steps
        )  # none that leads to a page without its chat
        page.goto(f"{staged}/{view}")
        page.wait_for_url(f"{staged}/tr/{view}")
        page.locator("a.language[hreflang=en]").click()
        page.wait_for_url(f"{staged}/{view}")
    page.get_by_text(ENGLISH.BACK).click()
    page.wait_for_url(f"{staged}/")


def test_a_language_that_is_named_in_another_way_is_passed_over(
    staged: str, browser: Browser
) -> None:
    page = browser.new_context(locale="tr-TR").new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    named = "Object.defineProperty(navigator, 'languages', {configurable: true, value: "
    page.add_init_script(named + "['en-US@posix', 'tr-TR']})")
    page.goto(staged)
    page.wait_for_url(f"{staged}/tr/")
    assert page.evaluate("window.medicalgpt.locale") in ("tr", "tr-TR")
    assert faults == []
    page.context.close()


@pytest.mark.parametrize("languages", ["de-DE", "en-GB"])
def test_another_language_of_the_browser_gets_english(
    staged: str, open_page: Open, languages: str
) -> None:
    assert open_page(staged, locale=languages).url == f"{staged}/"


def test_the_conversation_and_a_running_answer_go_on_in_the_other_language(
    serve: Serve, open_page: Open
) -> None:
    more = threading.Event()

    def play(conversation: Conversation, options: Options) -> Iterator[Step]:
        yield AnswerDelta("Half of it ")
        while conversation.question == "Long?" and not more.is_set():
            yield Pause(0.1)
        yield from (AnswerDelta("and the rest."), FINISHED)

    backend = ScriptedBackend(play)
    page = open_page(serve(backend))
    for number, question in enumerate(("Short?", "Long?"), 1):
        page.fill("#question textarea", question)
        page.press("#question textarea", "Enter")
        expect(page.locator("#chat").get_by_text("Half of it")).to_have_count(number)
        if question == "Short?":
            states.quiet(page)
    page.fill("#question textarea", "Not asked yet")
    page.click("a.language[hreflang=tr]")
    expect(page.locator("#send")).to_have_text(TURKISH.SEND)
    expect(page.locator("#chat [data-testid=user]")).to_have_count(2)
    more.set()
    expect(page.locator("#chat .foot-finished")).to_have_count(2)
    expect(page.locator("#chat")).to_contain_text("toplam")
    expect(page.locator("#question textarea")).to_have_value("Not asked yet")
    expect(page.locator("#told")).to_be_empty()
    assert len(backend.asked) == 2


def test_the_other_replies_to_a_question_come_along(serve: Serve, open_page: Open) -> None:
    numbers = iter("123")
    backend = ScriptedBackend(lambda *_: [AnswerDelta(f"Reply {next(numbers)}."), FINISHED])
    page = open_page(serve(backend))
    page.fill("#question textarea", "Why?")
    page.press("#question textarea", "Enter")
    expect(page.locator("#chat")).to_contain_text("Reply 1.")
    states.quiet(page)
    page.locator("#chat .option").first.click()
    expect(page.locator("#chat")).to_contain_text("Reply 2.")
    states.quiet(page)
    page.click("a.language[hreflang=tr]")
    expect(page.locator("#send")).to_have_text(TURKISH.SEND)
    expect(page.locator("#chat .alternatives")).to_contain_text("2 / 2")
    page.get_by_role("button", name=TURKISH.said_by_script()["earlier"]).click()
    expect(page.locator("#chat")).to_contain_text("Reply 1.")


@pytest.mark.parametrize(
    ("zone", "region"),
    [
        ("Europe/Istanbul", "tr"),
        ("Europe/London", "gb"),
        ("America/Los_Angeles", "us"),
        ("Asia/Calcutta", "in"),
        ("Europe/Lisbon", "eu"),
        ("Africa/Lagos", "any"),
    ],
)
def test_the_numbers_in_sight_are_those_of_the_time_zone_until_another_region_is_chosen(
    staged: str, open_page: Open, zone: str, region: str
) -> None:
    page = open_page(staged, timezone_id=zone)
    states.CHAT["emergency"](page)
    expect(page.locator("#alarms select")).to_have_value(region)
    expect(page.locator(f"#alarms ul[data-region={region}]")).to_be_visible()
    expect(page.locator("#alarms ul:visible")).to_have_count(1)
    page.select_option("#alarms select", "ch")
    page.reload()
    page.wait_for_selector("#state[data-state]")
    states.CHAT["emergency"](page)
    expect(page.locator("#alarms select")).to_have_value("ch")


def test_numbers_and_dates_are_written_as_in_the_language_and_the_region(
    staged: str, open_page: Open
) -> None:
    page = open_page(staged, **TURK)
    states.CHAT["answered"](page)
    expect(page.locator("#chat .figures")).to_have_text(re.compile(r"toplam \d+,\d sn"))
    for locale, written in (
        ("tr-TR", "1 Oca 2026"),
        ("en-GB", "1 Jan 2026"),
        ("en-US", "Jan 1, 2026"),
        ("de-AT", "1 Jan 2026"),
    ):
        page = open_page(staged, locale=locale, timezone_id="UTC")
        states.CHAT["conversations"](page)
        expect(page.locator("#kept-list span").first).to_contain_text(written)


def box(page: Page, selector: str) -> FloatRect:
    found = page.locator(selector).first.bounding_box()
    assert found is not None
    return found


def test_the_server_speaks_the_language_of_the_page_that_is_asked(serve: Serve) -> None:
    address = serve(ScriptedBackend(lambda *_: [AnswerDelta("Because."), FINISHED]))
    for path, words in (("", ENGLISH), ("/tr", TURKISH)):
        refused = requests.get(f"{address}{path}/nothing", timeout=10)
        assert (refused.status_code, refused.json()["detail"]) == (404, words.NOT_FOUND)
        asleep = requests.get(f"{address}{path}/state", timeout=10).json()
        assert asleep["text"].endswith(words.READY)
        head = requests.get(f"{address}{path}/", timeout=10).text.partition("</head>")[0]
        assert f'lang="{words.TAG}"' in head
        assert f'property="og:title" content="{words.PREVIEW}"' in head
    assert requests.get(f"{address}/tr", timeout=10).url == f"{address}/tr/"


def test_a_program_that_asks_there_gets_its_sentences_too(serve: Serve) -> None:
    client = Client(
        serve(ScriptedBackend(lambda *_: [Interrupted("reset")])) + "/tr/", verbose=False
    )
    fields = client.predict("Why?", api_name="/ask")
    assert fields["disclaimer"] == TURKISH.DISCLAIMER
    assert fields["note"].partition("(")[0] == TURKISH.DOWN.partition("(")[0]
    assert client.predict(" ", api_name="/ask")["note"] == TURKISH.EMPTY
