"""Rows of medical questions and answers, from the hub or from JSONL files.

Knows no tokenizer and no model. A wrong row stops the run with one sentence that names its place
and never its text.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from training.disk import SENTENCE, disk_full
from training.recipe import Source

FIELDS = ("question", "reasoning", "answer")
HERE = Path(__file__).resolve().parent.parent


class RowError(ValueError):
    """Rows that cannot be used, and where they are."""


@dataclass(frozen=True, slots=True)
class Row:
    question: str
    reasoning: str
    answer: str


def read_rows(source: Source, seed: int) -> list[Row]:
    """What `source` names, drawn and repeated as it says. Raises `RowError`."""
    rows = [_row(fields, source, place) for place, fields in _records(source)]
    if not rows:
        raise RowError(f"{source.name} has no rows.")
    if source.rows is not None and source.rows < len(rows):
        rows = random.Random(seed).sample(rows, source.rows)  # noqa: S311
    return rows * source.repeat


def read_questions(source: Source) -> list[str]:
    """The questions of an evaluation set. Raises `RowError`."""
    name = source.fields.get("question", "question")
    found = [value for _, fields in _records(source) if (value := _value(fields, name))]
    if not found:
        raise RowError(f"{source.name} has no questions, by the name of {name}.")
    return [str(value) for value in found]


def present(sources: Iterable[Source]) -> tuple[Source, ...]:
    """Those of `sources` that are to be read: files that are optional only where they are."""
    return tuple(each for each in sources if not each.optional or _is_there(each))


def _is_there(source: Source) -> bool:
    try:
        find(source.jsonl or "")
    except RowError:
        return False
    return True


def key(question: str) -> str:
    """Two questions with one key are the same: case, punctuation and spaces set apart."""
    return " ".join(re.findall(r"\w+", question.casefold()))


def _row(fields: Mapping[str, Any], source: Source, place: str) -> Row:
    values: dict[str, str] = {}
    for field in FIELDS:
        value = _value(fields, source.fields.get(field, field))
        if field == "reasoning" and not value:
            value = source.reasoning
        if not isinstance(value, str) or not value.strip():
            raise RowError(f"{place} has no {field}: mend it or take it out.")
        values[field] = value.strip()
    return Row(**values)


def _value(fields: Mapping[str, Any], name: str) -> Any:
    """Of `a.b`, what is called b in what is called a; None where there is none."""
    value: Any = fields
    for part in name.split("."):
        value = cast("Mapping[str, Any]", value).get(part) if isinstance(value, Mapping) else None
    return value


Placed = tuple[str, Mapping[str, Any]]
"""A record, and where it stands: a file's name and line, or a set's and its row."""


def _records(source: Source) -> Iterator[Placed]:
    return _from_hub(source) if source.hub else _from_files(source)


def _from_files(source: Source) -> Iterator[Placed]:
    place = find(source.jsonl or "")
    for file in sorted(place.glob("*.jsonl")) if place.is_dir() else [place]:
        try:
            with file.open(encoding="utf-8") as lines:
                yield from _parsed(lines, file.name)
        except (OSError, UnicodeDecodeError):
            raise RowError(f"{file.name} cannot be read as text.") from None


def _parsed(lines: Iterable[str], name: str) -> Iterator[Placed]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            fields: object = json.loads(line)
        except ValueError:
            fields = None
        if not isinstance(fields, dict):
            raise RowError(f"{name}, line {number}, is no JSON object: mend it or take it out.")
        yield f"{name}, line {number},", cast("Mapping[str, Any]", fields)


def find(name: str) -> Path:
    """The file or folder: as it stands, in this repository, or in MEDICAL_DATA."""
    data = os.environ.get("MEDICAL_DATA")
    for parent in (Path(), HERE, *([Path(data)] if data else [])):
        if (parent / name).exists():
            return parent / name
    where = "in the folder MEDICAL_DATA" if data else "here; is MEDICAL_DATA to be set?"
    raise RowError(f"{name} is not {where}")


def _from_hub(source: Source) -> Iterator[Placed]:
    # Large, and not needed for rows from files.
    import datasets  # pyright: ignore[reportMissingImports]

    try:
        rows: Any = datasets.load_dataset(  # pyright: ignore
            source.hub, source.config, split=source.split, revision=source.revision
        )
    except Exception as error:
        if disk_full(error):
            raise RowError(SENTENCE) from None
        raise RowError(
            f"{source.hub} could not be had from the hub ({type(error).__name__}): look at the "
            "connection, the name and the revision, or name a local file with `jsonl`."
        ) from None
    for number, fields in enumerate(cast("Iterable[Mapping[str, Any]]", rows), 1):
        yield f"{source.name}, row {number},", fields
