"""The keyboard on a phone's screen, where the browser lets it cover the page instead of making it
shorter: the browser here has none, so that what it would say of it is said in its place."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.ui.conftest import Open
from tests.ui.states import EMERGENCY, ask

pytestmark = pytest.mark.browser

COVER = """([height, scale]) => {
    for (const [name, value] of Object.entries({ height, scale })) {
        Object.defineProperty(visualViewport, name, { value, configurable: true });
    }
    visualViewport.dispatchEvent(new Event("resize"));
}"""


def lowest(page: Page) -> float:
    """Where Ask ends."""
    box = page.locator("#send").bounding_box()
    assert box is not None
    return box["y"] + box["height"]


def test_the_page_ends_above_a_keyboard_that_covers_it(staged: str, open_page: Open) -> None:
    page = open_page(staged, viewport={"width": 360, "height": 740})
    page.locator("#question textarea").focus()
    page.evaluate(COVER, [320, 1])
    assert lowest(page) <= 320
    page.evaluate(COVER, [740, 1])
    assert 500 < lowest(page) <= 740


def test_under_a_notice_too(staged: str, open_page: Open) -> None:
    page = open_page(staged, viewport={"width": 360, "height": 740})
    ask(page, EMERGENCY)
    expect(page.locator("#emergency .alarm")).to_be_visible()
    page.evaluate(COVER, [320, 1])
    assert 0 < lowest(page) <= 320


def test_who_zooms_in_moves_nothing(staged: str, open_page: Open) -> None:
    page = open_page(staged, viewport={"width": 360, "height": 740})
    before = lowest(page)
    page.evaluate(COVER, [370, 2])
    assert lowest(page) == before


def test_a_browser_that_can_makes_the_page_shorter_itself(staged: str, open_page: Open) -> None:
    page = open_page(staged)
    content = page.locator("meta[name=viewport]").get_attribute("content") or ""
    assert "interactive-widget=resizes-content" in content
    assert "maximum-scale" not in content
    assert "user-scalable" not in content
