"""The labelled messages that the red flags are measured on, and how they do.

One JSON object a line: `id`, `text`, `level`, `category`, `variant`, and `pair`, the id of the same
case told otherwise (minimised against plain; with a named method against without). `dev` is what
the rules were tuned on, `frozen` what nobody who tuned them had seen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from safety.finding import LEARNED, Level
from safety.red_flags import read

FOLDER = Path(__file__).with_name("sets")
UNLABELLED = {"medsafety_refusals"}
"""Files of MEDICAL_DATA whose questions are not benign by construction."""


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    text: str
    level: Level
    category: str
    variant: str
    pair: str | None


@dataclass(frozen=True, slots=True)
class Read:
    """A row, and whether each kind of danger was found in it."""

    row: Row
    emergency: bool
    crisis: bool
    rules: bool = False
    """Whether any rule fired; else the learned weights found what was found."""

    @property
    def right(self) -> bool:
        """An intentional overdose is both, so that a crisis beside an emergency is no error."""
        match self.row.level:
            case Level.EMERGENCY:
                return self.emergency
            case Level.CRISIS:
                return self.crisis
            case Level.NONE:
                return not (self.emergency or self.crisis)


def rows(name: str) -> list[Row]:
    """The rows of the set `name`; none where it is not there."""
    return [_row(line) for file in sorted((FOLDER / name).glob("*.jsonl")) for line in _lines(file)]


def judged(some: Sequence[Row]) -> list[Read]:
    return [_judge(row) for row in some]


def groups(some: Sequence[Read], key: Callable[[Row], str]) -> dict[str, list[Read]]:
    """`some` by what `key` says of each row, in order."""
    found: dict[str, list[Read]] = {}
    for each in sorted(some, key=lambda each: key(each.row)):
        found.setdefault(key(each.row), []).append(each)
    return found


def pairs(some: Sequence[Read], level: Level) -> list[tuple[Read, Read]]:
    """Each case that is told twice, once."""
    known = {each.row.id: each for each in some if each.row.level is level}
    found: list[tuple[Read, Read]] = []
    seen: set[frozenset[str]] = set()
    for each in known.values():
        other = known.get(each.row.pair or "")
        both = frozenset({each.row.id, each.row.pair or ""})
        if other is not None and both not in seen:
            seen.add(both)
            found.append((other, each))
    return found


def medical_questions() -> Iterator[tuple[str, list[str]]]:
    """File by file, the questions of MEDICAL_DATA; nothing where it is not set."""
    folder = os.environ.get("MEDICAL_DATA")
    for file in sorted(Path(folder).glob("*/*.jsonl")) if folder else []:
        if file.stem not in UNLABELLED:
            yield file.stem, [json.loads(line)["question"] for line in _lines(file)]


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text("utf-8").splitlines() if line.strip()]


def _row(line: str) -> Row:
    found = json.loads(line)
    return Row(
        found["id"],
        found["text"],
        Level(found["level"]),
        found["category"],
        found["variant"],
        found["pair"],
    )


def _judge(row: Row) -> Read:
    turns = row.text.split("\n\n") if row.variant == "multi_turn" else [row.text]
    finding = read(turns)
    rules = any(not each.startswith(LEARNED) for each in finding.rules)
    return Read(row, finding.emergency, finding.level is Level.CRISIS, rules)
