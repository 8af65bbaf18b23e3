"""One page taken on every screen, light and dark, and put on one sheet."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps
from playwright.sync_api import Browser, Page

SCREENS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}, "device_scale_factor": 1.5},
    "phone": {
        "viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "has_touch": True,
    },
    "paper": {"viewport": {"width": 658, "height": 972}, "device_scale_factor": 1.5},
}  # fmt: skip
SCHEMES = ("light", "dark")
TALL = 860
"""Pixels of a sheet, and of a phone on it."""
GAP = 16
MARGIN = 100
"""Around what is printed: that of the paper is not on the screen."""
BETWEEN = (128, 128, 128)
QUALITY = 30
FINE = 32
"""Of a picture that stands alone in the README."""


def opened(browser: Browser, address: str, screen: str) -> Page:
    """The page on such a screen, ready to be typed into."""
    page = browser.new_context(**SCREENS[screen]).new_page()
    page.set_default_timeout(30_000)
    page.goto(f"{address}/")
    page.wait_for_selector("#question textarea")
    page.wait_for_selector("#state[data-state]")
    return page


def taken(page: Page, scheme: str) -> Image.Image:
    """The page as it stands, light or dark."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    # What a click was made on would be drawn as if the mouse were still there.
    page.mouse.move(0, 0)
    page.wait_for_timeout(400)
    return Image.open(BytesIO(page.screenshot(caret="hide"))).convert("RGB")


def sheet(pictures: dict[str, list[Image.Image]]) -> Image.Image:
    """Desktops above each other, phones beside them."""
    half = (TALL - GAP) // 2
    columns: list[list[Image.Image]] = []
    if desktops := pictures.get("desktop"):
        columns.append([_tall(each, half) for each in desktops])
    columns += [[_tall(each, TALL)] for each in pictures.get("phone", [])]
    for each in pictures.get("paper", []):
        columns.append([_tall(ImageOps.expand(each, MARGIN, "white"), TALL)])
    wide = sum(column[0].width for column in columns) + GAP * (len(columns) - 1)
    whole = Image.new("RGB", (wide, TALL), BETWEEN)
    left = 0
    for column in columns:
        for row, each in enumerate(column):
            whole.paste(each, (left, row * (half + GAP)))
        left += column[0].width + GAP
    return whole


def save(picture: Image.Image, path: Path, quality: int = QUALITY) -> None:
    picture.save(path, "WEBP", quality=quality, method=6)


def _tall(picture: Image.Image, tall: int) -> Image.Image:
    wide = round(picture.width * tall / picture.height)
    return picture.resize((wide, tall), Image.Resampling.LANCZOS)
