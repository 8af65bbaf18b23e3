"""Which of the things found in a text are meant, here and now, by the person who wrote.

A finding is set aside where it is plainly negated, long past, a figure of speech, a question out of
a book or an exam, or about nobody in particular. In doubt it stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from safety.normalise import MARKS, SENTENCE_ENDS
from safety.tree import Hit

PREFIX = "guard."


@dataclass(frozen=True, slots=True)
class Words:
    """The word sets that the guards need; all of them are in the rules' file."""

    negators: frozenset[str]
    passing: frozenset[str]
    """Words that may stand between a negation and what it negates."""
    after: frozenset[str]
    """Words that negate what stands before them."""
    past_verbs: frozenset[str]
    asking: frozenset[str]
    """Words that begin a question."""
    telling: frozenset[str]
    """Words after which a negation is used up: "I did not tell her that he hits me"."""
    first_person: frozenset[str]
    persons: frozenset[str]
    """Words by which somebody real is meant: those of the first person, and he, she, his, her."""


@dataclass(frozen=True, slots=True)
class Sentence:
    start: int
    end: int
    guards: dict[str, list[Hit]]
    hits: list[Hit]
    asked: bool


@dataclass(frozen=True, slots=True)
class Meant:
    crisis: list[tuple[Hit, int]]
    """What stands, each with the number of its sentence."""
    emergency: list[tuple[Hit, int]]
    """Of that, what is no question out of a book; who asks how to die is in a crisis even so."""
    at_hand: bool
    """Whether somebody here and now is spoken of; a question about nobody is not."""


def meant(words: Sequence[str], found: Iterable[Hit], sets: Words) -> Meant:
    """What of the hits in one message stands."""
    sentences = list(_sentences(words, found))
    asked = any(sentence.asked or words[sentence.start] in sets.asking for sentence in sentences)
    at_hand = not asked or any("now" in sentence.guards for sentence in sentences)
    crisis: list[tuple[Hit, int]] = []
    emergency: list[tuple[Hit, int]] = []
    ill = ("past", "past_illness")
    if not _is_exam(sentences, bool(_unquoted(words) & sets.first_person)):
        for number, sentence in enumerate(sentences):
            book = _out_of_a_book(sentence)
            standing = list(_standing(words, sentence, sets))
            for kept, out, marks in (
                (crisis, book and "fiction" in sentence.guards, ("past",)),
                (emergency, book, ill),
            ):
                past = _Past(words, sentence, sets, marks)
                kept += [] if out else [(hit, number) for hit in standing if not past.holds(hit)]
    return Meant(crisis, emergency, at_hand)


def _standing(words: Sequence[str], sentence: Sentence, sets: Words) -> Iterator[Hit]:
    """The hits of a sentence that are no figure of speech and not negated."""
    covered = _covered(sentence.hits, 0)
    inner = _covered(sentence.hits, 1) | _covered(sentence.guards.get("idiom", ()), 0)
    figures = _covered(sentence.guards.get("figure", ()), 0)
    used = _used(words, sentence.hits)
    for hit in sentence.hits:
        if hit.start in figures:
            continue
        if not _negated(words, hit, sentence, covered, inner, used, sets):
            yield hit


def _used(words: Sequence[str], hits: Iterable[Hit]) -> dict[int, int]:
    """Where each "no" is that a phrase has used up, and where that ends: "no hope, want to die"."""
    used: dict[int, int] = {}
    for hit in hits:
        if words[hit.start] == "no" and hit.end > hit.start + 1 and words[hit.start + 1] != "1":
            used[hit.start] = min(hit.end, used.get(hit.start, hit.end))
    return used


def _covered(hits: Iterable[Hit], first: int) -> set[int]:
    """The places of all words of `hits`, but of the `first` of each."""
    return {at for hit in hits for at in range(hit.start + first, hit.end)}


def _sentences(words: Sequence[str], found: Iterable[Hit]) -> Iterator[Sentence]:
    hits = sorted(found, key=lambda hit: hit.start)
    at = start = 0
    for end in [i for i, word in enumerate(words) if word in SENTENCE_ENDS] + [len(words)]:
        guards: dict[str, list[Hit]] = {}
        own: list[Hit] = []
        while at < len(hits) and hits[at].start <= end:
            hit = hits[at]
            if hit.name.startswith(PREFIX):
                guards.setdefault(hit.name.removeprefix(PREFIX), []).append(hit)
            else:
                own.append(hit)
            at += 1
        if end > start:
            yield Sentence(start, end, guards, own, end < len(words) and words[end] == "?")
        start = end + 1


def _unquoted(words: Sequence[str]) -> set[str]:
    """The words that stand in no quotation."""
    if '"' not in words:
        return set(words)
    parts = " ".join(words).split('"')
    return {word for part in parts[::2] for word in part.split()}


def _is_exam(sentences: Sequence[Sentence], first_person: bool) -> bool:
    """An invented patient: told by an exam's question, or by how the case is written."""
    asked = any("exam" in sentence.guards for sentence in sentences)
    opened = any("case_opening" in sentence.guards for sentence in sentences)
    told = any("case" in sentence.guards for sentence in sentences)
    first = sentences[0].guards.get("case_opening", ()) if sentences else ()
    case = (opened and told) or any(hit.start == 0 for hit in first)
    return ((asked or case) and not first_person) or (asked and (opened or told))


def _out_of_a_book(sentence: Sentence) -> bool:
    guards = sentence.guards
    if "now" in guards:
        return False
    return "textbook" in guards or "hypothetical" in guards or "fiction" in guards


def _negated(
    words: Sequence[str],
    hit: Hit,
    sentence: Sentence,
    covered: set[int],
    inner: set[int],
    used: dict[int, int],
    sets: Words,
) -> bool:
    """Whether a negation before `hit`, or an answer right after it, takes it back."""
    if words[hit.start] in sets.negators or words[hit.start] == "cannot":
        return False
    after = words[hit.end : hit.end + 3]
    answered = len(after) >= 2 and after[0] in (",", "?") and after[1] in ("no", "none", "nil")
    if answered and (len(after) == 2 or after[2] in MARKS):
        return True
    for word in words[hit.end : hit.end + 5]:
        if word in MARKS:
            break
        if word in sets.after:
            return True
    listed = any(word in ("or", "nor") for word in words[hit.start - 1 : hit.end + 1])
    listed = listed or "or" in words[hit.end : hit.end + 4]
    strange = 0
    for at in range(hit.start - 1, max(sentence.start, hit.start - 12) - 1, -1):
        word = words[at]
        if word in sets.negators:
            if used.get(at, hit.end) <= hit.start:
                return False
            return at not in inner  # "leg won't work since noon" has used up its "not"
        if word in (",", "/"):
            if not listed:
                return False
            strange = 0
        elif word in ("or", "nor"):
            listed = True
            strange = 0
        elif word in sets.telling:
            return False
        elif word in ("i", "he", "she", "they", "we") and not _thought(words[at - 1], sets):
            return False  # "he will not stop, I am going to": another clause
        elif at not in covered and word not in sets.passing:
            strange += 1
            if not listed or strange > 2 or word in sets.persons or word in sets.past_verbs:
                return False
    return False


def _thought(word: str, sets: Words) -> bool:
    """Whether what `word` negates goes on after a "he" or "she": "do not think she is in pain"."""
    return word in sets.passing or word in sets.negators or word in MARKS


class _Past:
    """What a sentence tells of long ago, where it says so and says of nothing that it is now."""

    def __init__(
        self, words: Sequence[str], sentence: Sentence, sets: Words, kinds: Iterable[str]
    ) -> None:
        marks = [mark for kind in kinds for mark in sentence.guards.get(kind, ())]
        ages = _covered(sentence.guards.get("age", ()), 0)  # "I'm 34 now" is no sign of it
        now = any(hit.start not in ages for hit in sentence.guards.get("present", ()))
        self._marked = bool(marks) and not now
        if not self._marked:
            return
        self._last = max(mark.end for mark in marks)
        rest = words[self._last : sentence.end]
        self._comma = self._last + rest.index(",") if "," in rest else sentence.end
        told = words[min(mark.end for mark in marks) : sentence.end]
        self._told = not sets.past_verbs.isdisjoint(told)

    def holds(self, hit: Hit) -> bool:
        """Whether `hit` is before a mark, in its clause, or told in the past after it."""
        return self._marked and (self._told or hit.start < max(self._last, self._comma))
