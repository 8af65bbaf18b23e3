"""The rules that an answer is held against, read from data that a clinician can change.

A rule fires where each of its concepts occurs in one sentence, near the first of them, and
nothing that excuses it does. A concept is a list of phrases (`answers.toml` says how they are
written). All is done by regular expressions without nested repetition, on a few hundred characters
at a time.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import product
from pathlib import Path
from typing import Any, cast

FILE = Path(__file__).with_name("answers.toml")

_FIELDS = {"id", "kind", "what", "source", "all", "within", "unless", "examples", "near_misses"}
_WORDS = (
    "two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|forty|fifty|"
    "sixty|eighty|ninety|hundred|dozens?"
)
_COUNTED = (
    "tablets?|pills?|capsules?|caplets?|doses|drops|puffs?|patch(?:es)?|vials?|ampoules?|"
    "beans|seeds|berries|leaves|mushrooms|glasses|bottles?|packs?|packets?|boxes|strips?|sachets?|teaspoons?|tablespoons?|tsp|tbsp|shots?|"
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
# A full stop in a number or before small letters ends nothing, and a colon leads into a list.
_SENTENCE = re.compile(
    r"(?<!\b[A-Z])[.!?](?=[\s)\"'”]+[^a-z0-9\s])|(?<=[a-z]{4})(?<!approx)[.!?](?=\s+\d)|"
    r"[;。！？]|(?<!:)\n\s*\n"
)


class BadRules(ValueError):
    """A file of rules that cannot be used. Says which rule, and what is wrong with it."""


class Kind(Enum):
    WITHHOLD = "withhold"  # the answer is not shown
    CAUTION = "caution"  # it is shown with a fixed sentence


@dataclass(frozen=True, slots=True)
class Concept:
    """Things that mean one thing: a pattern for any of them, and keys as in `Rule`."""

    pattern: str
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `id` is stable, and the only part of it that is logged."""

    id: str
    kind: Kind
    all: tuple[re.Pattern[str], ...]
    """What must occur; the first is what the others must be near to."""
    within: int
    """Words between the first and the others, at most."""
    unless: re.Pattern[str] | None
    keys: frozenset[str]
    """Beginnings of words, one of which is in any text where the first of `all` occurs."""
    examples: tuple[str, ...]
    near_misses: tuple[str, ...]

    def matches(self, sentence: str) -> bool:
        """Whether everything that must occur does. Says nothing of excuses."""
        first, *rest = self.all
        for found in first.finditer(sentence):
            before = sentence[: found.start()].split()[-self.within :]
            after = sentence[found.end() :].split()[: self.within]
            near = " ".join([*before, found.group(), *after])
            if all(pattern.search(near) for pattern in rest):
                return True
        return False

    def excused(self, sentence: str) -> bool:
        return self.unless is not None and self.unless.search(sentence) is not None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a text says by the rules."""

    rule: str | None = None
    """The rule that fired."""
    open: bool = False
    """Whether what comes next in the last sentence decides."""


class Rules:
    """Rules of one kind, looked for together."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._keys = frozenset[str]().union(*(rule.keys for rule in self.rules))

    def may_fire(self, text: str) -> bool:
        """Whether any rule could fire on `text`; costs a tenth of looking. No rule is missed."""
        return not self._keys.isdisjoint(_keys_in(text))

    def judge(self, text: str, ended: bool) -> Verdict:
        """What `text` says; `ended` is whether nothing follows it."""
        undecided = False
        sentences = sentences_of(text)
        for number, sentence in enumerate(sentences):
            words = _keys_in(sentence)
            closed = ended or number < len(sentences) - 1 or bool(_FULL_STOP.search(sentence))
            for rule in self.rules:
                if rule.keys.isdisjoint(words):
                    continue
                if rule.matches(sentence) and not rule.excused(sentence):
                    if closed or rule.unless is None:
                        return Verdict(rule.id)
                    undecided = True
        return Verdict(open=undecided)


def _keys_in(text: str) -> set[str]:
    lowered = text.lower()
    keys = {word[:_KEY] for word in _WORD.findall(lowered)}
    if _DIGIT.search(lowered):
        keys.add(_ANY_DIGIT)
    if not lowered.isascii():
        keys.update(lowered)  # of a script without spaces, each sign
    return keys


def last_sentence(text: str) -> int:
    """Where the last sentence of `text` begins: what stands before it is judged for good."""
    return max((found.end() for found in _SENTENCE.finditer(text.translate(_PLAIN))), default=0)


def sentences_of(text: str) -> list[str]:
    """`text` in sentences, its marks of emphasis and of tables taken for spaces."""
    return _SENTENCE.split(text.translate(_PLAIN))


_KEY = 5
"""Letters of a word that are looked at to see whether a rule could fire."""
_ANY_DIGIT = "0"
_UNSPACED = "\u0900"
"""Scripts from here on are looked for anywhere: Chinese writes no spaces between words."""
_WORD = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")
_SYNTAX = ((r"\(", "(?:"), (r"\)", ")"), (r"\|", "|"), (r"\*", r"\w*"), (r"\ ", r"[\s,-]+"))
_FULL_STOP = re.compile(r"[.!?]\s+$")
_PLAIN = str.maketrans("*_`|\u00a0\u202f\u2009", "       ")


def load(text: str) -> dict[Kind, Rules]:
    """The rules in `text`, by kind. Raises `BadRules`."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise BadRules(str(fault)) from None
    named = cast("dict[str, list[str]]", data.get("concepts", {}))
    concepts = {name: Concept(pattern_of(said), keys_of(said)) for name, said in named.items()}
    concepts |= _BUILT_IN
    rules = [_rule(fields, concepts) for fields in cast("list[dict[str, Any]]", data["rule"])]
    ids = [rule.id for rule in rules]
    if len(set(ids)) != len(ids):
        raise BadRules("two rules have the same id")
    return {kind: Rules(rule for rule in rules if rule.kind is kind) for kind in Kind}


def _rule(fields: Mapping[str, Any], concepts: Mapping[str, Concept]) -> Rule:
    name = str(fields.get("id", "a rule without an id"))
    if unknown := set(fields) - _FIELDS:
        raise BadRules(f"{name}: there is no field {sorted(unknown)[0]}")
    for needed in ("id", "kind", "what", "source", "all", "examples", "near_misses"):
        if not fields.get(needed):
            raise BadRules(f"{name}: {needed} is missing or empty")

    def named(asked: str) -> list[Concept]:
        parts = [each.strip() for each in asked.split("+")]
        if missing := [part for part in parts if part not in concepts]:
            raise BadRules(f"{name}: there is no concept {missing[0]}")
        return [concepts[part] for part in parts]

    needed = [named(each) for each in fields["all"]]
    unless = [concept for each in fields.get("unless", []) for concept in named(each)]
    return Rule(
        id=name,
        kind=Kind(fields["kind"]),
        all=tuple(_any_of(concepts) for concepts in needed),
        within=int(fields.get("within", 20)),
        unless=_any_of(unless) if unless else None,
        keys=frozenset[str]().union(*(concept.keys for concept in needed[0])),
        examples=tuple(fields["examples"]),
        near_misses=tuple(fields["near_misses"]),
    )


def _any_of(concepts: Iterable[Concept]) -> re.Pattern[str]:
    return re.compile("|".join(concept.pattern for concept in concepts), re.I)


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
            raise BadRules(f"brackets inside brackets: {phrase}")
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


_NUMBERED = frozenset({_ANY_DIGIT, *keys_of(_WORDS.replace("?", "").split("|"))})
_BOXED = keys_of(["(bottle|packet|pack|box|blister|handful|stash)"])
_BUILT_IN = {
    "@amount": Concept(_AMOUNT, _NUMBERED | _BOXED),
    "@number": Concept(rf"{_NUMBER}(?![\w,.]*\d)(?!\s*(?:%|{_NO_AMOUNT}))", _NUMBERED),
}

RULES = load(FILE.read_text("utf-8"))
"""The rules as they stand in the file beside this one."""
