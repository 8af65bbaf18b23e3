"""The beginning of the page's document: its language, its previews, and what runs before Gradio.

A template of Gradio's own kind (Jinja), in the place of what its page has there.
"""

from __future__ import annotations

import re
from pathlib import Path

from ui.words import LANGUAGES

SCRIPT = Path(__file__).parent / "browser" / "language.js"
_PREVIEWS = re.compile(r'<meta\s+(?:property="og:|name="twitter:)[^>]*>')
_HTML = """<html
	lang="{{ words(request).TAG }}"
	dir="{{ words(request).DIRECTION }}"
"""
_HEAD = """<head>
<meta property="og:type" content="website">
<meta property="og:title" content="{{ words(request).PREVIEW }}">
<meta property="og:description" content="{{ words(request).DISCLAIMER }}">
<meta name="description" content="{{ words(request).DISCLAIMER }}">
"""


def script() -> str:
    """What decides the language, and lets the visitor choose another."""
    languages = " ".join(LANGUAGES)
    return f'<script data-languages="{languages}">{SCRIPT.read_text("utf-8")}</script>'


def headed(page: str) -> str:
    """Gradio's `page` with our beginning; `words` must be among what the template is given."""
    page = _PREVIEWS.sub("", page).replace('<html\n\tlang="en"\n', _HTML, 1)
    return page.replace("<head>", _HEAD + script(), 1)
