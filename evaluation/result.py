"""A result: what one model made of one task, as one JSON file without a word of what was said.

It holds each question's outcome by its id, so that two models can be compared question by
question, and everything that a figure needs to stand beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inspect_ai.log import EvalLog

from evaluation.asked import Score
from evaluation.client import commit, reply_of
from evaluation.form import form
from evaluation.tasks import failure, safety_of, scored

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`value` is 0 to 1, or None for unscored, and then `why` says why."""

    value: float | None
    why: str = ""
    read: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One file. `about` holds task, model, data, sampling, commits, versions, date."""

    about: dict[str, Any]
    form: dict[str, Any]
    outcomes: dict[str, Outcome]

    @property
    def task(self) -> str:
        return self.about["task"]

    @property
    def model(self) -> dict[str, Any]:
        return self.about["model"]

    @property
    def sampling(self) -> dict[str, Any]:
        return self.about["sampling"]


def of_log(log: EvalLog, ids: Collection[str]) -> Result:
    """The result of a finished log on the questions `ids`, by the rules of today.

    The log holds more where more were asked before.
    """
    about = log.eval.metadata or {}
    samples = [each for each in log.samples or [] if str(each.id) in ids]
    outcomes: dict[str, Outcome] = {}
    for sample in samples:
        failed = failure(sample)
        score = Score(None, f"failed: {failed}") if failed else scored(log.eval.task, sample)
        group = str(sample.metadata.get("group", ""))
        outcomes[str(sample.id)] = Outcome(score.value, score.why, score.read, group)
    commits = {str((each.output.metadata or {}).get("commit", "unknown")) for each in samples}
    asked = [
        each for each in samples
        if not failure(each) and safety_of(each.output).get("asked") is not False
    ]  # fmt: skip
    return Result(
        about={
            "task": log.eval.task,
            **{name: about.get(name) for name in ("model", "data", "sampling", "judge")},
            "n": len(samples),
            "asked_at_commits": sorted(commits),
            "scored_at_commit": commit(),
            "inspect_ai": version("inspect_ai"),
            "date": str(log.eval.created)[:10],
        },
        form=form([reply_of(each.output) for each in asked]),
        outcomes=dict(sorted(outcomes.items())),
    )


def name_of(result: Result) -> str:
    """The file's name: task, model, effort, and what else makes it another measurement."""
    sampling = result.sampling
    also = f"{result.about['n']}x{sampling['max_tokens']}-seed{sampling['seed']}"
    judge = [result.about["judge"]] if result.about["judge"] else []
    parts = (result.task, result.model["id"], sampling["effort"] or "unset", also, *judge)
    return ".".join(re.sub(r"[^\w+-]+", "-", part) for part in parts) + ".json"


def save(result: Result, folder: Path) -> Path:
    """Write it, one question a line, so that a change of few is a change of few lines."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f"  {json.dumps(name)}: {json.dumps([each.value, each.why, each.read, each.group])}"
        for name, each in result.outcomes.items()
    ]
    text = json.dumps({**result.about, "form": result.form}, indent=1)
    text = f'{text[:-2]},\n "outcomes": {{\n' + ",\n".join(lines) + "\n }\n}\n"
    path = folder / name_of(result)
    written = path.with_suffix(".part")
    written.write_text(text, encoding="utf-8")
    return written.replace(path)


def load(path: Path) -> Result:
    """What `save` wrote."""
    about: dict[str, Any] = json.loads(path.read_text("utf-8"))
    outcomes = {name: Outcome(*row) for name, row in about.pop("outcomes").items()}
    return Result(about, about.pop("form"), outcomes)


def load_all(folder: Path) -> list[Result]:
    """Every result in `folder`, by name."""
    return [load(path) for path in sorted(folder.glob("*.json"))]
