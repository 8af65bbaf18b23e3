"""Which option an answer chooses, or why that cannot be told. Pure; reads the answer alone.

In this order:

1. An answer without a letter or digit in it: `no answer`.
2. What it states: `\\boxed{B}`, "ANSWER: B", "the answer is (B)", "option B is correct", also the
   option's own words there ("the answer is ceftriaxone"), in English and with the word for
   "answer" of a few other languages. All statements must name one option.
3. Else a letter that is all of it, or begins it as a label: "b", "(B)", "B. Ceftriaxone".
4. Else the words of an option that it begins with, up to a full stop, a comma or its end.
5. Else the words of the one option that it names anywhere, not counting what it denies ("rather
   than ceftriaxone"). Only where the words hardly stand there by chance: not "yes", not "none".

More than one option, in one statement ("B or C") or in several: `several options`. A letter beside
the words of another option: `letter and words differ`. Anything else: `unreadable`. A negation
("not B") states nothing. How an option was read (`STATED`, `BEGINS`, `NAMED`) is kept beside it,
because the last is the least sure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

LETTERS = "ABCDEFGHIJ"
NO_ANSWER = "no answer"
SEVERAL = "several options"
DIFFER = "letter and words differ"
UNREADABLE = "unreadable"
STATED, BEGINS, NAMED = "stated", "begins", "named"
TELLING = 6
"""Letters that an option of one word must have, to be known wherever it stands."""

_WORD = (
    r"(?:answer|\b(?:correct|right|best)\s+(?:option|choice)|respuesta|r[ée]ponse|antwort|risposta"
    r"|resposta|cevap|yanıt|ответ|उत्तर|答案|答え|回答)"
)
_IS = (
    r"(?:\s*[:=：]|\s*(?:是|は|为)"
    r"|\s+(?:is|would be|should be|must be|es|est|ist|lautet|è|é)\b\s*:?)"
)
_TO = r"\s+(?:to|for)\s[^.:\n]{1,60}?"
"""What stands between "the answer" and "is", in "the answer to the question is"."""
_FILLER = r"(?:\s*(?:option|choice|letter|opci[óo]n|opzione|op[çc][ãa]o|seçenek)\b)?"
_OPEN = r"[\s*_\"'“‘(\[{$]*"
_STATED = re.compile(rf"{_WORD}(?:{_TO}{_IS}|{_IS}|\s){_FILLER}{_OPEN}", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\s*\{\s*(?:\\text\s*\{)?\s*")
_JUDGED = re.compile(
    r"(?:\b(?:option|choice|answer)\s+)?\(?\b(?P<letter>[A-J])\b[)*.]*\s+is\s+(?:the\s+)?"
    r"(?:most\s+)?(?:correct|right|best|likely|appropriate)\b"
)
_LETTER = re.compile(r"(?P<letter>[A-Ja-j])(?![\w'’])(?P<close>[)\]}.:*_\"”]*)")
_ALSO = re.compile(
    r"\s*(?:,?\s*(?:and|or|und|oder|y|o|et|ou|e|ve|veya|&|/)\s*[(\[*]*(?P<one>[A-J])\b(?![\w'’])"
    r"|,\s*[(\[*]*(?P<two>[B-J])\b(?!\s+[a-z]))"
)
_LABEL = re.compile(r"(?P<open>[(\[*_\"\s]*)(?P<letter>[A-J])(?P<close>[)\]*_.:\"\s-]*)")
_ALONE = re.compile(r"\W*([A-Ja-j])\W*")
_LINE = re.compile(r"^[\s>*_-]*[(\[]?(?P<letter>[A-J])[)\].:]", re.MULTILINE)
_DENIED = re.compile(
    r"\b(?:not|no|never|without|unlike|unlikely|except|excludes?|excluding|cannot|rather than"
    r"|instead of|rules? out|ruling out|\w+n['’]t)[^\w.;!?]+(?:\w+[^\w.;!?]+){0,3}\Z",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"\b([A-J])[.):][\s*_\"'(]*\Z")
_END = re.compile(r"\s*(?:[.,;:!\n*\"”)\]}]|$)")


@dataclass(frozen=True, slots=True)
class Read:
    """`option` is an index, or None, and then `why` says what is the matter. `how`: see above."""

    option: int | None
    why: str = ""
    how: str = ""


def read_option(answer: str, options: Sequence[str]) -> Read:
    """The option that `answer` chooses. Give it no reasoning."""
    answer = unicodedata.normalize("NFKC", answer)
    if not re.search(r"\w", answer):
        return Read(None, NO_ANSWER)
    named = [unicodedata.normalize("NFKC", option) for option in options]
    for how, find in ((STATED, _statements), (BEGINS, _beginning), (NAMED, _mentions)):
        found = find(answer, named)
        if len({each.option for each in found}) > 1:
            return Read(None, SEVERAL)
        if found:
            return replace(found[0], how=how if found[0].option is not None else "")
    return Read(None, UNREADABLE)


def _statements(answer: str, options: Sequence[str]) -> list[Read]:
    found: list[Read] = []
    for opening in (_BOXED, _STATED):
        for match in opening.finditer(answer):
            found += _named_at(answer[match.end() :], options)
    for match in _JUDGED.finditer(answer):
        found += _of_letter(match["letter"], options)
    return found


def _named_at(rest: str, options: Sequence[str]) -> list[Read]:
    """What `rest`, the text after "the answer is", begins with: a letter, or an option's words."""
    option = _words_at(rest, options)
    if option is not None and len(options[option]) > 1:
        return [Read(option)]
    match = _LETTER.match(rest)
    # A small letter may be the article.
    if match is None or (match["letter"] == "a" and not match["close"] and rest[1:].strip()):
        return []
    if rest[match.end() :].lstrip().startswith("?"):
        return []
    found = _of_letter(match["letter"].upper(), options)
    if not found:
        return []
    beside = _words_at(rest[match.end() :].lstrip(" -–—:*_\"'(.)"), options)
    if beside is not None and beside != found[0].option:
        return [Read(None, DIFFER)]
    also = _ALSO.match(rest[match.end() :])
    return found + (_of_letter(also["one"] or also["two"], options) if also else [])


def _beginning(answer: str, options: Sequence[str]) -> list[Read]:
    text = answer.lstrip()
    if alone := _ALONE.fullmatch(text):
        return _of_letter(alone[1].upper(), options)
    match = _LABEL.match(text)
    if match is not None and _is_label(match, text):
        labels = {each["letter"] for each in _LINE.finditer(text)} | {match["letter"]}
        found = [read for letter in sorted(labels) for read in _of_letter(letter, options)]
        if len(found) != 1:
            return found
        rest = text[match.start("letter") :]
        return _named_at(rest, options)
    option = _words_at(text.lstrip("*_\"'“"), options)
    return [] if option is None else [Read(option)]


def _is_label(match: re.Match[str], text: str) -> bool:
    """Whether a letter at the beginning stands for an option: "A 30-year-old" is no label."""
    rest = text[match.end() :]
    closed = bool(match["close"].strip(" \t")) or not rest
    return closed or _ALSO.match(text[match.end("letter") :]) is not None


def _of_letter(letter: str, options: Sequence[str]) -> list[Read]:
    at = LETTERS.index(letter)
    return [Read(at)] if at < len(options) else []


def _words_at(text: str, options: Sequence[str]) -> int | None:
    """The option whose words `text` begins with, the longest if there are several."""
    best, length = None, 0
    for at, option in enumerate(options):
        match = re.match(_as_pattern(option), text, re.IGNORECASE)
        if match and match.end() > length and _END.match(text[match.end() :]):
            best, length = at, match.end()
    return best


def _mentions(answer: str, options: Sequence[str]) -> list[Read]:
    """The options whose words stand in `answer` undenied, each once; none where a longer option
    stands there."""
    spans: list[tuple[int, int, int]] = []
    for at, option in enumerate(options):
        if not _is_telling(option):
            continue
        for match in re.finditer(rf"(?<!\w){_as_pattern(option)}(?!\w)", answer, re.IGNORECASE):
            before = answer[max(0, match.start() - 60) : match.start()]
            label = _BEFORE.search(before)
            if label is not None and LETTERS.index(label[1]) != at:
                return [Read(None, DIFFER)]
            if not _DENIED.search(before):
                spans.append((match.start(), match.end(), at))
    alone = [
        span for span in spans
        if not any(a <= span[0] and span[1] <= b and b - a > span[1] - span[0] for a, b, _ in spans)
    ]  # fmt: skip
    return [Read(at) for at in sorted({at for _, _, at in alone})]


def _is_telling(option: str) -> bool:
    words = re.findall(r"\w+", option)
    return len(words) > 1 or (len(words) == 1 and len(words[0]) >= TELLING)


def _as_pattern(option: str) -> str:
    return re.sub(r"(\\ |\s)+", r"\\s+", re.escape(option.strip().rstrip(".")))
