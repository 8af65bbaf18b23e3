"""Pages of their own that only say something: whole HTML documents that need nothing else."""

from __future__ import annotations

from html import escape
from pathlib import Path

from ui.head import script
from ui.words import LANGUAGES, Sections, Words, way

BROWSER = Path(__file__).parent / "browser"
STYLES = ("tokens.css", "disclaimer.css")


def disclaimer_page(words: Words) -> str:
    """What this is, and is not."""
    more = ("privacy", words.PRIVACY_LINK)
    title, sections = words.DISCLAIMER_TITLE, words.DISCLAIMER_SECTIONS
    return _document(words, "disclaimer", title, sections, more)


def privacy_page(words: Words) -> str:
    """What is kept, where, and how long."""
    more = ("disclaimer", words.DISCLAIMER_LINK)
    return _document(words, "privacy", words.PRIVACY_TITLE, words.PRIVACY_SECTIONS, more)


def _document(
    words: Words, name: str, title: str, sections: Sections, more: tuple[str, str]
) -> str:
    said = "".join(f"<h2>{escape(head)}</h2><p>{escape(text)}</p>" for head, text in sections)
    style = "".join((BROWSER / each).read_text("utf-8") for each in STYLES)
    where, link = more
    return (
        f'<!doctype html><html lang="{words.TAG}" dir="{words.DIRECTION}"><head>'
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>{script()}<style>{style}</style></head><body>"
        f"<main><h1>{escape(title)}</h1>{said}"
        f'<p><a href="{where}">{escape(link)}</a> · <a href="./">{escape(words.BACK)}</a>'
        f"{others(words, name)}</p></main></body></html>"
    )


def others(words: Words, view: str) -> str:
    """Links to the same `view` in each other language, each in that one's own words."""
    return "".join(
        f' · <a class="language" href="{way(words, other)}{view}" lang="{other.TAG}"'
        f' hreflang="{other.TAG}">{escape(other.NAME)}</a>'
        for other in LANGUAGES.values()
        if other is not words
    )
