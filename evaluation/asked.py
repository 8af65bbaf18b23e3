"""What a task asks and how it scores, in its own words; inspect-ai is met in `tasks.py` only.

A score is between 0 and 1, or None: unscored, and then `why` says why. Unscored is never wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.form import WITHHELD, Reply
from evaluation.reading import NO_ANSWER

NOT_ASKED = "a fixed notice answered"
WAS_WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class Item:
    """One question as it is put; `group` is what it is counted under, beside all."""

    id: str
    prompt: str
    group: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the scoring needs to know, in JSON's types."""


@dataclass(frozen=True, slots=True)
class Score:
    """`read` is what was understood of the answer: a letter, the points it has."""

    value: float | None
    why: str = ""
    read: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A task: its items, what they are, and the rule that scores a reply to one of them.

    `rule` is given the item's facts, the reply, and what the endpoint said in `safety`.
    """

    name: str
    items: tuple[Item, ...]
    data: Mapping[str, Any]
    rule: Callable[[Mapping[str, Any], Reply, Mapping[str, Any]], Score]


def unscored(reply: Reply, safety: Mapping[str, Any]) -> Score | None:
    """Where there is no answer of a model's to be scored, that; else None."""
    if safety.get("asked") is False:
        return Score(None, NOT_ASKED)
    if reply.ended == WITHHELD:
        return Score(None, WAS_WITHHELD)
    if not reply.answer.strip():
        return Score(None, NO_ANSWER)
    return None
