"""The page by keyboard alone: everything is reached, seen, and left again."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.ui import states
from tests.ui.conftest import Open
from tests.ui.states import ask, quiet
from ui.words import ENGLISH as words

pytestmark = pytest.mark.browser

SAID = words.said_by_script()

STOPS = """() => {
    const open = document.querySelector("dialog[open]") ?? document;
    const stops = [...open.querySelectorAll("button, a[href], input, select, textarea, summary, " +
        "[tabindex='0'], .panel-wrap")];
    const seen = stops.filter(each => each.checkVisibility({ visibilityProperty: true }) &&
        !each.closest(".scroll-down-button-container"));
    window.stops = seen.filter(each => each.tabIndex >= 0 && !each.disabled &&
        !(each.type === "radio" && !each.checked));
    return window.stops.filter(each => !each.matches(".panel-wrap")).length;
}"""
"""What the Tab key is to come by, in the order of the page; of a group of choices, the chosen. The
way to the end of the transcript goes when one is there."""

WHERE = """() => {
    const at = document.activeElement;
    if (at === document.body) return null;
    const ring = getComputedStyle(at);
    const { top, bottom, left, right } = at.getBoundingClientRect();
    const shown = [Math.max(0, top), Math.min(innerHeight, bottom)]; // a tall one, in part
    const middle = [(left + right) / 2, (shown[0] + shown[1]) / 2];
    return {
        number: window.stops.indexOf(at),
        html: at.outerHTML.slice(0, 160),
        ring: ring.outlineStyle !== "none" && parseFloat(ring.outlineWidth) >= 1,
        shown: at.contains(document.elementFromPoint(...middle)) ||
            `${top} to ${bottom} under ${document.elementFromPoint(...middle)?.outerHTML}`,
    };
}"""


def walked(page: Page, key: str = "Tab") -> list[dict[str, Any]]:
    """Where the key leads, from the top of the page to where it leaves it."""
    count = page.evaluate(STOPS)
    places: list[dict[str, Any]] = []
    for _ in range(count + 5):
        page.keyboard.press(key)
        place = page.evaluate(WHERE)
        if place is None:
            return places
        places.append(place)
    raise AssertionError(f"no way out: {places[-6:]}")


@pytest.mark.parametrize(
    "state", ["empty", "answered", "judging", "alternatives", "editing", "both", "settings"]
)
def test_tab_comes_by_everything_in_the_order_of_the_page_in_sight_and_leaves_it(
    staged: str, open_page: Open, state: str
) -> None:
    page = open_page(staged, viewport={"width": 1024, "height": 500})
    states.CHAT[state](page)
    before = -1  # thumbs and the like are drawn a while after the answer
    while (stops := page.evaluate(STOPS)) != before:
        before = stops
        page.wait_for_timeout(700)
    page.evaluate("document.activeElement.blur(); window.getSelection().empty()")
    page.evaluate("document.body.tabIndex = -1; document.body.focus()")
    page.evaluate("document.body.removeAttribute('tabindex')")
    there = walked(page)
    numbers = [place["number"] for place in there if place["number"] >= 0]
    assert sorted(numbers) == list(range(page.evaluate("window.stops.length")))
    assert numbers == sorted(numbers)
    assert [place["html"] for place in there if not place["ring"]] == []
    assert [place for place in there if place["shown"] is not True] == []


def focused(page: Page) -> str:
    """The name of what has the focus."""
    return page.evaluate(
        "(({ ariaLabel, id, innerText }) => ariaLabel || id || innerText)(document.activeElement)"
    )


def press(page: Page, name: str) -> None:
    """A button, by the keyboard."""
    page.get_by_role("button", name=name, exact=True).locator("visible=true").first.focus()
    page.keyboard.press("Enter")


@pytest.mark.parametrize("dialog", ["conversations", "exporting"])
def test_a_dialog_keeps_the_focus_while_it_is_open_and_gives_it_back(
    staged: str, open_page: Open, dialog: str
) -> None:
    page = open_page(staged)
    opener = f"open-{dialog}"
    page.locator(f"#{opener}").focus()
    page.keyboard.press("Enter")
    expect(page.locator(f"#{dialog}")).to_be_visible()
    inside = f"() => document.getElementById('{dialog}').contains(document.activeElement)"
    assert page.evaluate(inside)
    stops = page.evaluate(STOPS)
    for key in ("Tab", "Shift+Tab"):
        visited = set[str]()
        for _ in range(stops + 2):
            page.keyboard.press(key)
            if page.evaluate("document.activeElement !== document.body"):  # not the browser's own
                assert page.evaluate(inside)
                visited.add(focused(page))
        assert len(visited) == stops
    page.keyboard.press("Escape")
    expect(page.locator(f"#{dialog}")).not_to_be_visible()
    assert focused(page) == opener


def test_the_focus_is_never_lost_with_what_had_it(staged: str, open_page: Open) -> None:
    page = open_page(staged)
    page.fill("#question textarea", "What is asthma? whole")
    press(page, words.SEND)
    box = page.locator("#question textarea")
    expect(box).to_be_focused()
    expect(page.locator("#chat .foot-finished")).to_be_visible()
    quiet(page)
    edit = page.get_by_role("button", name=SAID["edit"])
    press(page, SAID["edit"])
    expect(page.get_by_role("textbox", name=SAID["edit"])).to_be_focused()
    press(page, SAID["cancel"])
    expect(edit).to_be_focused()
    press(page, SAID["edit"])
    # One that goes on: an answer that is there at once brings the tools back that had the focus.
    page.get_by_role("textbox", name=SAID["edit"]).fill("What is asthma? write")
    press(page, SAID["submit"])
    expect(box).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".note-stopped")).to_be_visible()
    quiet(page)
    press(page, words.AGAIN)
    expect(box).to_be_focused()
    page.keyboard.press("Escape")
    quiet(page)


def test_an_answer_that_ends_takes_the_focus_from_nobody(staged: str, open_page: Open) -> None:
    page = open_page(staged)
    ask(page, "What is asthma? write")
    expect(page.locator("#chat table")).to_be_visible()
    panel = page.locator("#chat .thought-group .title")
    panel.focus()
    page.keyboard.press("Escape")
    expect(page.locator(".note-stopped")).to_be_visible()
    quiet(page)
    page.wait_for_timeout(300)
    expect(panel).to_be_focused()


def test_the_settings_are_set_by_arrow_keys(staged: str, open_page: Open) -> None:
    page = open_page(staged)
    press(page, words.SETTINGS)
    effort = page.get_by_role("group", name=words.EFFORT)
    expect(effort.get_by_label("Medium")).to_be_checked()
    effort.get_by_label("Medium").focus()
    page.keyboard.press("ArrowRight")
    expect(effort.get_by_label("High")).to_be_checked()
    expect(effort.get_by_label("High")).to_be_focused()
    expect(effort.get_by_label("Medium")).not_to_be_checked()
    slider = page.get_by_role("slider", name=words.TEMPERATURE)
    slider.focus()
    before = slider.input_value()
    page.keyboard.press("ArrowRight")
    assert float(slider.input_value()) > float(before)
    page.locator("#question textarea").focus()
    ask(page, "What is asthma? whole")
    expect(page.locator("#chat .effort")).to_have_text("High effort")
