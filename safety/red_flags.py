"""Emergencies and crises in what a person wrote, found by rules that a clinician can read.

It is not a triage tool: it finds what its rules name, in the words that they name it with, and
"nothing found" says nothing about a person's health. The rules are `red_flags.toml`; how well they
do is measured in `docs/safety.md`. Asks no model, keeps nothing, and gives the same answer always.
"""

from __future__ import annotations

from collections.abc import Sequence

from chat.conversation import Conversation, Role
from safety.finding import NOTHING, Finding, Level
from safety.guards import meant
from safety.rules import Rule, Rules, load

Place = tuple[int, int]
"""A message and a sentence in it, by number."""


def assess(conversation: Conversation) -> Finding:
    """What the user's turns in `conversation` say, read together. Deterministic; asks no model."""
    return read([turn.text for turn in conversation.turns if turn.role is Role.USER])


def read(texts: Sequence[str]) -> Finding:
    """The same for a person's messages, oldest first. Its cost grows as the text's length."""
    rules = load()
    fired = find(rules, texts)
    if not fired:
        return NOTHING
    levels = {rule.level for rule in fired}
    level = Level.CRISIS if Level.CRISIS in levels else Level.EMERGENCY
    return Finding(level, tuple(rule.id for rule in fired), Level.EMERGENCY in levels)


def find(rules: Rules, texts: Sequence[str]) -> list[Rule]:
    """The rules that fire on `texts`, in the order of the file."""
    places: dict[str, set[Place]] = {}
    for message, text in enumerate(texts):
        words, numbers = rules.lexicon.numbers(rules.lexicon.read(text))
        for hit, sentence in meant(words, rules.phrases.find(words, numbers), rules.sets):
            places.setdefault(hit.name, set()).add((message, sentence))
    if not places:
        return []
    return [rule for rule in rules.rules if _fires(rule, places)]


def _fires(rule: Rule, places: dict[str, set[Place]]) -> bool:
    groups = [_anywhere(group, places, rule) for group in rule.all]
    together = set.intersection(*groups)
    if rule.unless:
        together -= _anywhere(rule.unless, places, rule)
    return bool(together)


def _anywhere(names: Sequence[str], places: dict[str, set[Place]], rule: Rule) -> set[Place]:
    """Where any of the concepts is found, as fine as the rule's reach tells places apart."""
    found = [place for name in names for place in places.get(name, ())]
    if rule.within == "sentence":
        return set(found)
    return {(place[0] if rule.within == "message" else 0, 0) for place in found}
