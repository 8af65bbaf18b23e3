"""Every sentence a visitor reads, by language. No other file of the page holds prose."""

from __future__ import annotations

from ui.words.english import Sections, Words
from ui.words.turkish import Turkish

__all__ = ["ENGLISH", "LANGUAGES", "Sections", "Words", "address", "mounted", "spoken", "way"]

ENGLISH = Words()
LANGUAGES: dict[str, Words] = {each.TAG: each for each in (ENGLISH, Turkish())}
"""By tag. The page of the first stands at `/`."""


def address(words: Words) -> str:
    """Where the page in that language stands: what its addresses begin with, such as `/tr`."""
    return "" if words is ENGLISH else f"/{words.TAG}"


def spoken(path: str) -> tuple[Words, str]:
    """In which language the page is that `path` belongs to, and where in that page it leads."""
    tag, slash, rest = path[1:].partition("/")
    words = LANGUAGES.get(tag, ENGLISH) if slash else ENGLISH
    return (ENGLISH, path) if words is ENGLISH else (words, f"/{rest}")


def mounted(root_path: str) -> Words:
    """Those of the page that is mounted at `root_path`."""
    return spoken(f"{root_path}/")[0]


def way(here: Words, there: Words) -> str:
    """The relative address that leads from the page of one language to that of another."""
    up = "" if here is ENGLISH else "../"
    return f"{up}{there.TAG}/" if address(there) else up
