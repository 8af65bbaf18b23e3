"""The three pictures of the README's tour: one screen each, the first with the real model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page, expect

from backend.base import Backend
from backend.embedded import EmbeddedBackend
from docs.gallery import replies
from docs.gallery.states import in_an_emergency, reasoning_open
from settings import Settings
from ui.words import ENGLISH as words

PATIENCE = 600_000
"""Milliseconds for the model: its file may have to be fetched first."""

TRIES = 6
"""For an answer that ends by itself: the small model often runs out of room."""


@dataclass(frozen=True)
class Shot:
    """A state of the page on one screen, large enough to be read."""

    name: str
    act: Callable[[Page], object]
    backend: Callable[[], Backend]
    screen: str
    scheme: str


def by_the_model(page: Page) -> None:
    """Ask with low effort, so that both panels fit, and open the reasoning."""
    page.wait_for_function(
        "document.querySelector('#state').dataset.state === 'ready'", timeout=PATIENCE
    )
    page.click("#settings .label-wrap")
    page.get_by_label(words.EFFORTS[0][0]).check()
    page.locator("#settings input[type=number]").first.fill("448")
    page.click("#settings .label-wrap")
    for _ in range(TRIES):
        page.fill("#question textarea", replies.EXPLAIN)
        page.press("#question textarea", "Enter")
        foot = page.locator("#chat .foot:not(.foot-going)")
        expect(foot).to_be_visible(timeout=PATIENCE)
        if page.locator("#chat .foot-finished").count():
            break
        page.click("#new")
        expect(foot).to_have_count(0)
        page.wait_for_timeout(1_000)  # a new conversation empties the box as well
    page.locator("#chat .thought-group .title").click()
    page.wait_for_timeout(600)
    # As high as it takes: what is to be thought of this answer stands under it.
    below = page.locator("#chat .bubble-wrap, #chat .panel-wrap").first.evaluate(
        "one => Math.max(0, one.scrollHeight - one.clientHeight)"
    )
    page.set_viewport_size({"width": 960, "height": 800 + below})


def real() -> Backend:
    return EmbeddedBackend.from_settings(Settings())


SHOTS = (
    Shot("tour-answer", by_the_model, real, "desktop", "light"),
    Shot("tour-emergency", in_an_emergency, replies.scripted, "desktop", "light"),
    Shot("tour-phone", reasoning_open, replies.scripted, "phone", "dark"),
)
