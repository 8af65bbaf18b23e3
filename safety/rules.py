"""The rules of `red_flags.toml` and `red_flags_tr.toml`, checked and ready. Loaded once."""

from __future__ import annotations

import gc
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

from safety.finding import Level
from safety.guards import PREFIX, Words
from safety.lexicon import Lexicon
from safety.phrases import PhraseError, Phrases

FILE = Path(__file__).with_name("red_flags.toml")
TURKISH = Path(__file__).with_name("red_flags_tr.toml")
"""Emergencies told in Turkish. A file of its own, with guards of its own: no word of it can change
how a message in another language is read."""

Within = Literal["sentence", "message", "conversation"]

_NEEDED = ("id", "level", "category", "source", "all", "examples", "not")
_OPTIONAL = ("unless", "within", "least")


class RuleError(ValueError):
    """The rules' file cannot be used. The message is one sentence for whoever changed it."""


@dataclass(frozen=True, slots=True)
class Rule:
    id: str
    level: Level
    category: str
    source: str
    all: tuple[tuple[str, ...], ...]
    """Of each, any of its concepts counts."""
    least: int
    """How many of `all` must be found; every one, where the file does not say."""
    unless: tuple[str, ...]
    """Concepts that keep the rule from firing where one is found in the same reach."""
    within: Within
    examples: tuple[str, ...]
    near_misses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    rules: tuple[Rule, ...]
    lexicon: Lexicon
    phrases: Phrases
    sets: Words
    languages: dict[str, frozenset[str]]
    """Of each language, small words that tell it."""

    def language(self, words: Sequence[str]) -> str:
        """The language that most small words in `words` are of; "" where it is not plain."""
        told = {name: len(own.intersection(words)) for name, own in self.languages.items()}
        second, first = sorted(["", "", *told], key=lambda name: told.get(name, 0))[-2:]
        return first if told.get(first, 0) >= 2 + told.get(second, 0) else ""


@cache
def load(file: Path | None = None) -> Rules:
    """The rules of a `file` that comes with the project, else of `FILE`. Raises `RuleError`."""
    collecting = gc.isenabled()
    gc.disable()  # nothing made here is garbage, and looking for it took a sixth of the time
    try:
        return parse((file or FILE).read_text("utf-8"))
    finally:
        if collecting:
            gc.enable()


def parse(text: str) -> Rules:
    """The rules that `text`, in TOML, holds. Raises `RuleError`."""
    try:
        file = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"The rules' file is not valid TOML: {error}.") from None
    same = {form: word for word, forms in _lists(file, "same").items() for form in forms}
    lexicon = Lexicon(same, file.get("corrects", True))
    sets = {name: frozenset(_words(words, lexicon)) for name, words in _lists(file, "sets").items()}
    lists = _lists(file, "lists")
    phrases = Phrases(lexicon, lists, sets["small"], sets["dropped"], sets["barriers"])
    concepts = _table(file, "concepts")
    english = [name for name in concepts if not concepts[name].get("other_language")]
    for name in english:
        _add(phrases, name, concepts[name], exact=False)
    for name, group in _table(file, "guards").items():
        _add(phrases, PREFIX + name, group, exact=True)
    lexicon.pause()
    for name in [name for name in concepts if name not in english]:
        _add(phrases, name, concepts[name], exact=False)
    rules = tuple(_rule(entry, concepts) for entry in cast("list[Any]", file.get("rules", [])))
    ids = [rule.id for rule in rules]
    if twice := {each for each in ids if ids.count(each) > 1}:
        raise RuleError(f"Two rules have the id {min(twice)!r}.")
    used = {name for rule in rules for group in rule.all for name in group}
    used |= {name for rule in rules for name in rule.unless}
    if unused := set(concepts) - used:
        raise RuleError(f"No rule uses the concept {min(unused)!r}.")
    sets["lasting"] = frozenset(name for name, group in concepts.items() if group.get("lasting"))
    guards = {name: sets[name] for name in Words.__dataclass_fields__ if name in sets}
    phrases.close()
    lexicon.close(word for words in (*guards.values(), sets["small"]) for word in words)
    languages = _lists(file, "languages").items()
    told = {name: frozenset(_words(words, lexicon)) for name, words in languages}
    return Rules(rules, lexicon, phrases, Words(**guards), told)


def _table(file: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    return cast("dict[str, dict[str, Any]]", file.get(name, {}))


def _lists(file: Mapping[str, Any], name: str) -> dict[str, list[str]]:
    return {key: _split(value) for key, value in _table(file, name).items()}


def _split(written: object) -> list[str]:
    """The entries of a text: one a line, or several with commas; a line of `# ` is a comment."""
    lines = str(written).splitlines()
    kept = [line for line in lines if not line.strip().startswith("# ")]
    return [entry for line in kept for each in line.split(",") if (entry := each.strip())]


def _words(entries: Iterable[str], lexicon: Lexicon) -> Iterable[str]:
    for entry in entries:
        yield from lexicon.spelled(entry)


def _add(phrases: Phrases, name: str, group: Mapping[str, Any], exact: bool) -> None:
    if not exact and not group.get("source"):
        raise RuleError(f"The concept {name!r} has no source.")
    written = _split(group.get("phrases", ""))
    if not written:
        raise RuleError(f"The concept {name!r} has no phrases.")
    for phrase in written:
        try:
            phrases.add(name, phrase, exact)
        except PhraseError as error:
            raise RuleError(f"In {name!r}: {error}") from None


def _rule(entry: Mapping[str, Any], concepts: Mapping[str, Any]) -> Rule:
    name = str(entry.get("id", "without an id"))
    for field in _NEEDED:
        if not entry.get(field):
            kind = {"examples": "test", "not": "near miss"}.get(field, field)
            raise RuleError(f"The rule {name!r} has no {kind}: give it `{field}`.")
    if unknown := set(entry) - {*_NEEDED, *_OPTIONAL}:
        raise RuleError(f"The rule {name!r} has a field {min(unknown)!r} that means nothing.")
    if entry["level"] not in ("emergency", "crisis"):
        raise RuleError(f"The rule {name!r} has the level {entry['level']!r}.")
    if entry.get("within", "message") not in ("sentence", "message", "conversation"):
        raise RuleError(f"The rule {name!r} is within {entry['within']!r}, which is no reach.")
    groups = [[each] if isinstance(each, str) else each for each in entry["all"]]
    every = tuple(tuple(str(each) for each in cast("Sequence[str]", group)) for group in groups)
    unless = tuple(str(each) for each in entry.get("unless", ()))
    for concept in [each for group in every for each in group] + list(unless):
        if concept not in concepts:
            raise RuleError(f"The rule {name!r} names the concept {concept!r}: there is none.")
    least = int(entry.get("least", len(every)))
    if not 1 <= least <= len(every):
        raise RuleError(f"The rule {name!r} needs {least} of {len(every)} concepts.")
    return Rule(
        id=name,
        level=Level(entry["level"]),
        category=str(entry["category"]),
        source=str(entry["source"]),
        all=every,
        least=least,
        unless=unless,
        within=entry.get("within", "conversation"),
        examples=tuple(entry["examples"]),
        near_misses=tuple(entry["not"]),
    )
