"""Phrases as a clinician writes them, and where they occur in a text.

    chest pain        these words, in this order; small words between them do not matter
    chest .. pain     up to three other words between
    chest ... pain    up to six
    vomit*            any ending
    throat|neck       either; in one of them, `_` is a space: spider|black_widow
    @pain             any entry of the word list `pain`
    my? chest         with or without
    #38-42            a number in that range

A phrase does not reach over the end of a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from safety.lexicon import Lexicon
from safety.normalise import SENTENCE_ENDS

_GAPS = {"..": 3, "...": 6}
_NUMBER = re.compile(r"#\d+(?:\.\d+)?(?:-\d+(?:\.\d+)?)?")
_COMMA = 3
"""How many words a comma counts as, where one stands in a gap."""
_BARRIER = 9
"""A negation ends every gap: "chest is not in pain" is no pain."""
_MOST = 400
"""More ways to read one phrase are a slip of its author."""

Way = tuple[int, ...]
"""One way to read a phrase: the numbers of its words, and of each gap, below 0, its length."""


class PhraseError(ValueError):
    """A phrase that cannot be read. The message is one sentence for its author."""


class Hit(NamedTuple):
    """One occurrence of a phrase of the concept `name`: the words from `start` to before `end`."""

    name: str
    start: int
    end: int


class _Node:
    __slots__ = ("names", "next", "waits")

    def __init__(self) -> None:
        self.next: dict[int, _Node] = {}
        self.waits: tuple[tuple[int, _Node], ...] = ()
        """Where the next word is looked for, and how many others may stand before it."""
        self.names: tuple[str, ...] = ()


class Phrases:
    """All phrases of all concepts in one tree, so that a text is gone through once.

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
        self._small = frozenset(small)
        self._dropped = frozenset(dropped)
        self._weights = {",": _COMMA} | dict.fromkeys(barriers, _BARRIER)
        self._root = _Node()
        self._begins: dict[frozenset[int], list[_Node]] = {}
        self._ways: dict[tuple[str, bool], list[Way]] = {}
        self._members: dict[str, tuple[list[str], list[Way]]] = {}

    def add(self, name: str, phrase: str, exact: bool = False) -> None:
        """`phrase` as one of the concept `name`; `exact` keeps its small words. PhraseError."""
        for way in self._read(phrase, exact):
            node = self._root
            for step in way:
                following = node.next.get(step)
                if following is None:
                    following = node.next[step] = _Node()
                    wait = (-step, following) if step < 0 else (0, node)
                    if wait not in node.waits:
                        node.waits += (wait,)
                node = following
            if name not in node.names:
                node.names += (name,)

    def find(self, words: Sequence[str], numbers: Sequence[frozenset[int]]) -> list[Hit]:
        """Where the phrases occur. Linear: at each word, each branch is looked at once."""
        found: list[Hit] = []
        active: dict[_Node, tuple[int, int]] = {}
        # Branches that go on: how many words may be passed over until, and where each began.
        passed = 0
        small = self._small
        for at, its in enumerate(numbers):
            word = words[at]
            if word in SENTENCE_ENDS:
                active = {}
                continue
            over = passed + (0 if word in small else self._weights.get(word, 1))
            if its:
                reached = [(node, at) for node in self._first(its)]
                late: list[_Node] = []
                for node, (until, start) in active.items():
                    if passed > until:
                        late.append(node)
                        continue
                    following = node.next
                    if not following.keys().isdisjoint(its):
                        reached += [(following[number], start) for number in following.keys() & its]
                for node in late:
                    del active[node]
                for node, start in reached:
                    for name in node.names:
                        found.append(Hit(name, start, at + 1))
                    for room, waiting in node.waits:
                        # A later branch may always wait longer than an earlier one.
                        active[waiting] = (over + room, start)
            passed = over
        return found

    def _first(self, its: frozenset[int]) -> list[_Node]:
        """Where a word with the numbers `its` begins a phrase."""
        known = self._begins.get(its)
        if known is None:
            root = self._root.next
            known = self._begins[its] = [root[number] for number in root.keys() & its]
        return known

    def _read(self, phrase: str, exact: bool) -> list[Way]:
        elements = phrase.split()
        choices = [self._element(element, exact) for element in elements]
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
            ways: list[Way] = [(-_GAPS[written],)]
        else:
            forms = written.rstrip("?").split("|")
            if not exact and len(forms) == 1 and forms[0] in self._dropped:
                ways = [()]
            else:
                single, several = self._forms(forms)
                ways = [(self._lexicon.number(tuple(dict.fromkeys(single))),)] if single else []
                ways += several
            if written.endswith("?"):
                ways = [(), *ways]
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
                parts += [part] if _NUMBER.fullmatch(part) else self._lexicon.spelled(part)
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


def _joined(parts: Sequence[Way]) -> Way:
    return tuple(step for part in parts for step in part)


def _stands(way: Way) -> bool:
    return bool(way) and way[0] >= 0 and way[-1] >= 0
