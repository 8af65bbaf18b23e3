"""Which of the rules' words a misspelt word was meant to be.

One slip of the pen (a letter left out, doubled, changed or swapped with its neighbour) in words of
five letters and more; any vowels wrong in longer ones; digits and stars in place of letters. A word
of English is never taken for a slip of another (`real_words.txt`).
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

SHORTEST = 5
"""Letters of the shortest word that a misspelling is looked for."""
LONGEST = 24
"""A longer string of letters is not looked at, so that its cost has a bound."""
_LONG = 7

_LEET = str.maketrans("013457$@!", "oieastsai")
_DISGUISE = re.compile(r"[0-9$@!*]")
_CONSONANTS = str.maketrans("cz", "ks", "aeiouy")
_DOUBLES = re.compile(r"(.)\1")


def real_words() -> frozenset[str]:
    """Words that are spelt like a misspelling of one of the rules', and mean themselves."""
    return frozenset(Path(__file__).with_name("real_words.txt").read_text("utf-8").split())


class Typos:
    """`words` that may be misspelt, in order of preference; those of `made`, which an ending was
    put on, only where no other word is near."""

    def __init__(
        self, words: Iterable[str], real: frozenset[str], made: frozenset[str] = frozenset()
    ) -> None:
        self._made = made
        self._words = [word for word in words if word.isascii() and word.isalpha()]
        self._known = frozenset(self._words)
        self._real = real
        # What is left of the words with a letter left out, by its hash, and beside it which word:
        # 73,000 strings would take 7 MB.
        left, of = array("q"), array("I")
        for at, word in enumerate(self._words):
            if len(word) >= SHORTEST:
                shorter = (word, *_deletions(word))
                left.extend(map(hash, shorter))
                of.extend([at] * len(shorter))
        order = sorted(range(len(left)), key=left.__getitem__)
        self._left = array("q", map(left.__getitem__, order))
        self._of = array("I", map(of.__getitem__, order))
        self._skeletons: dict[str, str] = {}
        for word in self._words:
            if len(word) >= _LONG:
                self._skeletons.setdefault(_skeleton(word), word)

    def meant(self, token: str) -> str | None:
        """The word that `token` was meant to be, or None. Its cost depends on `LONGEST` only."""
        if len(token) > LONGEST:
            return None
        if _DISGUISE.search(token):
            return self._undisguised(token)
        if len(token) < SHORTEST - 1 or token in self._real or token in self._known:
            return None
        return self._near(token) or self._by_skeleton(token)

    def parts(self, token: str) -> tuple[str, str] | None:
        """The two words that `token` is, where the space between them was left out."""
        if not 7 <= len(token) <= LONGEST or token in self._real:
            return None
        for at in range(3, len(token) - 2):
            if token[:at] in self._known and token[at:] in self._known:
                return token[:at], token[at:]
        return None

    def _undisguised(self, token: str) -> str | None:
        plain = token.translate(_LEET).replace("*", "")
        if plain in self._known:
            return plain
        if not plain.isalpha():
            return None
        return self._near(plain) or (self._by_skeleton(plain, 4) if "*" in token else None)

    def _near(self, token: str) -> str | None:
        near = self._left_of(token)
        for at in range(len(token)):
            near += self._left_of(token[:at] + token[at + 1 :])
        # The first letter is seldom the wrong one.
        return min(
            (word for word in near if _one_slip(token, word)),
            key=lambda word: (word[0] != token[0], word in self._made, word),
            default=None,
        )

    def _left_of(self, letters: str) -> list[str]:
        """The words that `letters` are, or are left of; and now and then one that they are not."""
        key = hash(letters)
        at = bisect_left(self._left, key)
        found: list[str] = []
        while at < len(self._left) and self._left[at] == key:
            found.append(self._words[self._of[at]])
            at += 1
        return found

    def _by_skeleton(self, token: str, shortest: int = _LONG - 1) -> str | None:
        if len(token) < shortest:
            return None
        word = self._skeletons.get(_skeleton(token))
        close = word is not None and word[0] == token[0] and abs(len(word) - len(token)) <= 2
        return word if close else None


def _deletions(word: str) -> set[str]:
    return {word[:at] + word[at + 1 :] for at in range(len(word))}


def _skeleton(word: str) -> str:
    """First letter and consonants, which people spell by ear alike."""
    heard = word[0] + word[1:].replace("ph", "f").translate(_CONSONANTS)
    return _DOUBLES.sub(r"\1", heard)


def _one_slip(a: str, b: str) -> bool:
    """Whether one letter was left out, added, changed, or swapped with the next."""
    if abs(len(a) - len(b)) > 1:
        return False
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    rest_a, rest_b = a[start:], b[start:]
    if len(a) == len(b):
        swapped = rest_a[1:2] + rest_a[:1] + rest_a[2:]
        return rest_a[1:] == rest_b[1:] or swapped == rest_b
    longer, shorter = (rest_a, rest_b) if len(a) > len(b) else (rest_b, rest_a)
    return longer[1:] == shorter
