"""A real browser for the tests that need one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from settings import Secret
from tests.conftest import serving
from tests.ui import states

NO_CHROMIUM = (
    "no Chromium here: install Debian's package `chromium`, or name one in the variable CHROMIUM"
)

HERE = "http://127.0.0.1:"

Open = Callable[..., Page]


def chromium() -> str | None:
    """The browser's path: CHROMIUM, or what stands on the PATH."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def launch(playwright: Playwright, path: str) -> Browser:
    """Headless, and quiet: no request of its own to anybody."""
    quiet = ("background-networking", "component-update", "sync", "gpu", "quic")
    return playwright.chromium.launch(
        executable_path=path,
        args=["--no-sandbox", "--no-first-run", *(f"--disable-{each}" for each in quiet)],
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None or not Path(path).exists():
        # Where everything must run, what does not run has failed.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_CHROMIUM)
    with sync_playwright() as playwright:
        browser = launch(playwright, path)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def staged() -> Iterator[str]:
    """The address of a server that plays every state, one for all tests of a file."""
    with serving(states.backend(), metrics_token=Secret("m" * 32)) as address:
        yield address


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """`open_page(address, **context)` opens the app in a tab of its own, ready to be typed into.

    Fails the test where a script of the page threw, or a request left this machine.
    """
    opened: list[Page] = []
    faults: list[str] = []

    def visit(address: str, **context: object) -> Page:
        page = browser.new_context(**context).new_page()  # type: ignore[arg-type]
        opened.append(page)
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: faults.append(f"script: {error}"))
        page.on("request", lambda request: faults.append(f"left this machine: {request.url}")
                if not request.url.startswith((HERE, "data:", "blob:")) else None)  # fmt: skip
        page.goto(address)
        page.wait_for_selector("#question textarea")
        page.wait_for_selector("#state[data-state]")
        return page

    yield visit
    for page in opened:
        page.context.close()
    assert faults == []
