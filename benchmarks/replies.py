"""What the shipped adapter changes in the embedded model's replies, beside the base's own.

    python -m benchmarks.replies --keep replies.jsonl [--quick] [--only emergencies]

Needs MEDICAL_DATA. Both are asked the same questions with the same seeds, in the two stages that
the page uses: 100 questions of patients (MedQuAD), 100 of examinations (MedQA's dev set),
emergencies of our own (`evaluation/emergencies.txt`) and requests that must be refused. None was
trained on, and the emergencies are of kinds that none of the rows of training has.

It takes an hour on a small machine: every reply is kept in a file as it comes, and a second start
goes on from there. What is counted is the form and a few words; nobody judged whether it is right.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from backend.base import Options
from backend.embedded import EmbeddedBackend
from benchmarks.report import percentile, setting, share, table
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta
from evaluation.emergencies import FILE, sends_to_help
from evaluation.form import MARKER, circles
from evaluation.refusals import declines
from settings import Settings
from training.recipe import read_recipe
from training.rows import find, read_rows

SEED = 42
MODELS = {"base": "none", "adapter": "default"}
"""EMBEDDED_ADAPTER of each."""
ASKED = ("patients", "examinations")


@dataclass(frozen=True, slots=True)
class Question:
    kind: str
    text: str
    seed: int


@dataclass(slots=True)
class Reply:
    """What a model said. `ended` is the `EndReason`'s value."""

    model: str
    kind: str
    question: str
    reasoning: str = ""
    answer: str = ""
    ended: str = ""
    tokens: int = field(default=0)

    @property
    def well_formed(self) -> bool:
        """Both parts there, without a trace of harmony's markers in what is shown."""
        return all(part.strip() and not MARKER.search(part) for part in self.parts)

    @property
    def parts(self) -> tuple[str, str]:
        return self.reasoning, self.answer

    @property
    def cut_off(self) -> bool:
        return self.ended != EndReason.FINISHED.value

    @property
    def declines(self) -> bool:
        return declines(self.answer)

    @property
    def sends_to_help(self) -> bool:
        return sends_to_help(self.answer)

    @property
    def loops(self) -> bool:
        return any(circles(part) for part in self.parts)


def main() -> None:
    flags = argparse.ArgumentParser(prog="benchmarks.replies")
    flags.add_argument("--keep", type=Path, required=True, help="where replies are kept: JSONL")
    flags.add_argument("--quick", action="store_true", help="four questions of each kind")
    flags.add_argument("--only", metavar="KIND", help="the questions of one kind")
    given = flags.parse_args()
    questions = draw(4 if given.quick else None)
    questions = [each for each in questions if given.only in (None, each.kind)]
    replies = _kept(given.keep)
    for model, adapter in MODELS.items():
        done = {(reply.kind, reply.question) for reply in replies if reply.model == model}
        left = [each for each in questions if (each.kind, each.text) not in done]
        with given.keep.open("a", encoding="utf-8") as file:
            for number, reply in enumerate(_ask(model, adapter, left), 1):
                file.write(json.dumps(asdict(reply)) + "\n")
                file.flush()
                replies.append(reply)
                print(f"{model}: {number} of {len(left)}", file=sys.stderr, flush=True)
    print(report(questions, replies))


def draw(most: int | None = None) -> list[Question]:
    """The questions, by seed. Raises `training.rows.RowError` where the data is not there."""
    refusals = next(
        source
        for source in read_recipe(find("training/embedded.yaml")).data
        if "refusals" in source.name
    )
    trained = {row.question for row in read_rows(refusals, SEED)}
    emergencies = FILE.read_text("utf-8").splitlines()
    every = {
        "patients": (_questions("train/medquad_short.jsonl"), 100),
        "examinations": (_questions("eval/medqa_dev.jsonl"), 100),
        "emergencies": (emergencies, len(emergencies)),
        "requests to refuse": (
            [each for each in _questions(refusals.jsonl or "") if each not in trained],
            50,
        ),
    }
    return [
        Question(kind, text, seed)
        for kind, (texts, n) in every.items()
        for seed, text in enumerate(random.Random(SEED).sample(texts, most or n))  # noqa: S311
    ]


def _questions(name: str) -> list[str]:
    lines = find(name).read_text("utf-8").splitlines()
    return list(dict.fromkeys(json.loads(line)["question"] for line in lines))


def _kept(file: Path) -> list[Reply]:
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    return [Reply(**json.loads(line)) for line in lines]


def _ask(model: str, adapter: str, questions: Sequence[Question]) -> Iterator[Reply]:
    backend = EmbeddedBackend.from_settings(
        Settings(embedded_adapter="none" if adapter == "none" else "default")
    )
    try:
        for asked in questions:
            reply = Reply(model, asked.kind, asked.text)
            for event in backend.stream(Conversation.ask(asked.text), Options(seed=asked.seed)):
                match event:
                    case ReasoningDelta(text=text):
                        reply.reasoning += text
                    case AnswerDelta(text=text):
                        reply.answer += text
                    case Ended(reason=reason, usage=usage):
                        reply.ended = reason.value
                        reply.tokens = usage.completion_tokens or 0
                    case _:
                        pass
            yield reply
    finally:
        backend.close()


def report(questions: Sequence[Question], replies: Sequence[Reply]) -> str:
    """Markdown: the counts with 95 % intervals, the lengths, and ten answers side by side."""
    shares: dict[str, tuple[Sequence[str], Callable[[Reply], bool]]] = {
        "well-formed replies": (ASKED, lambda reply: reply.well_formed),
        "cut off at the page's 1,024 tokens": (ASKED, lambda reply: reply.cut_off),
        "in circles": (ASKED, lambda reply: reply.loops),
        "patients' questions declined, which should be none": (
            ("patients",),
            lambda reply: reply.declines,
        ),
        "requests to refuse, declined": (("requests to refuse",), lambda reply: reply.declines),
        "emergencies: the answer names emergency help": (
            ("emergencies",),
            lambda reply: reply.sends_to_help,
        ),
    }
    kinds = {each.kind for each in questions}
    rows = [
        (what, *_shares(replies, *asked)) for what, asked in shares.items() if kinds & {*asked[0]}
    ]
    if kinds & {*ASKED}:
        rows += [
            (f"{part}, words: median (10th to 90th in a hundred)", *_lengths(replies, part))
            for part in ("reasoning", "answer")
        ]
    parts = [setting(), table(("", *MODELS), rows)]
    return "\n\n".join([*parts, _side_by_side(questions, replies)] if kinds & {*ASKED} else parts)


def _shares(
    replies: Sequence[Reply], kinds: Sequence[str], is_so: Callable[[Reply], bool]
) -> list[str]:
    by_model = [[r for r in replies if r.model == model and r.kind in kinds] for model in MODELS]
    return [share(sum(map(is_so, each)), len(each)) for each in by_model]


def _lengths(replies: Sequence[Reply], part: str) -> list[str]:
    cells: list[str] = []
    for model in MODELS:
        told = [r for r in replies if r.model == model and r.kind in ASKED]
        words = [len(str(getattr(reply, part)).split()) for reply in told]
        low, high = percentile(words, 0.1), percentile(words, 0.9)
        cells.append(f"{median(words):.0f} ({low:.0f} to {high:.0f}), n = {len(words)}")
    return cells


def _side_by_side(questions: Sequence[Question], replies: Sequence[Reply]) -> str:
    asked = [each for each in questions if each.kind in ASKED]
    chosen = random.Random(SEED).sample(asked, min(10, len(asked)))  # noqa: S311
    answers = {(reply.model, reply.question): reply.answer for reply in replies}
    cells = [(each.text, *(answers[model, each.text] for model in MODELS)) for each in chosen]
    return table(("question", *MODELS), [[_cell(text) for text in row] for row in cells])


def _cell(text: str) -> str:
    return re.sub(r"\s*\n\s*", "<br>", text.strip()).replace("|", "\\|")


if __name__ == "__main__":
    main()
