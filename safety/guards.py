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

_OF_A_BOOK = frozenset({"textbook", "hypothetical", "fiction", "exam", "learning"})
_BOOKISH = _OF_A_BOOK | {"case", "case_opening"}
_LIST = 16
"""Words of a list that a negation at its end may take back."""
_AGO = ("past",)
_ILL = ("past", "past_illness")
"""The guards by which something is told of long ago; an illness's are for emergencies alone."""


@dataclass(frozen=True, slots=True)
class Words:
    """The word sets that the guards need; all of them are in the rules' file."""

    negators: frozenset[str]
    passing: frozenset[str]
    """Words that may stand between a negation and what it negates."""
    after: frozenset[str]
    """Words that negate what stands before them."""
    past_verbs: frozenset[str]
    present: frozenset[str]
    """Words by which a sentence speaks of the present, so that a story of long ago ends."""
    asking: frozenset[str]
    """Words that begin a question."""
    first_person: frozenset[str]
    persons: frozenset[str]
    """Words by which somebody real is meant: those of the first person, and he, she, his, her."""
    kin: frozenset[str]
    """Words for those whom people write about."""
    telling: frozenset[str]
    """Words by which a statement without a person tells of one: "got hit in the eye"."""
    saying: frozenset[str]
    """Words after which a negation is used up: "I did not tell her that he hits me"."""
    lasting: frozenset[str]
    """Concepts that count however long ago they were: a bypass, a cancer."""
    stating: frozenset[str] = frozenset()
    """In a language whose verbs say who they are about, as in Turkish: their endings. A negation
    there stands at the end of a list of nouns, and takes no verb back."""


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
    for sentence in sentences:
        if any(_states(word, sets) for word in words[sentence.start : sentence.end]):
            sentence.guards.setdefault("now", [])  # its verb says who it is about
    asked = any(_is_question(words, sentence, sets) for sentence in sentences)
    at_hand = not asked or any("now" in sentence.guards for sentence in sentences)
    crisis: list[tuple[Hit, int]] = []
    emergency: list[tuple[Hit, int]] = []
    animal = any("animal" in sentence.guards for sentence in sentences)
    study = any("study" in sentence.guards for sentence in sentences)
    if not _is_exam(sentences, bool(_unquoted(words) & sets.first_person)):
        personal = _last_personal(sentences)
        stories = [False, False]
        for number, sentence in enumerate(sentences):
            standing = list(_standing(words, sentence, sets))
            told = number < personal and _is_question(words, sentence, sets)
            book = _out_of_a_book(sentence) and not told
            book = book or "joke" in sentence.guards
            book = book or (study and "urgent" not in sentence.guards)
            book = book or (animal and not _of_a_person(words, sentence, sets))
            fiction = _out_of_a_book(sentence) and "fiction" in sentence.guards
            ways = ((crisis, fiction, _AGO), (emergency, book, _ILL))
            for at, (kept, out, marks) in enumerate(ways):
                past = _Past(words, sentence, sets, marks, stories[at])
                stories[at] = past.goes_on
                now = (h for h in standing if h.name in sets.lasting or not past.holds(h))
                kept.extend((hit, number) for hit in now if not out)
    at_hand = at_hand or _told(words, sentences, {number for _, number in emergency}, sets)
    if _is_impersonal(words, sentences, sets):
        at_hand = False
    return Meant(crisis, emergency, at_hand)


def _last_personal(sentences: Sequence[Sentence]) -> int:
    """The number of the last sentence that tells of somebody at hand: "can it wait? He's four"."""
    telling = [
        number
        for number, sentence in enumerate(sentences)
        if "now" in sentence.guards and not sentence.asked and _BOOKISH.isdisjoint(sentence.guards)
    ]
    return max(telling, default=-1)


def _is_impersonal(words: Sequence[str], sentences: Sequence[Sentence], sets: Words) -> bool:
    """Whether the message is out of a book, and nobody real is in it."""
    if not any(not _OF_A_BOOK.isdisjoint(sentence.guards) for sentence in sentences):
        return False
    if sets.stating and any("now" in sentence.guards for sentence in sentences):
        return False
    before = zip(words, ["", *words], strict=False)
    kin = any(word in sets.kin and each not in ("the", "a", "an") for word, each in before)
    return not kin and (sets.persons - {"they", "them", "their"}).isdisjoint(words)


def _is_question(words: Sequence[str], sentence: Sentence, sets: Words) -> bool:
    first, second = words[sentence.start], words[sentence.start + 1 : sentence.start + 2]
    if first in ("did", "has", "have") and not sentence.asked:
        return not sets.persons.isdisjoint(second) or second in (["you"], ["it"], ["the"])
    return sentence.asked or first in sets.asking


def _of_a_person(words: Sequence[str], sentence: Sentence, sets: Words) -> bool:
    own = words[sentence.start : sentence.end]
    return "animal" not in sentence.guards and not (
        sets.first_person.isdisjoint(own) and sets.kin.isdisjoint(own)
    )


def _told(
    words: Sequence[str], sentences: Sequence[Sentence], found: set[int], sets: Words
) -> bool:
    """Whether a sentence in which something was `found` states it of somebody beside a question."""
    if any(not _BOOKISH.isdisjoint(sentence.guards) for sentence in sentences):
        return False
    somebody = sets.persons | sets.telling
    return any(
        not _is_question(words, sentences[number], sets)
        and not somebody.isdisjoint(words[sentences[number].start : sentences[number].end])
        for number in found
    )


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
    """Where each negation is that a phrase has used up, and where that ends.

    Such as in "no hope, want to die" and "not felt him kick today".
    """
    used: dict[int, int] = {}
    for hit in hits:
        length = hit.end - hit.start
        no = words[hit.start] == "no" and length > 1 and words[hit.start + 1] != "1"
        if no or (words[hit.start] == "not" and length > 2):
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
    if _denied(words, hit, sentence, covered, sets):
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
        elif word in sets.saying:
            return False
        elif word in ("i", "he", "she", "they", "we") and not _thought(words[at - 1], sets):
            return False  # "he will not stop, I am going to": another clause
        elif at not in covered and word not in sets.passing:
            strange += 1
            if not listed or strange > 2 or word in sets.persons or word in sets.past_verbs:
                return False
    return False


def _denied(
    words: Sequence[str], hit: Hit, sentence: Sentence, covered: set[int], sets: Words
) -> bool:
    """Whether a word of `after` takes `hit` back: soon after it, or at the end of its list."""
    if not sets.stating:
        near = words[hit.end : hit.end + 5]
        stop = next((at for at, word in enumerate(near) if word in MARKS), len(near))
        return not sets.after.isdisjoint(near[:stop])
    if _states(words[hit.end - 1], sets):
        return False
    strange = 0
    for at in range(hit.end, min(sentence.end, hit.end + _LIST)):
        word = words[at]
        if word in sets.after:
            return True
        if _states(word, sets) or word in sets.telling:
            return False
        strange += not (at in covered or word in sets.passing or word in MARKS)
        if strange > 2:
            return False
    return False


def _states(word: str, sets: Words) -> bool:
    """Whether `word` is a verb that tells of somebody, by its ending."""
    return word.endswith(tuple(sets.stating)) and word not in sets.passing


def _thought(word: str, sets: Words) -> bool:
    """Whether what `word` negates goes on after a "he" or "she": "do not think she is in pain"."""
    return word in sets.passing or word in sets.negators or word in MARKS


class _Past:
    """What a sentence tells of long ago, where it says so and says of nothing that it is now.

    A story told in the past `goes_on` in the next sentence, until one speaks of the present.
    """

    def __init__(
        self,
        words: Sequence[str],
        sentence: Sentence,
        sets: Words,
        kinds: Iterable[str],
        long_past: bool,
    ) -> None:
        marks = [mark for kind in kinds for mark in sentence.guards.get(kind, ())]
        ages = _covered(sentence.guards.get("age", ()), 0)  # "I'm 34 now" is no sign of it
        now = any(hit.start not in ages for hit in sentence.guards.get("present", ()))
        own = words[sentence.start : sentence.end]
        self._marked = bool(marks) and not now
        told_on = long_past and not marks and "here" not in sentence.guards
        told_on = told_on and sets.present.isdisjoint(own)
        self._story = told_on and not sets.past_verbs.isdisjoint(own)
        self.goes_on = self._marked or told_on
        if not self._marked:
            return
        self._last = max(mark.end for mark in marks)
        rest = words[self._last : sentence.end]
        self._comma = self._last + rest.index(",") if "," in rest else sentence.end
        told = words[min(mark.end for mark in marks) : sentence.end]
        self._told = not sets.past_verbs.isdisjoint(told)

    def holds(self, hit: Hit) -> bool:
        """Whether `hit` is before a mark, in its clause, or told in the past after it."""
        if self._story:
            return True
        return self._marked and (self._told or hit.start < max(self._last, self._comma))
