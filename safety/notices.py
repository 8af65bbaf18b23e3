"""The fixed notices, and the fixed replies where no model is asked. Texts: `notices.toml`.

An emergency and a crisis have a notice each, and both stand where both were found. In a crisis no
model is asked. In an emergency none is that is too small for its advice to be safe.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from safety.finding import LEARNED, Finding, Level
from safety.numbers import Lines, Region

FILE = Path(__file__).with_name("notices.toml")
ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Notice:
    """What stands above everything. Plain text; `lines` gives whom to call."""

    level: Level
    language: str
    """A tag such as `en`: that of the message where the rule that fired tells it."""
    heading: str
    sentences: tuple[str, ...]

    def lines(self, region: Region) -> Lines:
        """Whom to call about this in `region`, the most urgent first."""
        if self.level is Level.EMERGENCY:
            return region.emergency + region.poison
        named = {line.number for line in region.crisis}
        urgent = tuple(line for line in region.emergency if line.number not in named)
        return region.crisis + urgent + region.abuse


def notices(finding: Finding, page: str = ENGLISH) -> tuple[Notice, ...]:
    """The notices that `finding` calls for: none, one, or an emergency's before a crisis's.

    `page` is the language of the page, here and below.
    """
    language = language_of(finding.rules, page)
    levels: list[Level] = []
    if finding.level is Level.EMERGENCY or finding.emergency:
        levels.append(Level.EMERGENCY)
    if finding.level is Level.CRISIS:
        levels.append(Level.CRISIS)
    return tuple(_notice(level, language) for level in levels)


def fixed_reply(
    finding: Finding, unreliable: bool, again: bool = False, page: str = ENGLISH
) -> str | None:
    """What is said instead of asking a model, or None where the model may be asked.

    `unreliable` is whether the model is too small to be trusted; `again`, whether a fixed reply
    stands in the conversation already.
    """
    texts = _texts()[language_of(finding.rules, page)]["reply"]
    match finding.level:
        case Level.CRISIS:
            return texts["again" if again else "crisis"].strip()
        case Level.EMERGENCY if unreliable:
            return texts["emergency"].strip()
        case _:
            return None


def word(name: str, language: str) -> str:
    """One of the few words around the notices, such as the question for the region."""
    return _texts()[language]["words"][name]


def languages() -> tuple[str, ...]:
    """The languages that there are texts in."""
    return tuple(_texts())


def language_of(rules: tuple[str, ...], page: str = ENGLISH) -> str:
    """The language of a message, as what fired on it tells.

    Where rules of several languages fired, what the learned weights tell decides, if it is one of
    those; else that of the page, if one of its rules fired or none did; else English, where any
    English rule fired, or the last: words that two languages share are in the rules of both.
    """
    languages = {
        f"{level.value}.{texts['rules']}": language
        for language, texts in _texts().items()
        for level in (Level.CRISIS, Level.EMERGENCY)
    }
    learned = [languages.get(rule.removeprefix(LEARNED)) for rule in rules if _is_learned(rule)]
    plain = next(filter(None, learned), None)
    told = [
        languages.get(rule.partition("-")[0], ENGLISH) for rule in rules if not _is_learned(rule)
    ]
    if plain and (not told or plain in told):
        return plain
    if page in told or (not rules and page in _texts()):
        return page
    return ENGLISH if ENGLISH in told or not told else told[-1]


def _is_learned(rule: str) -> bool:
    return rule.startswith(LEARNED)


def _notice(level: Level, language: str) -> Notice:
    text = _texts()[language][level.value]
    return Notice(level, language, text["heading"], tuple(text["sentences"]))


@cache
def _texts() -> dict[str, dict[str, Any]]:
    return tomllib.loads(FILE.read_text("utf-8"))
