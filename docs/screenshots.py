"""Takes the README's screenshots of the real page with the real embedded model.

    python -m docs.screenshots

Needs Chromium and `requirements-dev.txt`. Writes `docs/page-*.png`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from backend.embedded import EmbeddedBackend
from settings import Settings
from tests.conftest import serving
from tests.ui.conftest import chromium, launch

HERE = Path(__file__).parent
QUESTION = "Explain how the renin-angiotensin-aldosterone system regulates blood pressure."
SHOTS = {"desktop": (1100, 820, "light"), "phone": (360, 740, "dark")}


def answered(page: Page) -> None:
    """Ask with low effort, so that both panels fit, wait, and open the reasoning panel."""
    page.wait_for_selector("#question textarea")
    page.click("#settings .label-wrap")
    page.get_by_label("Low").check()
    page.locator("#settings input[type=number]").first.fill("448")
    page.click("#settings .label-wrap")
    page.fill("#question textarea", QUESTION)
    page.press("#question textarea", "Enter")
    page.wait_for_selector("#chat .foot", timeout=180_000)
    page.locator("#chat .thought-group .title").click()
    page.wait_for_timeout(400)
    page.locator("#chat .user-row").scroll_into_view_if_needed()
    page.wait_for_timeout(400)


def main() -> int:
    path = chromium()
    if path is None:
        print("Chromium is needed: install Debian's package `chromium`.", file=sys.stderr)
        return 1
    backend = EmbeddedBackend.from_settings(Settings())
    with serving(backend) as address, sync_playwright() as playwright:
        browser = launch(playwright, path)
        for name, (width, height, scheme) in SHOTS.items():
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page.goto(address)
            answered(page)
            page.screenshot(path=HERE / f"page-{name}.png")
            page.close()
        browser.close()
    backend.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
