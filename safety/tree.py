"""Where phrases occur in a text: all of them in one tree, so that the text is gone through once."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from safety.normalise import SENTENCE_ENDS

Way = tuple[int, ...]
"""One way to read a phrase: the numbers of its words, and of each gap, below 0, its length."""

_COMMA = 3
"""How many words a comma counts as, where one stands in a gap."""
_BARRIER = 9
"""A negation ends every gap: "chest is not in pain" is no pain."""
_GAPS = 16
"""More words than any gap reaches over."""
_STEPS = 1 << 20
"""More steps than there are words and gaps."""


class Hit(NamedTuple):
    """One occurrence of a phrase of the concept `name`: the words from `start` to before `end`."""

    name: str
    start: int
    end: int


class _Wait:
    """The words that may come next, and to which nodes they lead."""

    __slots__ = ("next", "numbers")

    def __init__(self, following: dict[int, list[int]]) -> None:
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
        self._weights = {",": _COMMA} | dict.fromkeys(barriers, _BARRIER) | dict.fromkeys(small, 0)
        self._edges: dict[int, int] = {}  # to which node a step leads from a node, while added to
        self._named: dict[int, int] = {}  # what ends at a node, as its place in `_concepts`
        self._kinds: dict[tuple[str, ...], int] = {(): 0}
        self._nodes = 1
        # The same once closed: the steps from node n, the root being 0, are those from
        # `_first[n]` to before `_first[n + 1]`. An object for each of 76,000 nodes took 17 MB.
        self._first, self._steps, self._ends = array("I"), array("i"), array("I")
        self._names = array("H")  # of each node, which of these end there
        self._concepts: list[tuple[str, ...]] = [()]
        self._places: dict[int, _Place] = {}
        self._root: dict[int, int] = {}
        self._begins: dict[frozenset[int], _Place] = {}

    def add(self, name: str, way: Way) -> None:
        """`way` as one to say the concept `name`."""
        node = 0
        for step in way:
            edge = node * _STEPS + step + _GAPS
            following = self._edges.get(edge)
            if following is None:
                following = self._edges[edge] = self._nodes
                self._nodes += 1
            node = following
        at = self._named.get(node, 0)
        if name not in (names := self._concepts[at]):
            self._named[node] = self._kind((*names, name))

    def _kind(self, names: tuple[str, ...]) -> int:
        kind = self._kinds.setdefault(names, len(self._concepts))
        if kind == len(self._concepts):
            self._concepts.append(names)
        return kind

    def close(self) -> None:
        """Called once, after the last `add` and before the first `find`."""
        self._first = array("I", bytes(4 * (self._nodes + 1)))
        for edge in self._edges:
            self._first[edge // _STEPS + 1] += 1
        for node in range(self._nodes):
            self._first[node + 1] += self._first[node]
        self._steps = array("i", bytes(4 * len(self._edges)))
        self._ends = array("I", bytes(4 * len(self._edges)))
        free = self._first[:]
        for edge, end in self._edges.items():
            node, step = divmod(edge, _STEPS)
            self._steps[free[node]], self._ends[free[node]] = step - _GAPS, end
            free[node] += 1
        self._names = array("H", bytes(2 * self._nodes))
        for node, kind in self._named.items():
            self._names[node] = kind
        self._edges, self._named, self._kinds = {}, {}, {}
        self._root = dict(self._next(0))

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
                    place = self._places.get(node) or self._placed(node)
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
            root = self._root
            known = self._together([root[number] for number in root.keys() & its])
            self._begins[its] = known
        return known

    def _placed(self, node: int) -> _Place:
        place = self._places[node] = self._together([node])
        return place

    def _together(self, nodes: Sequence[int]) -> _Place:
        names = dict.fromkeys(name for node in nodes for name in self._concepts[self._names[node]])
        rooms: dict[int, dict[int, list[int]]] = {}
        for node in nodes:
            for step, after in self._next(node):
                if step >= 0:
                    rooms.setdefault(0, {}).setdefault(step, []).append(after)
                else:
                    for number, last in self._next(after):
                        rooms.setdefault(-step, {}).setdefault(number, []).append(last)
        return _Place(tuple(names), tuple((room, _Wait(nodes)) for room, nodes in rooms.items()))

    def _next(self, node: int) -> Iterator[tuple[int, int]]:
        """The steps from `node`, each with the node that it leads to."""
        places = range(self._first[node], self._first[node + 1])
        return ((self._steps[at], self._ends[at]) for at in places)


def _followed(
    active: dict[_Wait, tuple[int, int]], its: frozenset[int], passed: int
) -> Iterator[tuple[int, int]]:
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
