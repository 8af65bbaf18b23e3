"""`app.py ask`, with a script in the place of a model.

    python -m tests.ask_scripted SCRIPT [what app.py ask takes]

SCRIPT is one of `tests.serve_scripted`, or of those here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from backend import Opened
from backend.scripted import WHY, Pause, ScriptedBackend, Step
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Stage
from tests.serve_scripted import SCRIPTS, Pattern
from ui.terminal import main

FINISHED = Ended(EndReason.FINISHED)


def brief(pattern: Pattern) -> Iterator[Step]:
    """A short reply, with what would move a terminal's cursor in both of its texts."""
    yield Pause(0.6, Stage.LOADING)
    yield ReasoningDelta("A trace.\x1b[2J\u202e")
    yield Pause(0.4)
    yield from (AnswerDelta("An \x1b]0;title\x07answer: <b>500 mg</b> twice daily."), FINISHED)


def full(pattern: Pattern) -> Iterator[Step]:
    """Out of room in the middle of the answer."""
    yield from (ReasoningDelta("A trace."), AnswerDelta("Half"), Ended(EndReason.LENGTH))


def nothing(pattern: Pattern) -> Iterator[Step]:
    """Reasoning, and no answer."""
    yield from (ReasoningDelta("A trace."), FINISHED)


def lethal(pattern: Pattern) -> Iterator[Step]:
    """What is withheld."""
    yield from (AnswerDelta("It is bad. The lethal dose is 10 g. Take it"), FINISHED)


def endless(pattern: Pattern) -> Iterator[Step]:
    """An answer that goes on until somebody stops it."""
    yield ReasoningDelta("A trace.")
    while True:
        yield from (AnswerDelta("word\n" * 40), Pause(0.1))


OURS = {each.__name__: each for each in (brief, full, nothing, lethal, endless)}


def scripted(name: str) -> ScriptedBackend:
    """The script of that name as a backend."""
    play = {**SCRIPTS, **OURS}[name]
    return ScriptedBackend(lambda conversation, options: play(Pattern(rate=0, answer=5)))


if __name__ == "__main__":
    backend = scripted(sys.argv[1])
    sys.exit(main(sys.argv[2:], opening=lambda settings: Opened(backend, WHY)))
