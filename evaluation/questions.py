"""Multiple-choice questions: from the hub at a pinned commit, or from a folder of JSON lines.

The folder is what MEDICAL_DATA names. There the sets are other splits than the hub's (`BANKS`), so
that a figure always stands with the set and the commit that it was measured on. No question that
is asked twice in a set is kept twice.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from evaluation.reading import LETTERS

T = TypeVar("T")


class QuestionsError(ValueError):
    """Questions that cannot be had, and what to do. One sentence, without a question's text."""


@dataclass(frozen=True, slots=True)
class Question:
    """`right` is an index into `options`; `context` is what the question is about, or empty."""

    id: str
    text: str
    options: tuple[str, ...]
    right: int
    context: str = ""


@dataclass(frozen=True, slots=True)
class HubSet:
    name: str
    revision: str
    split: str
    config: str | None = None


@dataclass(frozen=True, slots=True)
class Bank:
    """Where a task's questions are: a file in the folder, and sets on the hub."""

    title: str
    file: str
    split: str
    """Of the file."""
    hub: tuple[HubSet, ...]


MMLU = (
    "anatomy", "clinical_knowledge", "college_biology", "college_medicine", "medical_genetics",
    "professional_medicine",
)  # fmt: skip
MEDQA_COMMIT = "0fb93dd23a7339b6dcd27e241cb9b5eca62d4d18"
MEDMCQA_COMMIT = "91c6572c454088bf71b679ad90aa8dffcd0d5868"
PUBMEDQA_COMMIT = "9001f2853fb87cab8d220904e0de81ac6973b318"
MMLU_COMMIT = "c30699e8356da336a370243923dbaf21066bb9fe"
BANKS = {
    "medqa": Bank("MedQA", "eval/medqa_dev.jsonl", "dev", (
        HubSet("GBaker/MedQA-USMLE-4-options", MEDQA_COMMIT, "test"),
    )),
    "medmcqa": Bank("MedMCQA", "eval/medmcqa_dev.jsonl", "dev, single answers", (
        HubSet("openlifescienceai/medmcqa", MEDMCQA_COMMIT, "validation"),
    )),
    "pubmedqa": Bank("PubMedQA", "eval/pubmedqa_trainval.jsonl", "labelled, without the test", (
        HubSet("qiaojin/PubMedQA", PUBMEDQA_COMMIT, "train", "pqa_labeled"),
    )),
    "mmlu": Bank("MMLU-medical", "eval/mmlu_medical_test.jsonl", "test, six subjects", tuple(
        HubSet("cais/mmlu", MMLU_COMMIT, "test", subject) for subject in MMLU
    )),
}  # fmt: skip
"""The commits of the hub are those that the training's recipe filters against."""


@dataclass(frozen=True, slots=True)
class Read:
    """The questions of a set, and what the set is: for the report."""

    questions: tuple[Question, ...]
    data: dict[str, Any]


def read_bank(name: str, folder: Path | None) -> Read:
    """The questions of the task `name`; from the hub where `folder` is None.

    Raises `QuestionsError`.
    """
    bank = BANKS[name]
    if folder is None:
        found = [question for each in bank.hub for question in _from_hub(name, each)]
        data = {
            "name": bank.hub[0].name,
            "revision": bank.hub[0].revision,
            "split": bank.hub[0].split,
        }
    else:
        path = folder / bank.file
        found = [_of_line(row, place) for place, row in read_lines(path)]
        sources = {str(row.get("source", "")).partition(":")[0] for _, row in read_lines(path)}
        data = {
            "name": bank.title,
            "revision": " ".join([*sorted(sources), f"sha256:{sha256(path)}"]),
            "split": bank.split,
        }
    first: dict[str, Question] = {}
    for question in found:
        first.setdefault(_key(question), question)
    kept = tuple(first.values())
    return Read(kept, {**data, "rows": len(found), "asked_once": len(kept), **_guessing(kept)})


def draw(every: Sequence[T], seed: int, n: int) -> list[T]:
    """`n` of them by `seed`; a larger `n` begins with the same."""
    shuffled = list(every)
    random.Random(seed).shuffle(shuffled)  # noqa: S311
    return shuffled[:n]


def read_lines(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects in a file of JSON lines, and where each stands. Raises `QuestionsError`."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise QuestionsError(
            f"{path.name} cannot be read: set MEDICAL_DATA to the folder that holds it."
        ) from None
    for number, line in enumerate(lines, 1):
        place = f"{path.name}, line {number},"
        try:
            row: object = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise QuestionsError(f"{place} is no JSON object: mend it or take it out.")
        yield place, cast("Mapping[str, Any]", row)


def sha256(path: Path) -> str:
    """The beginning of it, enough to know a file again."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def _guessing(questions: Sequence[Question]) -> dict[str, float]:
    """The share that a random option has right, and that the commonest right option has."""
    chance = sum(1 / len(each.options) for each in questions) / len(questions)
    commonest = Counter(each.right for each in questions).most_common(1)[0][1] / len(questions)
    return {"chance": round(chance, 4), "commonest": round(commonest, 4)}


def _key(question: Question) -> str:
    return " ".join(re.findall(r"\w+", f"{question.text} {question.options}".casefold()))


def _of_line(row: Mapping[str, Any], place: str) -> Question:
    if not row.get("id"):
        raise QuestionsError(f"{place} has no id, by which its reply is kept: give it one.")
    return _question(
        place, str(row.get("id", "")), row.get("question"), row.get("options"),
        row.get("answer_idx"), str(row.get("context") or ""),
    )  # fmt: skip


def _question(
    place: str, name: str, text: object, options: object, right: object, context: str = ""
) -> Question:
    """Raises `QuestionsError` for whatever could not be asked or scored."""
    texts = list(cast("Iterable[object]", options)) if isinstance(options, list | tuple) else []
    strings = tuple(each.strip() for each in texts if isinstance(each, str) and each.strip())
    fine = isinstance(text, str) and text.strip() and len(strings) == len(texts)
    if not fine or not 2 <= len(strings) <= len(LETTERS):
        raise QuestionsError(f"{place} has no question with options: mend it or take it out.")
    if type(right) is not int or not 0 <= right < len(strings):
        raise QuestionsError(f"{place} does not say which option is right.")
    return Question(name, str(text).strip(), strings, right, context.strip())


def _from_hub(name: str, wanted: HubSet) -> list[Question]:
    try:
        # Large, and not needed for questions from files.
        import datasets  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        raise QuestionsError(
            "Questions from the hub need `python -m pip install -r requirements-evaluation.txt`; "
            "or set MEDICAL_DATA to a folder that holds them."
        ) from None
    try:
        rows: Any = datasets.load_dataset(  # pyright: ignore
            wanted.name, wanted.config, split=wanted.split, revision=wanted.revision
        )
    except Exception as error:
        raise QuestionsError(
            f"{wanted.name} could not be had from the hub ({type(error).__name__}): look at the "
            "connection, or set MEDICAL_DATA to a folder that holds the questions."
        ) from None
    read = {"medqa": _medqa, "medmcqa": _medmcqa, "pubmedqa": _pubmedqa, "mmlu": _mmlu}[name]
    found: list[Question] = []
    for at, row in enumerate(cast("Iterable[Mapping[str, Any]]", rows)):
        tag = "-".join(part for part in (name, wanted.config, wanted.split, f"{at:05}") if part)
        if name != "medmcqa" or row["choice_type"] == "single":
            found.append(read(f"{wanted.name}, row {at},", tag, row))
    return found


def _medqa(place: str, tag: str, row: Mapping[str, Any]) -> Question:
    options = cast("Mapping[str, str]", row["options"])
    letters = sorted(options)
    right = letters.index(row["answer_idx"])
    return _question(place, tag, row["question"], [options[each] for each in letters], right)


def _medmcqa(place: str, tag: str, row: Mapping[str, Any]) -> Question:
    options = [row[name] for name in ("opa", "opb", "opc", "opd")]
    return _question(place, tag, row["question"], options, row["cop"])


def _pubmedqa(place: str, tag: str, row: Mapping[str, Any]) -> Question:
    words = ["yes", "no", "maybe"]
    context = "\n\n".join(row["context"]["contexts"])
    right = words.index(row["final_decision"])
    return _question(place, f"pubmedqa-{row['pubid']}", row["question"], words, right, context)


def _mmlu(place: str, tag: str, row: Mapping[str, Any]) -> Question:
    return _question(place, tag, row["question"], row["choices"], row["answer"])
