"""The rules that an answer is held against, read from data that a clinician can change.

A rule fires where each of its concepts occurs in one sentence, near the first of them, and
nothing that excuses it does. A concept is a list of phrases (`answers.toml` says how they are
written). All is done by regular expressions without nested repetition, on a few hundred characters
at a time.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, cast

from safety.patterns import BUILT_IN, Concept, keys_in, keys_of, pattern_of
from safety.rules import RuleError

FILE = Path(__file__).with_name("answers.toml")

_FIELDS = {"id", "kind", "what", "source", "all", "within", "unless", "examples", "near_misses"}
_NEAR = 400
"""Characters on each side in which the words of `Rule.within` are counted."""
# A full stop in a number or before small letters ends nothing, and a colon leads into a list.
_SENTENCE = re.compile(
    r"(?<!\b[A-Z])[.!?](?=[\s)\"'”]+[^a-z0-9\s])|(?<=[a-z]{4})(?<!approx)[.!?](?=\s+\d)|"
    r"[;。！？]|(?<!:)\n\s*\n"
)


class Kind(Enum):
    WITHHOLD = "withhold"  # the answer is not shown
    CAUTION = "caution"  # it is shown with a fixed sentence


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
        places = [[each.start() for each in pattern.finditer(sentence)] for pattern in rest]
        if not all(places):
            return False
        for found in first.finditer(sentence):
            start, end = found.span()
            if not all(_one_near(start, each) for each in places):
                continue
            before = sentence[max(0, start - _NEAR) : start].split()[-self.within :]
            after = sentence[end : end + _NEAR].split()[: self.within]
            near = " ".join([*before, found.group(), *after])
            if all(pattern.search(near) for pattern in rest):
                return True
        return False

    def excused(self, sentence: str) -> bool:
        return self.unless is not None and self.unless.search(sentence) is not None


def _one_near(start: int, places: list[int]) -> bool:
    after = bisect_left(places, start - _NEAR)
    return after < len(places) and places[after] <= start + _NEAR


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
        return not self._keys.isdisjoint(keys_in(text))

    def judge(self, text: str, ended: bool) -> Verdict:
        """What `text` says; `ended` is whether nothing follows it."""
        undecided = False
        sentences = sentences_of(text)
        for number, sentence in enumerate(sentences):
            words = keys_in(sentence)
            closed = ended or number < len(sentences) - 1 or bool(_FULL_STOP.search(sentence))
            for rule in self.rules:
                if rule.keys.isdisjoint(words):
                    continue
                if rule.matches(sentence) and not rule.excused(sentence):
                    if closed or rule.unless is None:
                        return Verdict(rule.id)
                    undecided = True
        return Verdict(open=undecided)


def last_sentence(text: str) -> int:
    """Where the last sentence of `text` begins: what stands before it is judged for good."""
    return max((found.end() for found in _SENTENCE.finditer(text.translate(_PLAIN))), default=0)


def sentences_of(text: str) -> list[str]:
    """`text` in sentences, its marks of emphasis and of tables taken for spaces."""
    return _SENTENCE.split(text.translate(_PLAIN))


_FULL_STOP = re.compile(r"[.!?]\s+$")
_PLAIN = str.maketrans("*_`|\u00a0\u202f\u2009", "       ")


@cache
def load() -> dict[Kind, Rules]:
    """The rules that come with the project, by kind. Raises `RuleError`."""
    return parse(FILE.read_text("utf-8"))


def parse(text: str) -> dict[Kind, Rules]:
    """The rules that `text`, in TOML, holds. Raises `RuleError`."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise RuleError(f"The answers' rules are not valid TOML: {fault}.") from None
    named = cast("dict[str, list[str]]", data.get("concepts", {}))
    concepts = {name: Concept(pattern_of(said), keys_of(said)) for name, said in named.items()}
    concepts |= BUILT_IN
    rules = [_rule(fields, concepts) for fields in cast("list[dict[str, Any]]", data["rule"])]
    ids = [rule.id for rule in rules]
    if len(set(ids)) != len(ids):
        raise RuleError("Two of the answers' rules have the same id.")
    return {kind: Rules(rule for rule in rules if rule.kind is kind) for kind in Kind}


def _rule(fields: Mapping[str, Any], concepts: Mapping[str, Concept]) -> Rule:
    name = str(fields.get("id", "a rule without an id"))
    if unknown := set(fields) - _FIELDS:
        raise RuleError(f"The rule {name!r} has a field {min(unknown)!r} that means nothing.")
    for needed in ("id", "kind", "what", "source", "all", "examples", "near_misses"):
        if not fields.get(needed):
            raise RuleError(f"The rule {name!r} has no {needed}.")

    def named(asked: str) -> list[Concept]:
        parts = [each.strip() for each in asked.split("+")]
        if missing := [part for part in parts if part not in concepts]:
            raise RuleError(f"The rule {name!r} names the concept {missing[0]!r}: there is none.")
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
