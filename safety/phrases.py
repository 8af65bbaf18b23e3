"""Phrases as a clinician writes them, and where they occur in a text.

    chest pain        these words, in this order; small words between them do not matter
    chest .. pain     up to three other words between
    chest ... pain    up to six
    vomit*            any ending
    throat|neck       either; in one of them, `_` is a space: spider|black_widow
    @pain             any entry of the word list `pain`
    my? chest         with or without
    #38-42            a number in that range; #.38-42 only where it is written with a point

A phrase does not reach over the end of a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, product

from safety.lexicon import Lexicon
from safety.tree import Hit, Tree, Way

_GAPS = {"..": 3, "...": 6}
_NUMBER = re.compile(r"#\.?\d+(?:\.\d+)?(?:-\d+(?:\.\d+)?)?")
_MOST = 400
"""More ways to read one phrase are a slip of its author."""


class PhraseError(ValueError):
    """A phrase that cannot be read. The message is one sentence for its author."""


class Phrases:
    """All phrases of all concepts.

    `small` are the words that may stand between any two words of a phrase; of these, `dropped`
    are taken out of the phrases too. No gap reaches over a word of `barriers`.
    """

    def __init__(
        self,
        lexicon: Lexicon,
        lists: Mapping[str, Sequence[str]],
        small: Iterable[str],
        dropped: Iterable[str],
        barriers: Iterable[str],
    ) -> None:
        self._lexicon = lexicon
        self._lists = lists
        self._dropped = frozenset(dropped)
        self._tree = Tree(small, barriers)
        self._ways: dict[tuple[str, bool], list[Way]] = {}
        self._members: dict[str, tuple[list[str], list[Way]]] = {}

    def add(self, name: str, phrase: str, exact: bool = False) -> None:
        """`phrase` as one of the concept `name`; `exact` keeps its small words. PhraseError."""
        for way in self._read(phrase, exact):
            self._tree.add(name, way)

    def close(self) -> None:
        """Called once, after the last `add`: what only reading them needed is let go."""
        self._tree.close()
        self._ways, self._members = {}, {}

    def find(self, words: Sequence[str], numbers: Sequence[frozenset[int]]) -> list[Hit]:
        """Where the phrases occur in `words`, each with the `numbers` that it counts as."""
        return self._tree.find(words, numbers)

    def _read(self, phrase: str, exact: bool) -> list[Way]:
        elements = phrase.split()
        choices = [self._element(element, exact) for element in elements]
        if max(map(len, choices)) == 1:  # as in most phrases
            found = [_joined([ways[0] for ways in choices])]
        else:
            found = list(map(_joined, product(*choices)))
        if len(found) > _MOST:
            raise PhraseError(f"The phrase {phrase!r} can be read in {len(found)} ways.")
        words = sum(element not in _GAPS for element in elements)
        # "he .. fell" and "my note" say nothing without their small word.
        if exact or all(_stands(way) and (len(way) > 1 or words == 1) for way in found):
            if not all(map(_stands, found)):
                raise PhraseError(f"The phrase {phrase!r} does not begin and end with a word.")
            return found
        return self._read(phrase, exact=True)

    def _element(self, written: str, exact: bool) -> list[Way]:
        """The ways to read one element; a small word is dropped, which is the way `()`."""
        known = self._ways.get((written, exact))
        if known is not None:
            return known
        if written in _GAPS:
            return [(-_GAPS[written],)]
        forms = written.rstrip("?").split("|")
        if not exact and len(forms) == 1 and forms[0] in self._dropped:
            ways: list[Way] = [()]
        else:
            single, several = self._forms(forms)
            ways = [(self._lexicon.number(tuple(dict.fromkeys(single))),)] if single else []
            ways += several
        if written.endswith("?"):
            ways = [(), *ways]
        if len(forms) > 1 or written.startswith("@"):
            self._ways[written, exact] = ways
        return ways

    def _forms(self, forms: Sequence[str]) -> tuple[list[str], list[Way]]:
        """Of alternatives, those that are one word, and the ways of those that are several."""
        single: list[str] = []
        several: list[Way] = []
        for form in forms:
            if form.startswith("@"):
                singles, ways = self._list(form[1:])
                single += singles
                several += ways
                continue
            parts: list[str] = []
            for part in form.split("_"):
                number = part.startswith("#") and _NUMBER.fullmatch(part)
                parts += [part] if number else self._lexicon.spelled(part)
            if not parts:
                raise PhraseError(f"{form!r} is no word.")
            if len(parts) == 1:
                single += parts
            else:
                several.append(tuple(self._lexicon.number((part,)) for part in parts))
        return single, several

    def _list(self, name: str) -> tuple[list[str], list[Way]]:
        if name not in self._lists:
            raise PhraseError(f"There is no word list {name!r}.")
        if name not in self._members:
            single: list[str] = []
            several: list[Way] = []
            for entry in self._lists[name]:
                words = entry.split()
                if len(words) == 1:
                    singles, ways = self._forms(words[0].split("|"))
                    single += singles
                    several += ways
                else:
                    several += self._read(entry, exact=False)
            self._members[name] = single, several
        return self._members[name]


def _joined(parts: Iterable[Way]) -> Way:
    return tuple(chain.from_iterable(parts))


def _stands(way: Way) -> bool:
    return bool(way) and way[0] >= 0 and way[-1] >= 0
