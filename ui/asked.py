"""What a posted conversation asks for: an answer to its last question, or the rest of one.

The rest is asked for by a foot that says so, below an answer that was cut off. Like all that is
posted, it may be forged: what is gone on with is text of the browser's, and nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass

from safety.links import without_marks
from ui import panels
from ui.panels import Message
from ui.words import Words


@dataclass(frozen=True, slots=True)
class Asked:
    """`above` is what stays above the reply that is to come, the question included."""

    before: list[Message]
    above: list[Message]
    begun: str = ""

    @property
    def question(self) -> str:
        return self.asked["content"][0]["text"]

    @property
    def asked(self) -> Message:
        return self.above[len(self.before)]

    @property
    def so_far(self) -> list[Message]:
        """The conversation with its last question, and nothing that was replied to that."""
        return [*self.before, self.asked]


def read(history: list[Message]) -> Asked | None:
    """None where nothing is asked."""
    questions = [at for at, message in enumerate(history) if message["role"] == "user"]
    if not questions:
        return None
    before, marks = history[: questions[-1]], [m["metadata"]["id"] for m in history]
    if questions[-1] == len(history) - 1:
        return Asked(before, history)
    if marks[-2:] != [panels.PARTIAL, panels.GOING] or history[-2]["metadata"].get("title"):
        return None
    begun = "\n".join(part["text"] for part in history[-2]["content"])
    return Asked(before, history[:-2], without_marks(begun))


def to_go_on(words: Words, history: list[Message]) -> list[Message]:
    """`history`, which ends with the foot of an answer that was cut off, asking for the rest of it;
    as it is where it does not end so."""
    answers = [at for at, m in enumerate(history) if m["metadata"]["id"] == panels.PARTIAL]
    feet = {m["metadata"]["id"] for m in history[answers[-1] + 1 :]} if answers else set[str]()
    if feet != {panels.FOOT}:
        return history
    return [*history[: answers[-1] + 1], panels.going_on(words.GOING_ON)]
