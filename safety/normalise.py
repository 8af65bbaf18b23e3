"""A person's text as plain words: one alphabet's forms, one case, nothing hidden in between.

It changes how a text is written, never what it says, and is only for comparing with the rules,
which are written in the same form: what comes out is never shown to anybody.
"""

from __future__ import annotations

import re
import unicodedata

_HIDDEN = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f"
                     "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0]")  # fmt: skip
_ACCENTS = re.compile("[\u0300-\u036f\u093c]")  # and the dot below Devanagari letters
_SAME = str.maketrans(
    {"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "′": "'", "ı": "i", "“": '"', "”": '"',
     "„": '"', "«": '"', "»": '"', "&": " and ", "+": " and ", "·": " ",
     "ँ": "ं"}
)  # fmt: skip
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")

_ELIDED = re.compile(r"([cdjlmst]|qu)'([^\W\d_]{2,})$")

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_INDIC = "\u0900-\u0963\u0966-\u097f"  # Devanagari, whose vowel signs are no letters to Python
_TOKEN = re.compile(
    rf"[{_CJK}]|[{_INDIC}]+"
    r"|\d+(?:[.,]\d+)?"
    rf"|[^\W\d_{_CJK}{_INDIC}](?:[^\W_{_CJK}{_INDIC}]|['*$@!](?=[^\W_]))*"
    r"|\n|\.\.+|[.!?;:,()\[\]{}\"/|…。!?;,、।।]|(?<=\s)[-–—]+(?=\s)|—"
)
_BREAKS = dict.fromkeys([".", "!", ";", "\n", "。", "।"], ".") | {"?": "?"}
_CLAUSES = dict.fromkeys([",", ":", "(", ")", "[", "]", "{", "}", "|", "…", "、"], ",")
_MARKS = _BREAKS | _CLAUSES | {'"': '"', "/": "/"}

SENTENCE_ENDS = frozenset({".", "?"})
MARKS = frozenset({".", "?", ",", '"', "/"})
"""The tokens that are no words."""


def plain(text: str) -> str:
    """`text` in compatibility form (NFKC), lower case, without accents or invisible characters."""
    if text.isascii():
        text = text.replace("`", "'").replace("&", " and ").replace("+", " and ").lower()
    else:
        text = unicodedata.normalize("NFKC", text)
        text = _HIDDEN.sub("", text)
        # Accents are dropped from Latin, Greek and Cyrillic letters and the dot from Devanagari
        # ones, which people leave out; vowel signs elsewhere stay.
        text = _ACCENTS.sub("", unicodedata.normalize("NFD", text))
        text = text.translate(_SAME).casefold()
    return _REPEATED.sub(r"\1\1", text)


def tokens(text: str) -> list[str]:
    """The words, numbers and breaks of `text`; a break is one of `MARKS`.

    Chinese and Japanese are one token a character. Linear in the length of the text.
    """
    found: list[str] = []
    for token in _TOKEN.findall(plain(text)):
        mark = _MARKS.get(token)
        if mark is not None:
            found.append(mark)
        elif "'" in token and token.endswith("'s"):
            # "he's" is "he is"; "dad's" may be, and a small word more does no harm.
            found += [token[:-2], "is"]
        elif token[0] in ".-–—":
            found.append(",")
        elif elided := _ELIDED.match(token):
            found += [elided[1], elided[2]]  # French "m'ordonne", "qu'il"
        else:
            found.append(token)
    return found
