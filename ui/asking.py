"""A question as a browser posts it: who asks, what a red flag in it calls for, how to answer."""

# Gradio's own annotations are partial.
# pyright: reportUnknownMemberType=false, reportPrivateImportUsage=false

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import gradio as gr

from backend.base import Backend, Busy, Effort, Options
from chat import estimate
from chat.conversation import Conversation, QuestionError
from safety.finding import Finding
from ui import alarm, asked, panels
from ui.asked import Asked
from ui.limits import NotNow
from ui.panels import Message
from ui.resuming import HEADER
from ui.run import Run
from ui.runs import Runs
from ui.terms import Terms
from ui.words import Words

log = logging.getLogger("medicalgpt.run")

KEEP = cast(Any, gr.skip())
"""An output that stays as it is."""


class NotAsked(Exception):
    """No model is asked. `shown` is the conversation as it stands instead, or `KEEP`.

    `why` is what the question was refused for; None where a fixed reply stands in `shown`.
    """

    def __init__(self, shown: Any, why: Exception | None = None) -> None:
        super().__init__()
        self.shown = shown
        self.why = why


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to answer, as posted: of any type and size."""

    effort: str
    length: float
    temperature: float

    def options(self) -> Options:
        """Raises `ValueError` and `OverflowError` for what is no setting."""
        effort, length = Effort(self.effort), int(self.length)
        return Options(
            effort=effort,
            max_new_tokens=length,
            temperature=float(self.temperature),
            shorten=True,
        )


@dataclass(frozen=True, slots=True)
class Started:
    """What a question set off. `above` is what stays above the replies."""

    runs: list[Run]
    above: list[Message]
    terms: Terms


class Asking:
    """What stands between a posted question and a model. Holds nothing of a visitor's.

    `words` are in the language of the page that asks.
    """

    def __init__(self, words: Words, backend: Backend, runs: Runs) -> None:
        self._words = words
        self._backend = backend
        self._runs = runs

    def busy(self, request: gr.Request) -> bool:
        """Whether a question of this open page is being answered, and looked at."""
        return any(not run.lost for run in self._runs.of(visitor(request)))

    def fixed(self, finding: Finding, history: list[Message]) -> list[Message] | None:
        """`history` with the reply that no model is asked for; None where one may be."""
        replied = alarm.reply(finding, history, self._backend.info.unreliable, self._words.TAG)
        if replied is not None:
            self._runs.counted.found(finding)
            kind, rules = finding.level.value, ",".join(finding.rules) or "earlier"
            log.info("run ref=%s ended=%s rules=%s", secrets.token_hex(4), kind, rules)
        return replied

    def banners(self, finding: Finding) -> tuple[Any, Any]:
        """The two notices as outputs: what was not found takes nothing away that stands there."""
        emergency, crisis = alarm.banners(finding, self._words.TAG)
        return emergency or KEEP, crisis or KEEP

    async def start(
        self, history: list[Message], wanted: Wanted, request: gr.Request, *, both: bool = False
    ) -> Started:
        """The runs for what `history` asks. Raises `NotAsked`.

        With `both` there are two, of the model with its adapter and without, each of which is told
        the question alone.
        """
        words, posed = self._words, asked.read(history)
        if posed is None or self.busy(request):
            raise NotAsked(KEEP)
        try:
            return await self._started(posed, wanted, request, both=both)
        except QuestionError as fault:
            raise NotAsked(
                _instead(words, posed, history, words.cannot_ask(fault)), fault
            ) from None
        except (NotNow, Busy) as refusal:
            if self.busy(request):  # a second click, come while the first question was being read
                raise NotAsked(KEEP) from None
            instead = _instead(words, posed, history, words.refusal(refusal), again=True)
            raise NotAsked(instead, refusal) from None
        except (ValueError, OverflowError) as fault:
            raise NotAsked(_instead(words, posed, history, words.BAD_REQUEST), fault) from None

    async def _started(
        self, posed: Asked, wanted: Wanted, request: gr.Request, *, both: bool
    ) -> Started:
        before = [] if both else panels.said(posed.before)
        conversation = await asyncio.to_thread(
            Conversation.from_untrusted, before, posed.question, posed.begun
        )
        finding = await look(posed.before, posed.question)
        # The page's own acts have put it there already; whoever posts to this one has not.
        if replied := self.fixed(finding, posed.so_far):
            raise NotAsked(replied)
        self._runs.counted.found(finding)
        options = wanted.options().within(self._backend.info)
        runs = self._runs.start(
            visitor(request),
            *(
                partial(self._backend.stream, conversation, replace(options, base=base))
                for base in ((False, True) if both else (False,))
            ),
            rules=finding.rules,
            key=_key(request),
            begun=conversation.begun,
        )
        read = None if both else estimate.prompt_tokens(conversation)
        return Started(runs, posed.above, Terms(options, read, datetime.now(UTC)))

    async def stop(self, request: gr.Request) -> None:
        """End what this open page asked. The page shows the end by itself."""
        for _ in range(5):  # the click may come before the run it means
            if runs := self._runs.of(visitor(request)):
                for run in runs:
                    run.cancel()
                return
            await asyncio.sleep(0.1)


async def look(history: list[Message], text: str) -> Finding:
    """What the rules find in `history` and in `text`, which is being asked."""
    # In a thread: of the longest conversations nobody else has to wait for the end.
    return await asyncio.to_thread(alarm.look, history, text)


def _instead(
    words: Words, posed: Asked, history: list[Message], sentence: str, again: bool = False
) -> list[Message]:
    """The conversation with why no model is asked; an answer that was cut keeps its mark."""
    if not posed.begun:
        return [*history, panels.refused(words, sentence, again)]
    return [*history[:-1], panels.refused(words, sentence, again, begun=True)]


def _key(request: gr.Request) -> str:
    """Who counts as one for the limits (`ui.visitors`)."""
    # Set by the guard: no address.
    return str(cast(Any, request).client.host)


def token(request: gr.Request) -> str:
    """By which the page may pick up the answer again (`ui.resuming`); empty where it sent none."""
    return str(cast(Any, request).headers.get(HEADER, ""))


def visitor(request: gr.Request) -> str:
    """One open page."""
    # Gradio's own name for it: random, made in the browser, told to nobody else.
    return str(request.session_hash)
