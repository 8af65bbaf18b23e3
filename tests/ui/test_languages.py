"""The page in the visitor's language: chosen, switched, complete, from either side, by region."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.conftest import serving
from tests.ui import languages, states
from tests.ui.conftest import Open
from ui.words import ENGLISH, LANGUAGES, Words

TURKISH = LANGUAGES["tr"]
TURK: dict[str, Any] = {"locale": "tr-TR", "timezone_id": "Europe/Istanbul"}

# Every text that is to be read or heard, of what is in sight, and not of what people and models
# wrote, of fixed texts of the safety layer (they have a language of their own) and of names.
TEXTS = """() => {
  const not = ".message-wrap .prose:not(.foot *), .alarm, textarea, .language, script, style, " +
    "#kept-list b, input";
  const seen = (each) => each.checkVisibility({ visibilityProperty: true });
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const within = node.parentElement;
    const ours = within.closest(".foot, .intro") || !within.closest(not);
    if (ours && seen(within) && node.data.trim()) texts.push(node.data.trim());
  }
  for (const each of document.querySelectorAll("[aria-label], [title], [placeholder]")) {
    if (each.closest(".alarm, .language") || !seen(each)) continue;
    for (const name of ["aria-label", "title", "placeholder"])
      if (each.getAttribute(name)?.trim()) texts.push(each.getAttribute(name).trim());
  }
  return texts;
}"""
NAMES = ("a script, not a model", "(scripted)", "base-model")
LETTERS = re.compile(r"[A-Za-zÇĞİÖŞÜçğıöşü]{2,}")


@pytest.fixture(scope="module")
def staged() -> Iterator[str]:
    """Every state, in a third language too: one in which every sentence of ours is marked."""
    LANGUAGES[languages.TAG] = languages.bracketed()
    try:
        with serving(states.backend()) as address:
            yield address
    finally:
        del LANGUAGES[languages.TAG]


def foreign(page: Page) -> list[str]:
    """What is to be read on the page, and is in no catalogue."""
    found: list[str] = []
    for text in page.evaluate(TEXTS):
        rest = languages.outside(text)
        for name in NAMES:
            rest = rest.replace(name, "")
        if LETTERS.search(rest):
            found.append(text)
    return found


def sentences(words: Words) -> Iterator[tuple[str, str]]:
    """Every sentence, by where it stands."""

    def within(name: str, value: object) -> Iterator[tuple[str, str]]:
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, dict):
            for key, each in value.items():
                yield from within(f"{name}.{key}", each)
        elif isinstance(value, tuple):
            for at, each in enumerate(value):
                yield from within(f"{name}.{at}", each)

    for name in vars(Words):
        if name.isupper():
            yield from within(name, getattr(words, name))


def test_turkish_has_a_sentence_for_each_english_one_with_the_same_places_to_fill() -> None:
    english, turkish = dict(sentences(ENGLISH)), dict(sentences(TURKISH))
    assert english.keys() == turkish.keys()
    same = {name for name in english if english[name] == turkish[name]}
    assert same == {"TITLE", "DIRECTION", "EFFORTS.0.1", "EFFORTS.1.1", "EFFORTS.2.1"}
    places = re.compile(r"{[^}]*}")
    for name, sentence in english.items():
        assert sorted(places.findall(sentence)) == sorted(places.findall(turkish[name])), name


@pytest.mark.parametrize("state", states.CHAT)
def test_no_sentence_on_the_page_is_outside_the_catalogue(
    staged: str, open_page: Open, state: str
) -> None:
    page = open_page(f"{staged}/{languages.TAG}/", timezone_id="UTC")
    states.CHAT[state](page)
    page.wait_for_timeout(300)
    assert foreign(page) == []
