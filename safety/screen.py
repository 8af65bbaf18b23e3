"""What may be shown of one reply while it is being written.

Both of its texts, reasoning and answer alike, are held against the rules, disarmed as Markdown, and
their links and citations marked. Costs what is new, not what was there before.
"""

from __future__ import annotations

from dataclasses import dataclass

from safety.answer_rules import Kind, last_sentence, load
from safety.markdown import OUT, Neutraliser
from safety.watch import CONTEXT, Watch


@dataclass(frozen=True, slots=True)
class Screened:
    """A reply as it may be shown. Each text only ever grows, until one is withheld."""

    reasoning: str = ""
    answer: str = ""
    withheld: str | None = None
    """The rule because of which nothing of the reply is shown; then both texts are empty."""
    caution: bool = False
    """Whether the answer speaks of doses, or of changing a medicine."""


class Screen:
    """One reply. Not for two threads at once."""

    def __init__(self) -> None:
        self._reasoning = _Text()
        self._answer = _Text()
        self._caution = False
        self._recent = ""

    def read(self, reasoning: str, answer: str, ended: bool) -> Screened:
        """Look at the reply as it is now: both texts whole, each the last one and more."""
        passed = self._answer.read(answer, ended)
        self._reasoning.read(reasoning, ended)
        rule = self._answer.rule or self._reasoning.rule
        if rule is not None:
            return Screened(withheld=rule)
        if passed and not self._caution:
            recent = self._recent + passed
            self._caution = load()[Kind.CAUTION].judge(recent, ended=True).rule is not None
            self._recent = recent[max(last_sentence(recent), len(recent) - CONTEXT) :]
        return Screened(self._reasoning.shown, self._answer.shown, None, self._caution)


class _Text:
    def __init__(self) -> None:
        self._length = 0
        self._watch = Watch()
        self._markdown = Neutraliser()

    @property
    def rule(self) -> str | None:
        return self._watch.rule

    @property
    def shown(self) -> str:
        return self._markdown.text

    def read(self, text: str, ended: bool) -> str:
        """Returns what of `text` passed the rules just now."""
        new = text[self._length :].translate(OUT)
        self._length = len(text)
        passed = self._watch.take(new) if new else ""
        if ended:
            passed += self._watch.close()
        if passed:
            self._markdown.write(passed)
        if ended:
            self._markdown.close()
        return passed


def screened(reasoning: str, answer: str) -> Screened:
    """A whole reply."""
    return Screen().read(reasoning, answer, ended=True)
