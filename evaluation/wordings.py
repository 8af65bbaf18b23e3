"""Whether an answer says a point, known by its wordings. No model; blind to negations.

A wording is words in a row. `*` ends a word whose ending is free, `..` stands for up to six words
between, within a sentence: `insulin .. resistan*`. Case, accents, hyphens and British or American
spelling make no difference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

GAP = 6
"""Words that `..` may stand for."""
SPELLINGS = (
    ("aem", "em"), ("oed", "ed"), ("oes", "es"), ("rrhoea", "rrhea"), ("foet", "fet"),
    ("paed", "ped"), ("tumour", "tumor"), ("anaes", "anes"), ("gynae", "gyne"), ("ise", "ize"),
    ("yse", "yze"), ("isation", "ization"),
)  # fmt: skip
"""Applied to answers and wordings alike, so that "does" and "rise" still meet themselves."""


def says(answer: str, wordings: Sequence[str]) -> bool:
    """Whether one of `wordings` occurs in `answer`."""
    text = plain(answer)
    return any(_pattern(each).search(text) for each in wordings)


def plain(text: str) -> str:
    """`text` in small letters without accents; words parted by one space, sentences by a stop."""
    text = unicodedata.normalize("NFKD", text.casefold()).replace("’", "'")
    text = "".join(each for each in text if not unicodedata.combining(each))
    text = re.sub(r"[.!?;\n]+(?=\s|$)", " . ", text)
    text = re.sub(r"[^\w.%+']+", " ", text)
    text = re.sub(r"(?<!\d)\.(?=\w)|(?<=\w)\.(?!\d)", " ", text)
    return " ".join(_american(word) for word in text.split())


def _american(word: str) -> str:
    for british, american in SPELLINGS:
        word = word.replace(british, american)
    return word


@cache
def _pattern(wording: str) -> re.Pattern[str]:
    parts: list[str] = []
    for word in wording.split():
        if word == "..":
            parts.append(rf"(?:[^ .]\S* ){{0,{GAP}}}")
            continue
        stem = plain(word.rstrip("*"))
        parts.append(re.escape(stem) + (r"[\w']*" if word.endswith("*") else "") + r"(?: |$)")
    return re.compile(r"(?:^|(?<= ))" + "".join(parts))
