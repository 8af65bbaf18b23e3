"""Phrases as a clinician writes them in a file of rules, as patterns, and a quick look for them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from safety.rules import RuleError


@dataclass(frozen=True, slots=True)
class Concept:
    """Things that mean one thing: a pattern for any of them, and keys as in `Rule`."""

    pattern: str
    keys: frozenset[str]


_KEY = 5
"""Letters of a word that are looked at to see whether a rule could fire."""
_ANY_DIGIT = "0"
_UNSPACED = "\u0900"
"""Scripts from here on are looked for anywhere: Chinese writes no spaces between words."""
_WORD = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")
_SYNTAX = ((r"\(", "(?:"), (r"\)", ")"), (r"\|", "|"), (r"\*", r"\w*"), (r"\ ", r"[\s,-]+"))


def pattern_of(phrases: list[str]) -> str:
    """One pattern for any of `phrases`, each beginning and ending where a word does."""
    spaced = [phrase for phrase in phrases if phrase[0] < _UNSPACED]
    words = "|".join(map(_phrase, spaced))
    rest = [re.escape(phrase) for phrase in phrases if phrase not in spaced]
    return "|".join([rf"\b(?:{words})(?!\w)", *rest])


def keys_of(phrases: Iterable[str]) -> frozenset[str]:
    """Of each phrase, in each of its forms, the beginning of its longest word."""
    keys: set[str] = set()
    for phrase in phrases:
        # Every second part stood in brackets.
        parts = re.split(r"\(([^()]*)\)", phrase.lower())
        if any(mark in part for part in parts for mark in "()"):
            raise RuleError(f"The phrase {phrase!r} has brackets inside brackets.")
        forms = product(*(part.split("|") if n % 2 else [part] for n, part in enumerate(parts)))
        for form in map("".join, forms):
            if phrase[0] < _UNSPACED:
                keys.add(max(_WORD.findall(form), key=len)[:_KEY])
            else:
                keys.add(form[0])
    return frozenset(keys)


def _phrase(phrase: str) -> str:
    pattern = re.escape(phrase).replace("'", "['’]")
    for written, meant in _SYNTAX:
        pattern = pattern.replace(written, meant)
    return pattern


def keys_in(text: str) -> set[str]:
    """What of `text` could be a key of something in it. Costs a tenth of looking for patterns."""
    lowered = text.lower()
    keys = {word[:_KEY] for word in _WORD.findall(lowered)}
    if _DIGIT.search(lowered):
        keys.add(_ANY_DIGIT)
    if not lowered.isascii():
        keys.update(lowered)  # of a script without spaces, each sign
    return keys


_WORDS = (
    "two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|forty|fifty|"
    "sixty|eighty|ninety|hundred|dozens?"
)
_COUNTED = (
    "tablets?|pills?|capsules?|caplets?|doses|drops|puffs?|patch(?:es)?|vials?|ampoules?|"
    "beans|seeds|berries|leaves|mushrooms|glasses|bottles?|packs?|packets?|boxes|strips?|"
    "sachets?|teaspoons?|tablespoons?|tsp|tbsp|shots?|"
    "comprimidos|pastillas|tabletten|comprim[ée]s"
)
_UNITS = (
    "g|grams?|grammes?|gramm|gramos|kg|mg|milligrams?|milligrammes?|mcg|µg|μg|micrograms?|ug|"
    "ml|millilit(?:er|re)s?|cc|lit(?:er|re)s?|units?|iu|meq|mmol|gotas|克|毫克|片"
)
_NO_AMOUNT = (
    r"(?:per\s?cent|seconds?|minutes?|hours?|days?|weeks?|months?|years?|times|patients|people|"
    r"cases|adults|children|deaths|persons|fold|st|nd|rd|th)\b"
)
# Not what is measured in blood: an amount per volume is a concentration.
_NUMBER = rf"(?<![\w./])(?<!\bld[ -])(?:\d[\d.,]*|{_WORDS})(?:\s*(?:-|–|to|or)\s*\d[\d.,]*)?"
_AMOUNT = (
    rf"{_NUMBER}[\s-]*(?:\w{{2,12}}\s+)?(?:{_COUNTED})\b|"
    rf"{_NUMBER}[\s-]*(?:{_UNITS})(?![\w²])(?!\s*/\s*(?:d?l|m?l|mm|cm|mol|h?pf|g)\b)(?!\s+per\s+"
    r"(?:d|dec|mil)?(?:l|lit))|"
    r"\b(?:a|an|the|one|whole|entire|full)\s+(?:whole\s+|entire\s+|full\s+)?"
    r"(?:bottle|packet?|box|blister|handful|stash)\b"
)
_NUMBERED = frozenset({_ANY_DIGIT, *keys_of(_WORDS.replace("?", "").split("|"))})
_BOXED = keys_of(["(bottle|packet|pack|box|blister|handful|stash)"])
BUILT_IN = {
    "@amount": Concept(_AMOUNT, _NUMBERED | _BOXED),
    "@number": Concept(rf"{_NUMBER}(?![\w,.]*\d)(?!\s*(?:%|{_NO_AMOUNT}))", _NUMBERED),
}
"""The concepts that no file has to name."""
