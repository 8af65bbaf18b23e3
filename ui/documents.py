"""Pages of their own that only say something: whole HTML documents that need nothing else."""

from __future__ import annotations

from html import escape
from pathlib import Path

from ui import words
from ui.words import Sections

BROWSER = Path(__file__).parent / "browser"
STYLES = ("tokens.css", "disclaimer.css")


def disclaimer_page() -> str:
    """What this is, and is not."""
    more = ("privacy", words.PRIVACY_LINK)
    return _document(words.DISCLAIMER_TITLE, words.DISCLAIMER_SECTIONS, more)


def privacy_page() -> str:
    """What is kept, where, and how long."""
    more = ("disclaimer", words.DISCLAIMER_LINK)
    return _document(words.PRIVACY_TITLE, words.PRIVACY_SECTIONS, more)


def _document(title: str, sections: Sections, more: tuple[str, str]) -> str:
    said = "".join(f"<h2>{escape(head)}</h2><p>{escape(text)}</p>" for head, text in sections)
    style = "".join((BROWSER / name).read_text("utf-8") for name in STYLES)
    where, link = more
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>"
        f"<main><h1>{escape(title)}</h1>{said}"
        f'<p><a href="{where}">{escape(link)}</a> · <a href="./">{escape(words.BACK)}</a></p>'
        "</main></body></html>"
    )
