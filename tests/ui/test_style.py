"""The looks: one scale of type, one of spacing, colours in one place; what is quieter than what."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from backend.scripted import ScriptedBackend
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Usage
from tests.conftest import Serve
from tests.ui.conftest import Open
from ui import page as whole
from ui.documents import BROWSER

SCALES = BROWSER / "tokens.css"
PAPER = BROWSER / "print.css"
"""Measured in points, and black on white."""
STYLES = sorted(set(BROWSER.glob("*.css")) - {SCALES, PAPER})
SPACED = re.compile(r"(padding|margin|gap|row-gap|column-gap)(-[a-z-]+)?|scroll-margin(-[a-z]+)?")
LENGTH = re.compile(r"(?<![\w.-])-?\d*\.?\d+(rem|em|px|vh|vw|%)")
COLOUR = re.compile(r"#(?:[0-9a-f]{3}){1,2}\b|\b(?:rgb|hsl|oklch)a?\(")


def declared(file: Path) -> list[tuple[str, str]]:
    """What `file` declares, as property and value; what is said in comments is none of it."""
    text = re.sub(r"/\*.*?\*/", "", file.read_text("utf-8"), flags=re.DOTALL)
    return re.findall(r"([\w-]+):\s*([^;{}]+);", text)


@pytest.mark.parametrize("file", STYLES, ids=lambda file: file.name)
def test_sizes_of_text_and_distances_are_those_of_the_scales(file: Path) -> None:
    odd = [
        f"{name}: {value}"
        for name, value in declared(file)
        if (name in ("font-size", "font") and LENGTH.search(value))
        or (name == "line-height" and re.search(r"\d\.\d", value))
        or (SPACED.fullmatch(name) and LENGTH.search(value))
    ]
    assert odd == []


@pytest.mark.parametrize("file", STYLES, ids=lambda file: file.name)
def test_a_colour_stands_where_the_colours_are(file: Path) -> None:
    known = {value for _, value in declared(SCALES)}
    assert [
        value for _, value in declared(file) if COLOUR.search(value) and value not in known
    ] == []


def test_every_style_is_on_the_page() -> None:
    assert {*whole.STYLES, "feedback.css", "disclaimer.css"} == {
        file.name for file in BROWSER.glob("*.css")
    }


def colours(page: Page, selector: str) -> list[str]:
    script = """one => ["backgroundColor", "color"].map((name) => getComputedStyle(one)[name])"""
    return page.locator(selector).first.evaluate(script)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_documents_have_the_colours_of_the_page(
    serve: Serve, open_page: Open, scheme: str
) -> None:
    address = serve(ScriptedBackend(lambda conversation, options: []))
    page = open_page(address, color_scheme=scheme)
    page_has = colours(page, "body") + colours(page, "#disclaimer a")[1:]
    page.goto(f"{address}/privacy")
    assert colours(page, "body") + colours(page, "main a")[1:] == page_has


STEPS = [
    ReasoningDelta("It asks for a mechanism."),
    AnswerDelta("Renin is released. " * 20),
    Ended(EndReason.FINISHED, Usage(20, 40, 10)),
]


def answering(**info: object) -> ScriptedBackend:
    """Answers with `STEPS`; `info` changes what it says of itself."""
    plain = ScriptedBackend(lambda conversation, options: STEPS)
    return ScriptedBackend(lambda conversation, options: STEPS, replace(plain.info, **info))  # type: ignore[arg-type]


def answered(page: Page) -> None:
    page.fill("#question textarea", "Why?")
    page.press("#question textarea", "Enter")
    expect(page.locator("#chat .foot-finished")).to_be_visible()
    expect(page.locator("body")).not_to_have_class(re.compile("answering"))


def size(one: Locator) -> float:
    return one.evaluate("one => parseFloat(getComputedStyle(one).fontSize)")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_reasoning_is_smaller_and_greyer_than_the_answer(
    serve: Serve, open_page: Open, scheme: str
) -> None:
    page = open_page(serve(answering()), color_scheme=scheme)
    answered(page)
    page.locator("#chat .thought-group .title").click()
    thought = page.locator("#chat .thought-group .content p").first
    answer = page.locator("#chat .bot-row:not(:has(.thought-group, .foot)) p").first
    expect(thought).to_be_visible()
    assert size(thought) < size(answer)
    value = "name => getComputedStyle(document.body).getPropertyValue(name).trim()"
    shades = [page.evaluate(value, f"--{name}") for name in ("quiet", "ink")]
    drawn = "one => getComputedStyle(one).color.match(/\\d+/g).map(Number)"
    for one, shade in zip((thought, answer), shades, strict=True):
        assert one.evaluate(drawn) == list(bytes.fromhex(shade.removeprefix("#")))


@pytest.mark.browser
def test_a_line_of_the_answer_has_about_75_letters(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(answering()), viewport={"width": 1280, "height": 800})
    answered(page)
    answer = page.locator("#chat .bot-row:not(:has(.thought-group, .foot)) p").first
    box = answer.bounding_box()
    assert box is not None
    lines = box["height"] / answer.evaluate("one => parseFloat(getComputedStyle(one).lineHeight)")
    assert 60 <= len(answer.inner_text()) / (lines - 0.5) <= 90


@pytest.mark.browser
def test_what_can_be_done_about_an_answer_is_in_one_line(serve: Serve, open_page: Open) -> None:
    page = open_page(serve(answering()), viewport={"width": 1280, "height": 800})
    answered(page)
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("#chat .alternatives")).to_contain_text("2 of 2")
    expect(page.locator("body")).not_to_have_class(re.compile("answering"))
    parts = ("[aria-label=Retry]:visible", ".alternatives", ".option >> nth=0", ".option >> nth=1")
    middles = [
        page.locator(f"#chat {part}").last.evaluate(
            "one => { const box = one.getBoundingClientRect(); return box.y + box.height / 2 }"
        )
        for part in parts
    ]
    assert max(middles) - min(middles) <= 2


@pytest.mark.browser
def test_on_a_phone_a_long_name_of_a_model_takes_one_line_and_hides_no_state(
    serve: Serve, open_page: Open
) -> None:
    model = "SmolLM2-135M-Instruct+medical-reasoning-and-more"
    page = open_page(serve(answering(model=model)), viewport={"width": 360, "height": 740})
    state = page.locator("#state")
    expect(state).to_contain_text(f"{model} (scripted) · ready")
    box = state.bounding_box()
    assert box is not None
    assert box["height"] < 30
    assert state.locator(".now").evaluate("one => one.scrollWidth <= one.clientWidth")
    assert state.locator(".model").evaluate("one => one.scrollWidth > one.clientWidth")
