"""The words of the rules, and which of them a word of a text counts as."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from safety.normalise import MARKS, tokens
from safety.typos import Typos, real_words

Word = tuple[str, ...]
"""How a phrase names one word: alternatives, each `word`, `word*` or `#low-high`; `#.low-high` is
written with a point or comma."""

_PLAIN = re.compile("[a-z]+")
_HEAD = 3
MOST_UNKNOWN = 500
"""Different words of one message that a misspelling is looked for in, so that its cost has a bound;
8,000 characters of prose have about 300 that the rules do not know."""
_FOREIGN = 8
"""Letters of the shortest word of another language that a misspelt word is read as."""
_ENDINGS = ("", "s", "ing", "ed")
_TENS = frozenset({"20", "30", "40", "50", "60", "70", "80", "90"})
_UNITS = frozenset("123456789")
_SUFFIXES = frozenset(
    """s es ies d ed ied t n en ing ings er ers or y ly al ally ic ical ion ions ation ations ity
    ous ive ant ent able ible ness ment ments ful less ism ist ia is us um ish""".split()  # noqa: SIM905
)
"""How an English word may go on after the stem of a phrase, and still be that word."""
_SELF = dict.fromkeys(["self", "slef"], "self") | {"selves": "selves"}
_SELF_OF = frozenset({"my", "him", "her", "them", "your", "our"})


class Lexicon:
    """Gives every `Word` of the phrases a number, and tells the numbers of a text's word.

    `same` maps a word to the one that it is read as (`cant` to `cannot`). `corrects` is whether a
    misspelt word is read as the rules' word that is near: not in a language in which one letter
    makes "does not wake" of "wakes".
    """

    def __init__(self, same: Mapping[str, str], corrects: bool = True) -> None:
        self.same = same
        self._corrects = corrects
        self._numbers: dict[Word, int] = {}
        self._exact: dict[str, list[int]] = {}
        self._prefixes: dict[str, list[int]] = {}
        self._ranges: list[tuple[float, float, bool, int]] = []
        self._lengths: tuple[int, ...] = ()
        self._known: dict[str, frozenset[int]] = {}
        self._correctable: list[str] = []
        self._misspelt: frozenset[str] = frozenset()
        self._typos = Typos((), frozenset())

    @property
    def vocabulary(self) -> frozenset[str]:
        """The whole words of the phrases, for tests and tools."""
        return frozenset(self._exact)

    @property
    def correctable(self) -> list[str]:
        """What a misspelt word may be read as, in order of preference."""
        return self._correctable

    def knows(self, word: str) -> bool:
        """Whether `word` is one of the rules' as it is spelt."""
        return word in self.same or self._spelt_right(word)

    def number(self, word: Word) -> int:
        """The number of `word`, a new one where it is new."""
        known = self._numbers.get(word)
        if known is not None:
            return known
        number = self._numbers[word] = len(self._numbers)
        for form in word:
            if form.startswith("#"):
                low, _, high = form.lstrip("#.").partition("-")
                whole = not form.startswith("#.")
                self._ranges.append((float(low), float(high or low), whole, number))
            elif form.endswith("*"):
                self._prefixes.setdefault(form[:-1], []).append(number)
            elif form in self._exact:
                self._exact[form].append(number)
            else:
                self._exact[form] = [number]
        return number

    def pause(self) -> None:
        """Called before the words of other languages: a misspelt word is read as one of those only
        where it is long, because few who write are near enough to them."""
        self._misspelt = self.vocabulary | self._prefixes.keys()

    def close(self, also: Iterable[str] = ()) -> None:
        """Called once after the last `number`: makes what looking up needs."""
        self._lengths = tuple(sorted({len(prefix) for prefix in self._prefixes}))
        self._heads = frozenset(prefix[:_HEAD] for prefix in self._prefixes)
        if self._corrects:
            self._learn_spellings(also)
        self._numbers = {}  # for reading phrases alone

    def _learn_spellings(self, also: Iterable[str]) -> None:
        ours = self._misspelt or self.vocabulary | self._prefixes.keys()
        stems = [stem for stem in self._prefixes if stem in ours]
        made = [stem + ending for stem in stems for ending in _ENDINGS]
        exact = [word for word in self._exact if word in ours or len(word) >= _FOREIGN]
        whole = dict.fromkeys([*also, *exact, *self.same])
        words = whole | dict.fromkeys(made)
        self._correctable = list(words)
        self._typos = Typos(words, real_words(), frozenset(words.keys() - whole.keys()))

    def read(self, text: str) -> list[str]:
        """The tokens of `text`, each as the word that it is read as."""
        found: list[str] = []
        same = self.same
        tens = False
        for token in tokens(text):
            word = same.get(token, token)
            if " " in word:
                found += word.split()
            elif word == "not" and found and found[-1] in ("can", "could"):
                found[-1] = "cannot"
            elif word == "cannot" and found and found[-1] in ("can", "could", "not", "cannot"):
                found[-1] = "cannot"  # "can hardly", "not able"
            elif word == "not" and found and found[-1] == "cannot":
                continue  # "can't hardly"
            elif word in _UNITS and tens and not token.isdigit():
                found[-1] = found[-1][0] + word  # "forty-eight" is no fever of 40
            elif word in _SELF and found and found[-1] in _SELF_OF:
                found[-1] += _SELF[word]  # "my self", "them selves"
            else:
                found.append(word)
            tens = word in _TENS and token != word
        return found

    def numbers(self, words: Sequence[str]) -> tuple[list[str], list[frozenset[int]]]:
        """`words` as they are understood, and the numbers that each counts as.

        A misspelt word is replaced with what was meant; one that is two, with both.
        """
        seen: dict[str, tuple[tuple[str, frozenset[int]], ...]] = {}
        known = self._known
        understood: list[str] = []
        numbers: list[frozenset[int]] = []
        for word in words:
            found = known.get(word)
            if found is None and word in self._exact:
                found = known[word] = self._lookup(word)  # only words of the rules are kept
            if found is None:
                if word not in seen:
                    seen[word] = self._understand(word, len(seen) < MOST_UNKNOWN)
                for each, its in seen[word]:
                    understood.append(each)
                    numbers.append(its)
            else:
                understood.append(word)
                numbers.append(found)
        return understood, numbers

    def _understand(self, word: str, correct: bool) -> tuple[tuple[str, frozenset[int]], ...]:
        found = frozenset[int]() if word in MARKS else self._lookup(word)
        if not (correct and self._corrects) or word in MARKS or word[0].isdigit():
            return ((word, found),)
        if found and self._spelt_right(word):
            return ((word, found),)
        meant = self._typos.meant(word)
        if found:  # "dissapear" begins like a word of another language too
            right = meant is not None and meant in self._exact
            return ((meant, found | self._lookup(meant)),) if right and meant else ((word, found),)
        if word.endswith("in") and self._lookup(word + "g"):
            parts: tuple[str, ...] = (word + "g",)  # "throbbin"
        elif meant is not None:
            parts = (meant,)
        else:
            parts = self._typos.parts(word) or (word,)
        each = [read for part in parts for read in self.same.get(part, part).split()]
        return tuple((part, self._lookup(part)) for part in each)

    def _spelt_right(self, word: str) -> bool:
        """Whether `word` is a whole word of the rules, or a form of one."""
        if word in self._exact or not word.isascii():
            return bool(self._lookup(word))
        stems = (word[:length] for length in self._lengths if length <= len(word))
        return any(
            stem in self._prefixes and (stem == word or word[len(stem) :] in _SUFFIXES)
            for stem in stems
        ) or (word[0].isdigit() and bool(self._lookup(word)))

    def _lookup(self, word: str) -> frozenset[int]:
        found = set(self._exact.get(word, ()))
        if word[:_HEAD] in self._heads or word[: _HEAD - 1] in self._heads:
            for length in self._lengths:
                if length > len(word):
                    break
                found.update(self._prefixes.get(word[:length], ()))
        if word[0].isdigit():
            value = _value(word) if word.isascii() else -1.0
            found |= {
                number
                for low, high, whole, number in self._ranges
                if low <= value <= high and (whole or not word.isdigit())
            }
        return frozenset(found)

    def spelled(self, word: str) -> list[str]:
        """A phrase's word in the form that a text's words have; a Chinese one is several."""
        stem = word.rstrip("*")
        if _PLAIN.fullmatch(stem):
            parts = self.same.get(stem, stem).split()
        else:
            read = [self.same.get(token, token) for token in tokens(stem)]
            parts = [word for words in read for word in words.split()]
        if len(stem) < len(word) and parts:
            parts[-1] = (stem if len(parts) == 1 and _PLAIN.fullmatch(stem) else parts[-1]) + "*"
        return parts


def _value(number: str) -> float:
    """`4,600` is a number of thousands, `38,5` a decimal."""
    whole, _, rest = number.partition(",")
    return float(whole + rest if len(rest) == 3 else number.replace(",", "."))
