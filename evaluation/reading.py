"""Which option an answer chooses, or why that cannot be told. Pure; reads the answer alone.

In this order:

1. An answer without a letter or digit in it: `no answer`.
2. What it states: `\\boxed{B}`, "ANSWER: B", "the answer is (B)", "option B is correct", also the
   option's own words there ("the answer is ceftriaxone"), in English and with the word for
   "answer" of a few other languages. All statements must name one option.
3. Else a letter that is all of it, or begins it as a label: "b", "(B)", "B. Ceftriaxone".
4. Else the words of an option that it begins with, up to a full stop, a comma or its end.
5. Else the words of the one option that it names anywhere, not counting what it denies ("rather
   than ceftriaxone", "ceftriaxone is wrong"). Only where the words hardly stand there by chance:
   not "yes", not "none".

More than one option, in one statement ("B or C") or in several: `several options`. A letter beside
the words of another option: `letter and words differ`. Anything else: `unreadable`. A negation
("not B", "the incorrect answer is B") or a condition ("if B is correct") states nothing, and a
letter that belongs to a name ("hepatitis B is the likely cause", "C. difficile") is none. How an
option was read (`STATED`, `BEGINS`, `NAMED`) is kept beside it, because the last is the least sure.
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
    r"(?:\s+(?:correcta|correcte|correta|corretta|final))?"
)
_IS = (
    r"(?:\s*[:=：]|\s*(?:是|は|为)"
    r"|\s+(?:is|would be|should be|must be)\b\s*:?"
    r"|\s+(?:es|est|ist|lautet|è|é)\b\s*:?(?:\s*(?:la|a|o|el|le|die)\s+(?=[A-J]\b))?)"
)
_TO = r"\s+(?:to|for)\s[^.:\n]{1,60}?"
"""What stands between "the answer" and "is", in "the answer to the question is"."""
_FILLER = r"(?:\s*(?:option|choice|letter|opci[óo]n|opzione|op[çc][ãa]o|seçenek)\b)?"
_OPEN = r"[\s*_\"'“‘(\[{$]*"
_STATED = re.compile(rf"{_WORD}(?:{_TO}{_IS}|{_IS}|\s){_FILLER}{_OPEN}", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\s*\{\s*(?:\\text\s*\{)?\s*")
_JUDGED = re.compile(
    r"\(?\b(?P<letter>[A-J])\b[)*.]*\s+is\s+(?:the\s+)?"
    r"(?:most\s+)?(?:correct|right|best|likely|appropriate)\b"
)
_FREE = re.compile(
    r"(?:(?:\A|[.!?:;,\n])|\b(?:option|choice|answer|so|thus|hence|therefore|think|believe))"
    r"[\s*_\"'(]*\Z",
    re.IGNORECASE,
)
"""What may stand before a letter that is judged. After a noun it is a part of its name."""
_UNTRUE = re.compile(
    r"(?:\b(?:incorrect|wrong|worst|least\s+\w+)\s+|\b(?:if|whether)\s+(?:the\s+)?(?:\w+\s+)?"
    r"|\b(?:not|unlikely|false|\w+n['’]t)\b[^.!?,;:\n]{0,30})\Z",
    re.IGNORECASE,
)
"""What turns "the answer is B" into something else."""
_LETTER = re.compile(r"(?P<letter>[A-Ja-j])(?![\w'’])(?P<close>[)\]}.:*_\"”]*)")
_ALSO = re.compile(
    r"\s*(?:,?\s*(?:and|or|und|oder|y|o|et|ou|e|ve|veya|vs\.?|&|/|\|)(?:\s*,[\w ]{1,20},)?"
    r"\s*[(\[*]*(?P<one>[A-J]|[b-h])(?![\w'’])|,\s*[(\[*]*(?P<two>[B-J]|[b-h])\b(?!\s+[a-z])"
    r"|[ \t]*\n\s*[(\[*]*(?P<three>[A-J])\W*(?=\n|\Z))"
)
_NAME = re.compile(r"[)*_]*\.\s+(?!(?:because|since|this|that|these|which|with|when)\b)[a-z]{4,}")
"""What follows the letter of a species: "C. difficile", "B. burgdorferi"."""
_LABEL = re.compile(r"(?P<open>[(\[*_\"\s]*)(?P<letter>[A-J])(?P<close>[)\]*_.:\"\s-]*)")
_ALONE = re.compile(r"\W*(?:(?:option|choice)\W+)?([A-Ja-j])\W*", re.IGNORECASE)
_LINE = re.compile(r"^[\s>*_-]*[(\[]?(?P<letter>[A-J])[)\].:]", re.MULTILINE)
_DENIED = re.compile(
    r"\b(?:not|no|never|without|unlike|unlikely|except|excludes?|excluding|cannot|rather than"
    r"|instead of|rules? out|ruling out|\w+n['’]t)[^\w.;!?]+(?:\w+[^\w.;!?]+){0,3}\Z",
    re.IGNORECASE,
)
_REFUTED = re.compile(
    r"[\s)*_\"']*(?:(?:is|are|was|were|would|should|can|may|has|does|must)\s+(?:\w+\s+)?)?(?:be\s+)?"
    r"(?:not|never|no|contraindicated|incorrect|wrong|avoided|unlikely|excluded|ruled\s+out"
    r"|less\s+likely|\w+n['’]t)\b",
    re.IGNORECASE,
)
"""What denies words that stand before it."""
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
            before = answer[max(0, match.start() - 60) : match.start()]
            if not _UNTRUE.search(before):
                found += _named_at(answer[match.end() :], options)
    for match in _JUDGED.finditer(answer):
        if _FREE.search(answer[: match.start("letter")]):
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
    after = rest[match.end("letter") :]
    if after.lstrip(")]}*_. ").startswith("?") or _is_name(after, options):
        return []
    found = _of_letter(match["letter"].upper(), options)
    if not found:
        return []
    beside = _words_at(rest[match.end() :].lstrip(" -–—:*_\"'(.)"), options)
    if beside is not None and beside != found[0].option:
        return [Read(None, DIFFER)]
    also = _ALSO.match(rest[match.end() :])
    other = also and (also["one"] or also["two"] or also["three"])
    return found + (_of_letter(other.upper(), options) if other else [])


def _beginning(answer: str, options: Sequence[str]) -> list[Read]:
    text = answer.lstrip()
    if alone := _ALONE.fullmatch(text):
        return _of_letter(alone[1].upper(), options)
    match = _LABEL.match(text)
    if match is not None and _is_label(match, text, options):
        labels = {each["letter"] for each in _LINE.finditer(text)} | {match["letter"]}
        found = [read for letter in sorted(labels) for read in _of_letter(letter, options)]
        if len(found) != 1:
            return found
        rest = text[match.start("letter") :]
        return _named_at(rest, options)
    option = _words_at(text.lstrip("*_\"'“"), options)
    if option is None:
        return []
    if _is_telling(options[option]):
        return [Read(option)]
    # "No, the evidence suggests yes."
    others = [at for at, each in enumerate(options) if at != option and _said_last(each, text)]
    return [Read(at) for at in (option, *others)]


def _said_last(words: str, text: str) -> bool:
    """Whether a sentence of `text` ends with `words`."""
    return re.search(rf"(?<!\w){_as_pattern(words)}\s*(?:[.!]|\Z)", text, re.IGNORECASE) is not None


def _is_name(after: str, options: Sequence[str]) -> bool:
    """Whether a letter is a species', by what stands `after` it."""
    return _NAME.match(after) is not None and _words_at(after.lstrip(")*_. "), options) is None


def _is_label(match: re.Match[str], text: str, options: Sequence[str]) -> bool:
    """Whether a letter at the beginning stands for an option: "A 30-year-old" is no label."""
    if _is_name(text[match.end("letter") :], options):
        return False
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
            if not _DENIED.search(before) and not _REFUTED.match(answer[match.end() :]):
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
