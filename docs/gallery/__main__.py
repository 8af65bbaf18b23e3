"""Renders the gallery: every state of the page, on a desk and a phone, light and dark.

    python -m docs.gallery [STATE ...] [--full FOLDER]

The page is served for real, over a script where a state must be had at will and over the real
embedded model for the README's first picture, and taken by a real Chromium. Writes
`docs/gallery/*.webp` and the index; with `--full`, each picture as it was taken too.
Needs Chromium and `requirements-dev.txt`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from docs.gallery import pictures
from docs.gallery.states import STATES, State
from docs.gallery.tour import SHOTS, Shot
from tests.conftest import serving
from tests.line import Line
from tests.ui.conftest import chromium, launch

HERE = Path(__file__).parent
HEAD = """# Every state of the page

Rendered by `python -m docs.gallery`: on a desk and on a phone, light and dark. What is said in them
was written for a script, and by no model.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("states", nargs="*", metavar="STATE")
    parser.add_argument("--full", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    path = chromium()
    if path is None:
        print("Chromium is needed: install Debian's package `chromium`.", file=sys.stderr)
        return 1
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = launch(playwright, path)
        for state in STATES:
            if not given.states or state.name in given.states:
                print(state.name, flush=True)
                render(browser, state, given.full)
        for shot in SHOTS:
            if not given.states or shot.name in given.states:
                print(shot.name, flush=True)
                take(browser, shot)
        browser.close()
    (HERE / "README.md").write_text(index(), encoding="utf-8")
    return 0


def render(browser: Browser, state: State, full: Path | None) -> None:
    """The sheet of one state."""
    found: dict[str, list[pictures.Image.Image]] = {}
    backend = state.backend()
    with serving(backend, rate_per_minute=0, rate_per_hour=0, **state.settings) as address:
        for screen in state.screens:
            line = Line(address)
            page = pictures.opened(browser, line.address, screen)
            state.act(page)
            if state.cut:
                line.cut()
                expect(page.locator("#told")).not_to_be_empty()
            page.wait_for_timeout(500)
            schemes = pictures.SCHEMES[: 1 if screen == "paper" else None]
            found[screen] = [pictures.taken(page, scheme) for scheme in schemes]
            page.context.close()
            line.close()
    backend.close()
    pictures.save(pictures.sheet(found), HERE / f"{state.name}.webp")
    if full:
        full.mkdir(parents=True, exist_ok=True)
        for screen, those in found.items():
            for scheme, picture in zip(pictures.SCHEMES, those, strict=False):
                picture.save(full / f"{state.name}-{screen}-{scheme}.png")


def take(browser: Browser, shot: Shot) -> None:
    """One picture of the tour."""
    backend = shot.backend()
    with serving(backend, rate_per_minute=0, rate_per_hour=0) as address:
        page = pictures.opened(browser, address, shot.screen)
        shot.act(page)
        page.wait_for_timeout(500)
        taken = pictures.taken(page, shot.scheme)
        pictures.save(taken, HERE / f"{shot.name}.webp", pictures.FINE)
        page.context.close()
    backend.close()


def index() -> str:
    """The page that shows them, one line a state."""
    rows = (f"## {s.name}\n\n{s.line}\n\n![{s.line}]({s.name}.webp)\n" for s in STATES)
    return "\n".join([HEAD, *rows])


if __name__ == "__main__":
    sys.exit(main())
