"""Read messages, say how urgent each is: for anybody who wants to measure the detector.

    python -m safety < messages.jsonl

Each line that is not blank is `{"text": "..."}`, or `{"texts": ["...", "..."]}` for a person's
turns, oldest first. For each, in order, one line is written: `{"level": "emergency" | "crisis" |
"none", "rules": [...]}`. A line that cannot be read gets `{"level": null, "rules": [], "error":
"..."}`, the rest is read all the same, and the exit code is 1. Line by line, so that the input may
be of any size.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import IO, cast

from safety.red_flags import read
from safety.rules import TURKISH, RuleError, load


def texts(line: str) -> list[str]:
    """What `line` holds. Raises `ValueError` with a sentence that quotes nothing of it."""
    try:
        found: object = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("This line is not JSON.") from None
    if not isinstance(found, dict):
        raise ValueError("This line is not a JSON object.")
    fields = cast("dict[str, object]", found)
    if len(fields.keys() & {"text", "texts"}) != 1:
        raise ValueError('This line needs either "text" or "texts".')
    said = fields.get("texts", [fields.get("text")])
    parts = cast("list[object]", said) if isinstance(said, list) else [None]
    found_texts = [part for part in parts if isinstance(part, str)]
    if len(found_texts) < len(parts):
        raise ValueError('"text" is to be a string, and "texts" a list of strings.')
    return found_texts


def answer(line: str) -> dict[str, object]:
    try:
        finding = read(texts(line))
    except ValueError as error:
        return {"level": None, "rules": [], "error": str(error)}
    return {"level": finding.level.value, "rules": list(finding.rules)}


def main(lines: Iterable[bytes], out: IO[str]) -> int:
    """One answer for each of `lines` that is not blank. 1 where a line could not be read."""
    try:
        load()
        load(TURKISH)
    except RuleError as error:
        print(error, file=sys.stderr)
        return 2
    code = 0
    for line in lines:
        if not line.strip():
            continue
        found = answer(line.decode("utf-8-sig", "replace"))
        code = 1 if "error" in found else code
        out.write(json.dumps(found) + "\n")
        out.flush()  # whoever asks line by line waits for it
    return code


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer, sys.stdout))
