"""Every state of the page, measured: by axe in light and dark, zoomed in, under a finger, with a
keyboard on the screen, and at rest. Each is opened once, for all that is measured of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.ui import states

pytestmark = pytest.mark.browser

DESK = {"width": 1280, "height": 740}
PHONE = {"width": 360, "height": 740}
ZOOMED = {"width": 640, "height": 360}
"""A window of 1280 by 720 at 200 %."""

TYPING = {"width": 360, "height": 300}
"""A phone, above the keyboard on its screen."""

FINGER = 44

NAMES = [*states.CHAT, *states.COMPARISON, *states.DOCUMENTS]


@pytest.fixture(scope="module", params=NAMES)
def page(request: pytest.FixtureRequest, browser: Browser, staged: str) -> Iterator[Page]:
    """The page in one state, as long as it is looked at."""
    name: str = request.param
    page = browser.new_context(viewport=DESK).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(20_000)
    if name in states.DOCUMENTS:
        page.goto(f"{staged}/{name}")
    else:
        page.goto(f"{staged}/compare" if name in states.COMPARISON else staged)
        page.wait_for_selector("#question textarea")
        page.wait_for_selector("body.comparable")
        {**states.CHAT, **states.COMPARISON}[name](page)
        page.wait_for_timeout(200)  # what Gradio draws is named a tenth of a second later
    yield page
    page.context.close()


@pytest.fixture
def fingers(page: Page) -> Iterator[Page]:
    """On a phone, as far as a page can tell."""
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert page.evaluate("matchMedia('(pointer: coarse)').matches")
    yield page
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": False})
    session.detach()
    page.set_viewport_size(DESK)  # type: ignore[arg-type]


@pytest.fixture
def sized(page: Page) -> Iterator[Page]:
    """Whatever size a test gives it, and the size of its text, is taken back."""
    yield page
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    page.evaluate("document.documentElement.style.fontSize = ''")


CONTROLS = """() => {
    const open = document.querySelector("dialog[open]") ?? document;
    const all = "button, a[href], input, select, textarea, summary, [role=button]";
    const inProse = link => link.matches("#chat .prose a") && !link.closest(".foot");
    return [...open.querySelectorAll(all)].filter(each =>
        each.checkVisibility({ visibilityProperty: true }) && !inProse(each) &&
        each.getBoundingClientRect().width > 1
    ).map(each => each.matches("input:is([type=checkbox], [type=radio])") ?
        each.closest("label") : each);
}"""
"""What can be pressed, but for links in the text of an answer; a label with what it is for."""

SMALL = f"""least => ({CONTROLS})().filter(each => {{
    const {{ width, height }} = each.getBoundingClientRect();
    return Math.min(width, height) < least - 0.5;
}}).map(each => each.outerHTML.slice(0, 200))"""

OUT_OF_REACH = f"""() => ({CONTROLS})().filter(each => {{
    each.scrollIntoView({{ block: "center", inline: "nearest", behavior: "instant" }});
    const {{ left, right, top, bottom }} = each.getBoundingClientRect();
    const [x, y] = [(left + right) / 2, (top + bottom) / 2];
    const edges = [[x, y], [left + 3, y], [right - 3, y]];
    if (bottom - top < innerHeight / 4) edges.push([x, top + 3], [x, bottom - 3]);
    return edges.some(at => {{
        const hit = document.elementFromPoint(...at);
        return !each.contains(hit) && !hit?.closest(".scroll-down-button-container");
    }});
}}).map(each => each.outerHTML.slice(0, 200))"""
"""What no scrolling brings whole into sight, or is partly under something else there;
but not the way to the end, which floats over what is not the end."""

CUT_OFF = """() => {
    const style = each => getComputedStyle(each);
    const scrolls = each => /auto|scroll/.test(style(each).overflowX);
    const clips = each => style(each).overflowX !== "visible" && style(each).display !== "contents";
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    for (let text; (text = texts.nextNode()); ) {
        const parent = text.parentElement;
        if (!text.data.trim() || parent.closest(".sr-only, script, style")) continue;
        if (!parent.checkVisibility({ visibilityProperty: true })) continue;
        const range = document.createRange();
        range.selectNodeContents(text);
        const { left, right, width, height } = range.getBoundingClientRect();
        if (!width) continue;
        let box = parent;
        while (box && !clips(box)) box = box.parentElement;
        if (box?.matches("table, pre") && scrolls(box)) continue;
        const edge = box ? box.getBoundingClientRect() : { left: 0, right: innerWidth };
        if (left < Math.max(0, edge.left) - 1 || right > Math.min(innerWidth, edge.right) + 1) {
            found.push(`${parent.outerHTML.slice(0, 120)}: ${left} to ${right}`);
        }
    }
    return found;
}"""
"""Text that reaches out of what shows it, sideways, and cannot be scrolled to by itself."""


SETTLE = """() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {
    for (const each of document.getAnimations()) {
        if (each.effect.getComputedTiming().endTime < Infinity) each.finish();
    }
    done();
})))"""
"""Until the page is drawn, with every change of looks at its end."""


def fits(page: Page) -> None:
    page.evaluate(SETTLE)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(OUT_OF_REACH) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_complain_of(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.evaluate(SETTLE)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 23, 22)"
    assert dark is (scheme == "dark")
    found: list[Any] = Axe().run(page).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


def test_everything_that_is_pressed_is_as_wide_as_a_finger(fingers: Page) -> None:
    fits(fingers)
    assert fingers.evaluate(SMALL, FINGER) == []


def test_at_twice_the_size_nothing_is_cut_off(sized: Page) -> None:
    sized.set_viewport_size(ZOOMED)  # type: ignore[arg-type]
    fits(sized)


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_text_twice_as_large_is_not_cut_off(sized: Page, size: dict[str, int]) -> None:
    sized.set_viewport_size(size)  # type: ignore[arg-type]
    sized.evaluate("document.documentElement.style.fontSize = '200%'")
    fits(sized)


def test_a_keyboard_on_the_screen_leaves_the_box_in_sight(sized: Page) -> None:
    box = sized.locator("#question textarea")
    if not box.count() or sized.locator("dialog[open]").count():
        pytest.skip("nothing is typed here")
    sized.set_viewport_size(PHONE)  # type: ignore[arg-type]
    box.focus()
    sized.set_viewport_size(TYPING)  # type: ignore[arg-type]
    sized.evaluate(SETTLE)
    for part in (box, sized.locator("#send, #stop").locator("visible=true")):
        place = part.bounding_box()
        assert place is not None
        assert place["y"] >= 0
        assert place["y"] + place["height"] <= TYPING["height"]
    fits(sized)


def test_nothing_moves_for_who_asked_for_no_motion(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    running = page.evaluate("document.getAnimations().map(each => each.effect.target.className)")
    assert running == []
    page.emulate_media(reduced_motion="no-preference")
