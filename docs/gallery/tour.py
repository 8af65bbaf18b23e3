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
    page.locator("#settings input[type=number]").first.fill("320")
    page.click("#settings .label-wrap")
    page.fill("#question textarea", replies.EXPLAIN)
    page.press("#question textarea", "Enter")
    foot = page.locator("#chat .foot:not(.foot-going)")
    expect(foot).to_be_visible(timeout=PATIENCE)
    page.locator("#chat .thought-group .title").click()
    page.wait_for_timeout(600)
    page.locator("#chat .user-row").scroll_into_view_if_needed()


def real() -> Backend:
    return EmbeddedBackend.from_settings(Settings())


SHOTS = (
    Shot("tour-answer", by_the_model, real, "desktop", "light"),
    Shot("tour-emergency", in_an_emergency, replies.scripted, "desktop", "light"),
    Shot("tour-phone", reasoning_open, replies.scripted, "phone", "dark"),
)
