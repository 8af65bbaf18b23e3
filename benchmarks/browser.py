"""Chromium as a visitor sees it, with what a page costs there."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from benchmarks.source import question
from tests.ui.conftest import NO_CHROMIUM, chromium, launch

# Polled, not observed: an observer would be woken by every update, and these pages are measured.
ENDS = "() => (document.body.textContent.match(/e\\d{16}/g) || []).length"
SEEN = """
    window.seen = {};
    const look = () => {
        for (const [, stamp] of document.body?.textContent.matchAll(/t(\\d{16})/g) ?? [])
            seen[stamp] ??= Date.now();
    };
    new MutationObserver(look).observe(document, {
        childList: true, characterData: true, subtree: true});
"""
SETTLE = 1.5
"""Seconds after the last token in which a page makes its closing requests."""


@contextmanager
def browsing() -> Generator[Browser, None, None]:
    path = chromium()
    if path is None or shutil.which(path) is None:
        raise SystemExit(NO_CHROMIUM)
    with sync_playwright() as playwright:
        browser = launch(playwright, path)
        yield browser
        browser.close()


class Tab:
    """One open page. `seen` is kept only if it is to be `timed`."""

    def __init__(self, browser: Browser, address: str, timed: bool = False) -> None:
        self._context = browser.new_context()
        self._page = self._context.new_page()
        self._page.set_default_timeout(60_000)
        if timed:
            self._page.add_init_script(SEEN)
        self._devtools = self._context.new_cdp_session(self._page)
        self._devtools.send("Network.enable")
        self._devtools.send("Performance.enable")
        self._devtools.on("Network.dataReceived", self._count)
        self.received = 0
        """Bytes of all answers' bodies, as they came over the socket."""
        self._page.goto(address)
        self._page.wait_for_selector("textarea")
        self._page.wait_for_timeout(SETTLE * 1_000)

    def ask(self, tokens: int, limit: float, settle: float = SETTLE) -> None:
        """Ask, and come back once the reply's last token is in the page and it has settled.

        Raises playwright's TimeoutError where it is not there after `limit` seconds.
        """
        before = int(self._page.evaluate(ENDS))
        self._page.fill("textarea", question(tokens))
        self._page.press("textarea", "Enter")
        self._page.wait_for_function(
            f"n => ({ENDS})() > n", arg=before, polling=250, timeout=limit * 1_000
        )
        self._page.wait_for_timeout(settle * 1_000)

    def busy(self) -> float:
        """Seconds that the page's main thread has worked so far."""
        metrics = self._devtools.send("Performance.getMetrics")["metrics"]
        return next(each["value"] for each in metrics if each["name"] == "TaskDuration")

    def seen(self) -> dict[int, float]:
        """When the first token of each reply stood in the page: its stamp, and seconds later."""
        seen: dict[str, float] = self._page.evaluate("window.seen")
        return {int(stamp): at / 1e3 - int(stamp) / 1e6 for stamp, at in seen.items()}

    def close(self) -> None:
        self._context.close()

    def _count(self, event: dict[str, int]) -> None:
        self.received += event["encodedDataLength"]
