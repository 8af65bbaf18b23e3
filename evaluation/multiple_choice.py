"""Multiple choice: how a question is put, and whether the option that is read is the right one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.asked import Asked, Item, Score, unscored
from evaluation.form import CUT, Reply
from evaluation.questions import BANKS, Question, draw, read_bank
from evaluation.reading import LETTERS, NAMED, read_option

NAMES = tuple(BANKS)
CUT_BEFORE = "cut off before it chose"
PROMPT = """{context}{question}

{options}

Which option is right? Begin your answer with its letter, in the form "ANSWER: X", and then say \
why in one sentence."""


def ask(name: str, folder: Path | None, seed: int, n: int) -> Asked:
    """The task `name` with `n` questions drawn by `seed`. Raises `QuestionsError`."""
    read = read_bank(name, folder)
    items = tuple(_item(each) for each in draw(read.questions, seed, n))
    return Asked(name, items, read.data, score)


def score(facts: Mapping[str, Any], reply: Reply, safety: Mapping[str, Any]) -> Score:
    """1 for the right option, 0 for another, and unscored where none can be read.

    The one option that is named in a reply that was cut off may be the first of several to be
    weighed: that is unscored too.
    """
    if (none := unscored(reply, safety)) is not None:
        return none
    read = read_option(reply.answer, facts["options"])
    if read.option is None:
        return Score(None, read.why)
    if read.how == NAMED and reply.ended == CUT:
        return Score(None, CUT_BEFORE)
    return Score(float(read.option == facts["right"]), read=f"{LETTERS[read.option]} {read.how}")


def _item(question: Question) -> Item:
    options = "\n".join(f"{LETTERS[at]}. {text}" for at, text in enumerate(question.options))
    context = f"{question.context}\n\n" if question.context else ""
    prompt = PROMPT.format(context=context, question=question.text, options=options)
    return Item(
        question.id, prompt, facts={"options": list(question.options), "right": question.right}
    )
