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
from dataclasses import dataclass
from itertools import product

from safety.lexicon import Lexicon, Word
from safety.normalise import SENTENCE_ENDS

_GAPS = {"..": 3, "...": 6}
_NUMBER = re.compile(r"#\d+(?:\.\d+)?(?:-\d+(?:\.\d+)?)?")
_COMMA = 3
"""How many words a comma counts as, where one stands in a gap."""
_MOST = 400
"""More ways to read one phrase are a slip of its author."""

Step = Word | int
"""One word, or how many others may stand here."""


class PhraseError(ValueError):
    """A phrase that cannot be read. The message is one sentence for its author."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One occurrence of a phrase of the concept `name`: the words from `start` to before `end`."""

    name: str
    start: int
    end: int


class _Node:
    __slots__ = ("gaps", "names", "next", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.next: dict[int, _Node] = {}
        self.gaps: dict[int, _Node] = {}
        self.names: tuple[str, ...] = ()


class Phrases:
    """All phrases of all concepts in one tree, so that a text is gone through once.

    `small` are the words that may stand between any two words of a phrase; of these, `dropped`
    are taken out of the phrases too.
    """

    def __init__(
        self,
        lexicon: Lexicon,
        lists: Mapping[str, Sequence[str]],
        small: Iterable[str],
        dropped: Iterable[str],
    ) -> None:
        self._lexicon = lexicon
        self._lists = lists
        self._small = frozenset(small)
        self._dropped = frozenset(dropped)
        self._count = 1
        self._root = _Node(0)
        self._spelled: dict[str, list[str]] = {}
        self._expanded: dict[str, tuple[Word, list[list[Step]]]] = {}

    def add(self, name: str, phrase: str, exact: bool = False) -> None:
        """`phrase` as one of the concept `name`; `exact` keeps its small words. PhraseError."""
        for steps in self._read(phrase, exact):
            node = self._root
            for step in steps:
                if isinstance(step, int):
                    node = node.gaps.setdefault(step, self._node())
                else:
                    number = self._lexicon.number(step)
                    known = node.next.get(number)
                    if known is None:
                        known = node.next[number] = self._node()
                    node = known
            if name not in node.names:
                node.names += (name,)

    def find(self, words: Sequence[str], numbers: Sequence[Sequence[int]]) -> list[Hit]:
        """Where the phrases occur. Linear: each place is reached by each branch once."""
        found: list[Hit] = []
        root = self._root.next
        small = self._small
        active: dict[int, tuple[_Node, int, int]] = {}
        for at, its in enumerate(numbers):
            word = words[at]
            if word in SENTENCE_ENDS:
                active = {}
                continue
            if not its and not active:
                continue
            reached: dict[int, tuple[_Node, int, int]] = {}
            for node, room, start in active.values():
                for number in its:
                    following = node.next.get(number)
                    if following is not None:
                        _arrive(following, start, at, reached, found)
                if word in small:
                    _keep(node, room, start, reached)
                elif room >= (cost := _COMMA if word == "," else 1):
                    _keep(node, room - cost, start, reached)
            for number in its:
                following = root.get(number)
                if following is not None:
                    _arrive(following, at, at, reached, found)
            active = reached
        return found

    def _node(self) -> _Node:
        self._count += 1
        return _Node(self._count)

    def _read(self, phrase: str, exact: bool) -> list[list[Step]]:
        choices: list[list[list[Step]]] = []
        for written in phrase.split():
            if written in _GAPS:
                choices.append([[_GAPS[written]]])
                continue
            optional = written.endswith("?")
            ways = self._element(written.rstrip("?"), phrase, exact)
            if optional:
                ways = [[], *ways]
            if ways:
                choices.append(ways)
        found = [[step for part in parts for step in part] for parts in product(*choices)]
        if len(found) > _MOST:
            raise PhraseError(f"The phrase {phrase!r} can be read in {len(found)} ways.")
        words = [element for element in phrase.split() if element not in _GAPS]
        for steps in found:
            alone = len(steps) == 1 and len(words) > 1
            if not steps or alone or isinstance(steps[0], int) or isinstance(steps[-1], int):
                if not exact:  # "he .. fell" and "my note" say nothing without their small word
                    return self._read(phrase, exact=True)
                if alone:
                    continue
                raise PhraseError(f"The phrase {phrase!r} does not begin and end with a word.")
        return found

    def _element(self, written: str, phrase: str, exact: bool) -> list[list[Step]]:
        """The ways to read one element; none for a small word, which is dropped."""
        single: list[str] = []
        several: list[list[Step]] = []
        for form in written.split("|"):
            if form.startswith("@"):
                singles, phrases = self._list(form[1:], phrase)
                single += singles
                several += phrases
                continue
            parts = self._parts(form, phrase)
            if len(parts) > 1:
                several.append([(part,) for part in parts])
            elif exact or "|" in written or parts[0] not in self._dropped:
                single.append(parts[0])
        return ([[tuple(dict.fromkeys(single))]] if single else []) + several

    def _parts(self, form: str, phrase: str) -> list[str]:
        """The words of `form`: one, or several for `black_widow` and for Chinese."""
        known = self._spelled.get(form)
        if known is None:
            known = []
            for part in form.split("_"):
                known += [part] if _NUMBER.fullmatch(part) else self._lexicon.spelled(part)
            if not known:
                raise PhraseError(f"The phrase {phrase!r} has {form!r}, which is no word.")
            self._spelled[form] = known
        return known

    def _list(self, name: str, phrase: str) -> tuple[Word, list[list[Step]]]:
        if name not in self._lists:
            raise PhraseError(f"The phrase {phrase!r} names the word list {name!r}: there is none.")
        if name not in self._expanded:
            single: list[str] = []
            several: list[list[Step]] = []
            for entry in self._lists[name]:
                for steps in self._read(entry, exact=False):
                    if len(steps) == 1 and not isinstance(steps[0], int):
                        single += steps[0]
                    else:
                        several.append(steps)
            self._expanded[name] = tuple(dict.fromkeys(single)), several
        return self._expanded[name]


def _arrive(
    node: _Node,
    start: int,
    at: int,
    reached: dict[int, tuple[_Node, int, int]],
    found: list[Hit],
) -> None:
    for name in node.names:
        found.append(Hit(name, start, at + 1))
    if node.next:
        _keep(node, 0, start, reached)
    for room, after in node.gaps.items():
        _keep(after, room, start, reached)


def _keep(node: _Node, room: int, start: int, reached: dict[int, tuple[_Node, int, int]]) -> None:
    """The branch `node`, once: with the most room, then from the nearest start."""
    known = reached.get(node.number)
    if known is None or (room, start) > known[1:]:
        reached[node.number] = (node, room, start)
