"""Holds a text against the rules while it grows, and passes on what may be shown of it."""

from __future__ import annotations

import re

from safety.answer_rules import Kind, last_sentence, load

WITHHELD = "This reply is withheld: it spoke of an amount or a way that can kill."
"""For the clients of an endpoint; the page has words of its own."""
CONTEXT = 600
"""Characters of a sentence that are looked back on."""
MOST_HELD = 600
"""Characters that may wait for the end of a sentence that could still be excused."""

# What stands unseen in a word would hide it from the rules, and from nobody else.
_UNSEEN = dict.fromkeys((0xAD, 0x34F, 0x180E, 0x200B, *range(0x2060, 0x2065), 0xFEFF))
_JOINERS = re.compile("(?<=[A-Za-z])[\u200c\u200d]+(?=[A-Za-z]|$)")
# A number at the end, with half of its unit, or half of a word: what it says, its end decides.
_OPEN = re.compile(r"(?:\d[\d.,\s*_–-]{0,20})?[^\W\d_]{0,30}(?:\s?/\s?\w{0,9})?$")


class Watch:
    """One text, such as an answer being streamed.

    What it passes on has been held against the rules as it stands: no rule fires on it, also
    where the pieces end in the middle of a number. Once a rule has fired, nothing comes any more.
    """

    def __init__(self) -> None:
        self.rule: str | None = None
        """The rule that fired; from then on the whole text is not to be shown."""
        self._rules = load()[Kind.WITHHOLD]
        self._text = ""
        self._passed = 0

    def take(self, piece: str) -> str:
        """What may be shown now that `piece` has come."""
        last = self._text[-1:]
        piece = (last + piece).translate(_UNSEEN)
        self._text += _JOINERS.sub("", piece)[len(last) :]
        return self._pass(ended=False)

    def close(self) -> str:
        """What is left; nothing follows."""
        return self._pass(ended=True)

    def _pass(self, ended: bool) -> str:
        if self.rule is not None:
            return ""
        text, passed = self._text, self._passed
        end = len(text)
        if self._rules.may_fire(text):
            if not ended and (half := _OPEN.search(text, max(passed, end - 80))):
                end = half.start()
            verdict = self._rules.judge(text[:end], ended)
            if verdict.open and end - passed > MOST_HELD:
                verdict = self._rules.judge(text[:end], ended=True)
            self.rule = verdict.rule
            if self.rule is not None:
                self._text = ""
                return ""
            if verdict.open:
                end = passed
        first = max(0, end - CONTEXT, last_sentence(text[:end]))
        self._text, self._passed = text[first:], end - first
        return text[passed:end]


def withheld(reasoning: str, answer: str) -> str | None:
    """The rule because of which a whole reply is not passed on, if there is one."""
    rules = load()[Kind.WITHHOLD]
    return next(filter(None, (rules.judge(text, True).rule for text in (answer, reasoning))), None)
