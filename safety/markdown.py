"""Text as Markdown in which nothing loads, runs, restyles the page, or hides where it leads.

Nothing is escaped, and nothing is parsed. A zero-width space in the middle of whatever could begin
a tag, an image, a link, a definition, an address, a form field, a diagram or a command of a formula
makes it text, in prose and in code alike, whatever the page's parser takes the place for. Links of
one strict form are let through (`safety.links`), with their host in the visible text. The copy
button and the history take the zero-width spaces out again.
"""

from __future__ import annotations

import re

from safety.links import AS_SHOWN, MARKUP, NIL, WORDS, WWW, is_token, shown

_CONTROLS = (*range(9), *range(0xB, 0x20), *range(0x7F, 0xA0))
_UNSEEN = (0x200B, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
OUT = dict.fromkeys((*_CONTROLS, *_UNSEEN))
"""For `str.translate`: what nobody sees and what can make a text read as another one."""

MOST_HELD = 1_000
"""Characters that may wait for what follows; longer ones are text. Bounds the cost of an update."""

# Named characters that stay: none of them means anything to Markdown or in a formula.
_NAMED = (
    "amp|lt|gt|quot|apos|nbsp|deg|micro|plusmn|times|divide|le|ge|ne|asymp|rarr|larr|harr|uarr|"
    "darr|ndash|mdash|hellip|bull|middot|frac12|frac14|frac34|sup2|sup3|alpha|beta|gamma|delta|"
    "Delta|epsilon|kappa|lambda|mu|pi|sigma|omega"
)
# Commands of a formula that only set type. Others could link, load, paint or move over the page.
_SETS_TYPE = """
    alpha beta gamma delta epsilon varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho
    sigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi
    Omega frac dfrac tfrac sqrt cdot times div pm mp le leq ge geq lt gt ne neq approx sim
    simeq equiv propto to rightarrow leftarrow leftrightarrow longrightarrow Rightarrow
    rightleftharpoons uparrow downarrow left right big Big bigl bigr text textbf textit mathrm
    mathbf mathit mathsf operatorname sum prod int log ln exp min max lim infty partial circ
    degree bar hat dot vec overline underline quad qquad cdots ldots dots begin end
"""
_COMMANDS = frozenset(_SETS_TYPE.split())
_WWW = r"w{3}(?=\.)"
_ACTIVE = (
    r"<(?=[A-Za-z/!?])|!(?=\[)|\](?=[(\[:])|\[(?=[ x]\])|:(?=//)|@(?=\w)|```(?=mermaid)|"
    rf"&(?=[#A-Za-z])(?!(?:{_NAMED});)|\\(?=(?P<command>[A-Za-z@]+))"
)
# What may begin there is looked at first: nearly everywhere nothing does.
_SIGN = r"(?=[<!\[\]:@&\\`])"
_INERT = re.compile(f"{_SIGN}(?:{_ACTIVE})|{_WWW}", re.I)
# One pass for both: what stands before a link must see it.
_SHOWN = re.compile(
    rf"{_SIGN}(?:{MARKUP}|{_ACTIVE})|(?=w)(?:{WWW}|{_WWW})|\b(?=[hfpni1])(?:{WORDS})", re.I
)


def inert(text: str) -> str:
    """`text` with all of its markup disarmed; no link stays one. For what people type."""
    return _INERT.sub(_disarm, text)


def for_a_script() -> dict[str, str | list[str]]:
    """`inert` for a script that shows again what was shown: patterns in JavaScript's syntax, their
    case ignored, and the commands that stay. A link of the form that was let through is one still.
    """
    active = f"{_ACTIVE}|{_WWW}".replace("(?P<", "(?<")
    kept = AS_SHOWN.replace("(?P<", "(?<").replace("(?P=host)", r"\k<host>")
    return {"active": active, "shown": kept, "commands": sorted(_COMMANDS)}


def _disarm(found: re.Match[str]) -> str:
    return found.group() if found["command"] in _COMMANDS else found.group() + NIL


class Neutraliser:
    """One text that grows, such as an answer being streamed. `text` is what may be shown of it.

    `text` only ever grows at its end, and what it is does not depend on the pieces. A link, an
    address or the number of a citation waits in here until it is whole. The cost of a piece is that
    of its own length.
    """

    def __init__(self) -> None:
        self.text = ""
        self._held = ""
        self._before = ""
        """The last character that no longer waits: whether a word begins after it."""

    def write(self, piece: str) -> None:
        """More of the text."""
        held = self._held + piece
        settled = _settled(held)
        if len(held) - settled <= MOST_HELD:
            self._show(held, settled)
        else:
            self._show(held, len(held))
            self.text += NIL  # nothing that is cut here means anything any more

    def close(self) -> None:
        """Nothing follows, or not soon: what waited is shown."""
        self._show(self._held, len(self._held))

    def _show(self, held: str, settled: int) -> None:
        if settled:
            self.text += _safe(self._before, held[:settled])
            self._before = held[settled - 1]
        self._held = held[settled:]


def neutralised(text: str) -> str:
    """The whole of a model's text, as `Neutraliser` gives it."""
    whole = Neutraliser()
    whole.write(text)
    whole.close()
    return whole.text


def _safe(before: str, text: str) -> str:
    parts: list[str] = []
    text, at = before + text, len(before)
    while found := _SHOWN.search(text, at):
        parts.append(text[at : found.start()])
        if is_token(found):
            part, at = shown(found, inert)
        else:
            part, at = _disarm(found), found.end()
        parts.append(part)
    return "".join([*parts, text[at:]])


_SPACES = " \n\t"
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
# A word of printable ASCII that has begun what only its end decides.
_BEGUN = re.compile(
    r"[<\[\]/@&\\`]|[:!]$|w{1,3}$|www\.|(?:^|[^A-Za-z0-9])(?:h|ht|htt|https?|f|ftp?|"
    r"p|pm|pmi|pmids?|pu|pub|pubm|pubme|pubmed|pmc|pmci|pmcid|pmc\d*|n|nc|nct\d*|d|do|doi|"
    r"i|is|isb|isbn[\dx-]*|1|10|10\.[\d.]*)$",
    re.I,
)
_LINK = re.compile(
    r"\[[^\[\]\n]{0,300}(?:\](?:\(\s{0,9}(?:[^\s()]{0,600}(?:\s{1,9}[^\n()]{0,200})?)?)?)?"
)
_CITED = re.compile(
    r"\b(?:pmids?|pubmed(?:\s+id)?|pmcid|pmc|nct|doi|isbn(?:-1[03])?)(?![a-z])[\s:#]{0,4}"
    r"(?:pmc)?[\dx\s,;-]{0,60}$",
    re.I,
)


def _settled(text: str) -> int:
    """How much of `text` means the same whatever follows it."""
    settled = size = len(text)
    word = _word(text, size)
    if _BEGUN.search(text[max(word, size - MOST_HELD) :]):
        settled = word
    last = -1
    while settled != last:
        last = settled
        if cited := _CITED.search(text, max(0, settled - 99), settled):
            settled = _word(text, cited.start())
        bracket = text.rfind("[", max(0, settled - MOST_HELD), settled)
        if bracket >= 0 and _LINK.fullmatch(text, bracket, settled):
            settled = _word(text, bracket)
    return settled


def _word(text: str, end: int) -> int:
    """Where the word begins that ends at `end`: a run of printable ASCII, or an address."""
    tail = text[max(0, end - MOST_HELD) : end]
    address = tail.find("://", max(map(tail.rfind, _SPACES)) + 1)
    run = tail if address < 0 else tail[:address]
    return end - len(tail) + len(run.rstrip(_PRINTABLE))
