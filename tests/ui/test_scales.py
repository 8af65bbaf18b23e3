"""The looks have one scale of type, one of spacing, and their colours in one place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page

from backend.scripted import ScriptedBackend
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
    page_has = colours(page, "body")
    page.goto(f"{address}/privacy")
    assert colours(page, "body") == page_has
