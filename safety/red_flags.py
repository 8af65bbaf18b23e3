"""Emergencies and crises in what a person wrote, found by rules that a clinician can read.

It is not a triage tool: it finds what its rules name, in the words that they name it with, and
"nothing found" says nothing about a person's health. The rules are `red_flags.toml`; how well they
do is measured in `docs/safety.md`. Asks no model, keeps nothing, and gives the same answer always.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from chat.conversation import Conversation, Role
from safety import learned
from safety.finding import LEARNED, NOTHING, Finding, Level
from safety.guards import Meant, meant
from safety.learned import Judged, Learned
from safety.normalise import SENTENCE_ENDS
from safety.rules import TURKISH, Rule, Rules, load
from safety.tree import Hit

Place = tuple[int, int]
"""A message, and a sentence, counted from the first message on."""

Places = dict[str, list[Place]]

NEAR = 6
"""Sentences that the parts of one finding may be apart."""


class Heard(NamedTuple):
    """One message: its words as they are written and as they are understood, and what is meant."""

    written: list[str]
    words: list[str]
    meant: Meant


def assess(conversation: Conversation) -> Finding:
    """What the user's turns in `conversation` say, read together. Deterministic; asks no model."""
    return read([turn.text for turn in conversation.turns if turn.role is Role.USER])


def read(texts: Sequence[str]) -> Finding:
    """The same for a person's messages, oldest first. Its cost grows as the text's length."""
    heard = [hear(load(), text) for text in texts]
    judged = list(_judged(heard, learned.load()))
    found = {rule.id: rule.level for rule in find(load(), heard)}
    overruled = {level for level in set(found.values()) if _overruled(level, heard, judged)}
    found = {name: level for name, level in found.items() if level not in overruled}
    turkish, harmless = _turkish(texts, heard)
    found |= dict.fromkeys(turkish, Level.EMERGENCY)
    # Most of the Turkish that these weights know is of crises.
    bounds = learned.ALONE | ({Level.CRISIS: learned.PART} if turkish else {})
    alarms = set[Level]() if harmless else {each.alarm(bounds) for each in judged}
    for level in sorted(alarms - {Level.NONE}, key=lambda each: each.value):
        found[_learned(level, heard)] = level
    if not found:
        return NOTHING
    level = Level.CRISIS if Level.CRISIS in found.values() else Level.EMERGENCY
    return Finding(level, tuple(found), Level.EMERGENCY in found.values())


def _learned(level: Level, heard: Sequence[Heard]) -> str:
    """The id of what the weights found; a crisis names the language, where it is another."""
    words = [word for each in heard for word in each.written]
    language = load().language(words) if level is Level.CRISIS else ""
    return LEARNED + level.value + (f".{language}" if language not in ("", "english") else "")


def hear(rules: Rules, text: str) -> Heard:
    """What `text` says."""
    written = rules.lexicon.read(text)
    words, numbers = rules.lexicon.numbers(written)
    return Heard(written, words, meant(words, rules.phrases.find(words, numbers), rules.sets))


def _turkish(texts: Sequence[str], read_so_far: Sequence[Heard]) -> tuple[list[str], bool]:
    """The ids of what tells, in Turkish, of an emergency; whether all is held for harmless.

    No weight overrules a rule here.
    """
    weights = learned.load(learned.TURKISH)
    heard = [
        hear(load(TURKISH), text)
        for text, each in zip(texts, read_so_far, strict=True)
        if len(each.written) <= learned.TERSE or weights.share(each.written) >= learned.SOME
    ]
    found = [rule.id for rule in find(load(TURKISH), heard)]
    long = [each for each in heard if len(each.words) > learned.TERSE]
    known = [each for each in long if weights.share(each.words) > learned.MOST]
    judged = list(_judged(known, weights))
    if any(each.alarm(learned.ALONE_TURKISH) is Level.EMERGENCY for each in judged):
        found.append(f"{LEARNED}emergency.turkish")
    danger = max((each.of(Level.EMERGENCY) for each in judged), default=1.0)
    return found, len(known) == len(texts) and danger < learned.BESIDE[Level.CRISIS]


def _judged(heard: Sequence[Heard], weights: Learned) -> Iterator[Judged]:
    """What each message is held for, and each two neighbours as one."""
    weighed = [learned.features(each.words) for each in heard]
    yield from map(weights.judge, weighed)
    for one, other in pairwise(weighed):
        yield weights.judge(one | other)


def _overruled(level: Level, heard: Sequence[Heard], judged: Sequence[Judged]) -> bool:
    """Whether the weights hold all of it for harmless, as far as rules of `level` go."""
    terse = [each for each in heard if len(each.words) <= learned.TERSE]
    if any(rule.level is level for each in terse for rule in find(load(), [each])):
        return False
    if any(each.of(level) >= learned.BESIDE[level] for each in judged):
        return False
    sentences = (words for each in heard for words in _sentences(each.words))
    return not any(_judge(words).of(level) >= learned.PART for words in sentences)


def _sentences(words: Sequence[str]) -> list[Sequence[str]]:
    ends = [at + 1 for at, word in enumerate(words) if word in SENTENCE_ENDS]
    found = [words[one:other] for one, other in pairwise([0, *ends, len(words)])]
    return [sentence for sentence in found if len(sentence) > 1]


def _judge(words: Sequence[str]) -> Judged:
    return learned.load().judge(learned.features(words))


def find(rules: Rules, heard: Sequence[Heard]) -> list[Rule]:
    """The rules that fire on what was said, in the order of the file."""
    said = [each.meant for each in heard]
    crisis: Places = {}
    emergency: Places = {}
    sentences = 0
    for message, each in enumerate(said):
        # A question about nobody says something only beside a message about somebody.
        at_hand = any(near.at_hand for near in said[max(0, message - 2) : message + 3])
        _add(crisis, each.crisis, message, sentences)
        if at_hand:
            _add(emergency, each.emergency, message, sentences)
        sentences += 1 + max((sentence for _, sentence in each.crisis), default=0)
    places = {Level.CRISIS: crisis, Level.EMERGENCY: emergency}
    return [rule for rule in rules.rules if _fires(rule, places[rule.level])]


def _add(places: Places, hits: Sequence[tuple[Hit, int]], message: int, before: int) -> None:
    for hit, sentence in hits:
        places.setdefault(hit.name, []).append((message, before + sentence))


def _fires(rule: Rule, places: Places) -> bool:
    """Whether enough of the rule's concepts are near each other, and none of its `unless`."""
    found = places.keys()
    there = [names for names in rule.all if not found.isdisjoint(names)]
    if len(there) < rule.least:
        return False
    groups = [{place for name in names for place in places.get(name, ())} for names in there]
    kept_from = sorted({place for name in rule.unless for place in places.get(name, ())})
    if not kept_from:
        return any(True for _ in _windows(groups, rule))
    return not all(_any_near(kept_from, window, rule) for window in _windows(groups, rule))


def _windows(groups: list[set[Place]], rule: Rule) -> Iterator[tuple[Place, Place]]:
    """First and last place of the stretches that hold enough groups within reach; linear."""
    found = sorted((place, group) for group, places in enumerate(groups) for place in places)
    seen: Counter[int] = Counter()
    start = 0
    for last, group in found:
        seen[group] += 1
        while not _reach(found[start][0], last, rule):
            dropped = found[start][1]
            seen[dropped] -= 1
            if not seen[dropped]:
                del seen[dropped]
            start += 1
        if len(seen) >= rule.least:
            yield found[start][0], last


def _reach(first: Place, last: Place, rule: Rule) -> bool:
    if rule.within == "sentence":
        return first == last
    if rule.within == "message" and first[0] != last[0]:
        return False
    return last[1] - first[1] <= NEAR


def _any_near(places: Sequence[Place], window: tuple[Place, Place], rule: Rule) -> bool:
    """Whether any of `places`, which are in order, is within reach of `window`."""
    first, last = window
    if rule.within == "sentence":
        at = bisect_left(places, first)
        return places[at : at + 1] == [first]
    at = bisect_left(places, first[1] - NEAR, key=_number)
    return at < len(places) and places[at][1] <= last[1] + NEAR


def _number(place: Place) -> int:
    return place[1]
