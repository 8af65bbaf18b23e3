"""Whom to call, by region: the numbers of `numbers.toml`, where their sources stand.

The region is what a visitor chooses; before that, their browser takes the one whose time zone it is
in. No address and no language is looked at: a language is spoken in many countries.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("numbers.toml")
ANY = "any"
"""The code of the region of somebody who chose none."""


@dataclass(frozen=True, slots=True)
class Line:
    """A number or an address, whose it is, and a note such as its hours."""

    number: str
    name: str
    note: str = ""

    @property
    def href(self) -> str:
        """What a link to it leads to: a call, or a page where it is a host's name."""
        if "." in self.number:
            return f"https://{self.number}"
        return "tel:" + re.sub(r"[^\d+]", "", self.number)


Lines = tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Region:
    """The lines of one region; `name` is empty for the one that nobody chose."""

    code: str
    name: str
    emergency: Lines
    crisis: Lines
    poison: Lines
    abuse: Lines
    zones: tuple[str, ...] = ()
    """Time zones, by their names in the tz database."""


@cache
def regions() -> tuple[Region, ...]:
    """Every region, the one of those who chose none first."""
    return tuple(_region(each) for each in _file()["region"])


def said(text: str, language: str) -> str:
    """A region's or a line's name, or a note, in that language where it has words of its own."""
    return _file()["said"].get(language, {}).get(text, text)


def as_of() -> date:
    """The day that the numbers were last gone through."""
    return _file()["as_of"]


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text("utf-8"))


def _region(given: dict[str, Any]) -> Region:
    def lines(kind: str) -> Lines:
        return tuple(Line(*each) for each in given.get(kind, ()))

    return Region(
        code=given["code"],
        name=given["name"],
        emergency=lines("emergency"),
        crisis=lines("crisis"),
        poison=lines("poison"),
        abuse=lines("abuse"),
        zones=tuple(given.get("zones", ())),
    )
