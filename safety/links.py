"""Links and citations in what a model wrote: which stay links, and the mark that all of them carry.

A model makes up addresses, DOIs and the numbers of studies that look right. Each is marked, once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

NIL = "\u200b"
"""The zero-width space: shown as nothing, and in the middle of markup the end of it."""

UNVERIFIED = "unverified"
IN_OTHERS = {"tr": "doğrulanmamış"}
"""The same word in other languages of the page."""
_ANY = "|".join((UNVERIFIED, *IN_OTHERS.values()))

# Everything in an address after its host; no sign in it means anything to Markdown or to HTML.
_REST = r"[^\s()<>\"'\\`|$^{}\[\]]"
MARKUP = (
    r"(?P<image>!\[[^\[\]\n]{0,300}\]\(\s{0,9}[^\s()]{0,600}(?:\s[^()\n]{0,200})?\))|"
    r"\[(?P<label>[^\[\]\n`\\<>$|]{1,300})\]\(\s{0,9}<?"
    rf"(?P<to>https?://{_REST}{{1,600}})>?(?:\s{{1,9}}(?:\"[^\"\n]{{0,200}}\"|'[^'\n]{{0,200}}'))?"
    r"\s{0,9}\)"
)
WWW = r"(?P<www>www\.[!#-;=?@A-Z_a-z~]{1,600})"
WORDS = (
    r"(?P<bare>(?:https?|ftp)://[^\s<>\"`\\|\[\]{}^$]{1,600})|"
    r"(?P<cited>10\.\d{4,9}/[!#-;=?@A-Z_a-z~]{1,200}|"
    r"pmids?\b[\s:#]{0,4}\d{1,9}(?:\s?[,;]\s?\d{5,9}){0,9}|"
    r"pubmed(?:\s+id)?[\s:#]{1,4}\d{5,9}|"
    r"pmc(?:id)?(?:[\s:#]{1,4}(?:pmc)?)?\d{3,9}|"
    r"nct\s?\d{8}(?!\d)|"
    r"isbn(?:-1[03])?[\s:#]{0,4}[\dx](?:[\s-]?[\dx]){8,16})"
)
"""Patterns, their case ignored, for what `shown` shows: in markup, anywhere, and from a word's
beginning."""

_ENDING = re.compile(r"[.,;:!?'\")*_~]*$")
_ADDRESS = re.compile(r"(https?)://([^/?#]*)(.*)", re.I | re.S)
# A name, not a number: addresses of machines lead into the visitor's own network.
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,9}[a-z][a-z0-9-]{0,61}[a-z0-9]")
_MARK = re.compile(rf" \({NIL}[^(){NIL}]{{0,260}}\)")
# A link as `shown` leaves it, with its mark: what was shown once may be shown again.
_SHOWN_HOST = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,9}[a-z][a-z0-9-]{0,61}[a-z0-9]"
_SHOWN_REST = r"(?:[/?#][A-Za-z0-9/?#!&*+,;=:%'~_.-]{0,2000})?"
AS_SHOWN = (
    rf"\[(?P<label>[^\[\]\n`\\<>$|]{{1,600}})\](?P<to>\(https?://(?P<host>{_SHOWN_HOST}){_SHOWN_REST}\)"
    rf" \({NIL}(?P=host), (?:{_ANY})\))|"
    rf"(?P<bare>\bhttps?://{_SHOWN_HOST}{_SHOWN_REST} \({NIL}(?:{_ANY})\))"
)


def mark(host: str = "") -> str:
    """What stands behind a link or a citation. `without_marks` knows it by its zero-width space."""
    return f" ({NIL}{host}, {UNVERIFIED})" if host else f" ({NIL}{UNVERIFIED})"


def translated(text: str, language: str) -> str:
    """`text`, its marks in that language where they have a word there."""
    word = IN_OTHERS.get(language)
    if word is None:
        return text
    return _MARK.sub(lambda mark: mark[0].replace(f"{UNVERIFIED})", f"{word})"), text)


def without_marks(text: str) -> str:
    """`text` as the model wrote it."""
    return _MARK.sub("", text).replace(NIL, "")


def is_token(found: re.Match[str]) -> bool:
    """Whether it is for `shown`."""
    return any(found[name] is not None for name in ("image", "label", "www", "bare", "cited"))


def shown(found: re.Match[str], inert: Callable[[str], str]) -> tuple[str, int]:
    """A match of such a pattern as it may be shown, and where in its text it ends.

    `inert` makes text of what is no good link.
    """
    text = found.group()
    if found["image"] is not None:
        return inert(text) + mark(), found.end()
    if found["label"] is not None:
        address = _Address.read(found["to"])
        if address is None:
            return inert(text) + mark(_looks_like(found["to"])), found.end()
        return f"[{inert(found['label'])}]({address})" + mark(address.host), found.end()
    text = text[: _end(text)]
    address = _Address.read(text)
    # The space of the mark is also what ends an address for the page's parser.
    words = str(address) + mark() if address else inert(text) + mark(_looks_like(text))
    return words, found.start() + len(text)


class _Address:
    """An address that may be a link: http or https, a host by name, no user, all of it in ASCII."""

    def __init__(self, scheme: str, host: str, rest: str) -> None:
        self.host = host
        self._text = f"{scheme.lower()}://{host}{rest}"

    def __str__(self) -> str:
        return self._text

    @classmethod
    def read(cls, text: str) -> _Address | None:
        found = _ADDRESS.fullmatch(text)
        if found is None:
            return None
        scheme, host, rest = found.groups()
        host = _in_ascii(host)
        if not _HOST.fullmatch(host):
            return None
        return cls(scheme, host, quote(rest, safe="/?#@!&*+,;=:%()'~"))


def _in_ascii(host: str) -> str:
    """Letters of other alphabets that look like Latin ones show as punycode. "" for no host."""
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""


def _looks_like(text: str) -> str:
    """The host of what is no good link, where its letters could be mistaken for others."""
    found = _ADDRESS.match(text)
    host = found[2].rpartition("@")[2] if found else ""
    return "" if host.isascii() else _in_ascii(host)


def _end(text: str) -> int:
    """Where an address or a citation ends: not with what ends a sentence."""
    ending = _ENDING.search(text)
    end = ending.start() if ending else len(text)
    opened = text.count("(", 0, end) - text.count(")", 0, end)
    while opened > 0 and text[end : end + 1] == ")":
        end, opened = end + 1, opened - 1
    return end
