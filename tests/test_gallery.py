"""The gallery shows every state, and nothing that is none."""

from __future__ import annotations

import re

import pytest
from PIL import Image

from docs.gallery.__main__ import HERE, index
from docs.gallery.states import STATES
from docs.gallery.tour import SHOTS
from tests.conftest import ROOT

NAMES = [state.name for state in STATES]
TOUR = [shot.name for shot in SHOTS]
LARGEST = 120_000
"""Bytes of one picture: whoever clones the repository gets all of them."""


def test_the_index_shows_each_state_once() -> None:
    assert len(set(NAMES)) == len(NAMES)
    shown = (HERE / "README.md").read_text("utf-8")
    assert shown == index(), "run `python -m docs.gallery`"
    assert re.findall(r"\]\((.+)\.webp\)", shown) == NAMES


def test_each_state_has_its_picture_and_no_picture_is_left_over() -> None:
    assert {path.stem for path in HERE.glob("*.webp")} == {*NAMES, *TOUR}


@pytest.mark.parametrize("name", [*NAMES, *TOUR])
def test_a_picture_can_be_read_and_is_small(name: str) -> None:
    path = HERE / f"{name}.webp"
    with Image.open(path) as picture:
        picture.verify()
    assert path.stat().st_size < LARGEST


def test_the_tour_is_three_pictures_of_the_gallery() -> None:
    shown = re.findall(r"docs/gallery/([\w-]+)\.webp", (ROOT / "README.md").read_text("utf-8"))
    assert shown == TOUR
