"""Where phrases occur in a text: all of them in one tree, so that the text is gone through once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from safety.normalise import SENTENCE_ENDS

Way = tuple[int, ...]
"""One way to read a phrase: the numbers of its words, and of each gap, below 0, its length."""

_COMMA = 3
"""How many words a comma counts as, where one stands in a gap."""
_BARRIER = 9
"""A negation ends every gap: "chest is not in pain" is no pain."""


class Hit(NamedTuple):
    """One occurrence of a phrase of the concept `name`: the words from `start` to before `end`."""

    name: str
    start: int
    end: int


class _Node:
    __slots__ = ("names", "next", "place")

    def __init__(self) -> None:
        self.next: dict[int, _Node] = _NOTHING  # most nodes are the last of their phrase
        self.names: tuple[str, ...] = ()
        self.place: _Place | None = None


_NOTHING: dict[int, _Node] = {}


class _Wait:
    """The words that may come next, and to which nodes they lead."""

    __slots__ = ("next", "numbers")

    def __init__(self, following: dict[int, list[_Node]]) -> None:
        self.next = following
        self.numbers = frozenset(following)  # two sets are compared by the smaller one


class _Place(NamedTuple):
    """What it means to be at some nodes at once."""

    names: tuple[str, ...]
    waits: tuple[tuple[int, _Wait], ...]
    """Each with how many other words may stand before the next one."""


class Tree:
    """Phrases, added first, found afterwards.

    `small` are the words that may stand between any two words of a phrase. No gap reaches over a
    word of `barriers`, or over the end of a sentence.
    """

    def __init__(self, small: Iterable[str], barriers: Iterable[str]) -> None:
        self._root = _Node()
        self._weights = {",": _COMMA} | dict.fromkeys(barriers, _BARRIER) | dict.fromkeys(small, 0)
        self._begins: dict[frozenset[int], _Place] = {}

    def add(self, name: str, way: Way) -> None:
        """`way` as one to say the concept `name`."""
        node = self._root
        for step in way:
            following = node.next.get(step)
            if following is None:
                following = _Node()
                if node.next is _NOTHING:
                    node.next = {step: following}
                else:
                    node.next[step] = following
            node = following
        if name not in node.names:
            node.names += (name,)

    def find(self, words: Sequence[str], numbers: Sequence[frozenset[int]]) -> list[Hit]:
        """Where the phrases occur. Linear: at each word, each branch is looked at once."""
        found: list[Hit] = []
        # Branches that go on: how many words may be passed over until, and where each began.
        active: dict[_Wait, tuple[int, int]] = {}
        passed = 0
        for at, its in enumerate(numbers):
            word = words[at]
            if word in SENTENCE_ENDS:
                active = {}
                continue
            over = passed + self._weights.get(word, 1)
            if its:
                reached = list(_followed(active, its, passed))
                begun = self._begin(its)
                for name in begun.names:
                    found.append(Hit(name, at, at + 1))
                for room, wait in begun.waits:
                    # A later branch may always wait longer than an earlier one.
                    active[wait] = (over + room, at)
                for node, start in reached:
                    place = node.place or _placed(node)
                    for name in place.names:
                        found.append(Hit(name, start, at + 1))
                    for room, wait in place.waits:
                        active[wait] = (over + room, start)
            passed = over
        return found

    def _begin(self, its: frozenset[int]) -> _Place:
        """Where a word with the numbers `its` begins phrases."""
        known = self._begins.get(its)
        if known is None:
            root = self._root.next
            known = self._begins[its] = _together([root[number] for number in root.keys() & its])
        return known


def _followed(
    active: dict[_Wait, tuple[int, int]], its: frozenset[int], passed: int
) -> Iterator[tuple[_Node, int]]:
    """The nodes that a word leads to from the `active` branches; those too late are dropped."""
    late: list[_Wait] = []
    for wait, (until, start) in active.items():
        if passed > until:
            late.append(wait)
            continue
        if not wait.numbers.isdisjoint(its):
            for number in wait.numbers & its:
                for node in wait.next[number]:
                    yield node, start
    for wait in late:
        del active[wait]


def _placed(node: _Node) -> _Place:
    node.place = _together([node])
    return node.place


def _together(nodes: Sequence[_Node]) -> _Place:
    names = dict.fromkeys(name for node in nodes for name in node.names)
    rooms: dict[int, dict[int, list[_Node]]] = {}
    for node in nodes:
        for step, after in node.next.items():
            if step >= 0:
                rooms.setdefault(0, {}).setdefault(step, []).append(after)
            else:
                for number, last in after.next.items():
                    rooms.setdefault(-step, {}).setdefault(number, []).append(last)
    return _Place(tuple(names), tuple((room, _Wait(nodes)) for room, nodes in rooms.items()))
