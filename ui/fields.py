"""A reply as fields, for programs: what the page says of it, without the page's markup.

Pure. Of a text that may be relied on as whole, and of one that may not, only one is ever filled:
`answer` and `partial`.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from backend.base import BackendInfo
from chat.conversation import ANSWER
from chat.events import EndReason
from chat.reply import Phase, Reply
from safety.finding import Finding
from safety.links import NIL, translated
from safety.notices import Notice, notices
from safety.numbers import regions, said
from ui import panels
from ui.panels import Message
from ui.run import Snapshot
from ui.words import Words

Ending = Literal[
    "finished",  # the answer is whole
    "length",  # the room ran out while the answer was written
    "stopped",  # by who asked
    "interrupted",  # it began, then broke
    "withheld",  # it said what is not passed on
    "empty",  # the model ended, or its room did, without an answer
    "failed",  # the model could not be had
    "fixed",  # no model was asked: the answer is a fixed text of ours
    "refused",  # no model was asked, and nothing was answered
]


class Number(TypedDict):
    """Whom to call."""

    number: str
    name: str


class Told(TypedDict):
    """A notice of an emergency or a crisis. To be shown above everything."""

    level: str
    language: str
    heading: str
    text: str
    numbers: list[Number]


class Figures(TypedDict):
    """None where a thing is not known, or not yet."""

    first_token_seconds: float | None
    tokens_per_second: float | None
    tokens: int | None
    seconds: float | None


class Fields(TypedDict):
    """One reply, at one moment."""

    ending: Ending | None
    """None while it goes on."""
    answer: str
    """The whole answer, or nothing."""
    partial: str
    """What there is of an answer that is being written, or that was never finished."""
    reasoning: str
    """Unverified working notes; empty where the owner has switched them off."""
    note: str
    """A sentence: what goes on now, or how it ended; empty where it is finished."""
    caution: str
    caveat: str
    disclaimer: str
    notices: list[Told]
    retry_after: int | None
    """Seconds after which a refused question may be asked again, where that is known."""
    left_out: int
    """How many questions, the oldest of `history`, the model was not given to read: too much."""
    model: str
    backend: str
    revision: str
    figures: Figures
    ref: str
    """What names the run in the owner's log; empty where there was none."""
    history: list[Message]
    """What to give back with the next question. Neither reasoning nor an unfinished answer."""


def unasked(
    words: Words,
    info: BackendInfo,
    finding: Finding,
    history: list[Message],
    note: str,
    retry_after: int | None = None,
) -> Fields:
    """A question that no model was asked, and why."""
    return {
        "ending": "refused",
        "answer": "",
        "partial": "",
        "reasoning": "",
        "note": note,
        "caution": "",
        "caveat": "",
        "disclaimer": words.DISCLAIMER,
        "notices": told(words, finding),
        "retry_after": retry_after,
        "left_out": 0,
        "model": info.model,
        "backend": info.name,
        "revision": info.revision,
        "figures": dict.fromkeys(Figures.__annotations__),  # type: ignore[typeddict-item]
        "ref": "",
        "history": history,
    }


def fixed(
    words: Words, info: BackendInfo, finding: Finding, history: list[Message], text: str
) -> Fields:
    """A reply that no model wrote; `history` has it already."""
    return {**unasked(words, info, finding, history, ""), "ending": "fixed", "answer": text}


def of(
    words: Words,
    snapshot: Snapshot,
    now: float,
    info: BackendInfo,
    finding: Finding,
    asked: list[Message],
    show_reasoning: bool = True,
) -> Fields:
    """A run at `now`, a reading of the reply's own clock. `asked` ends with the question."""
    reply, screened = snapshot.reply, snapshot.screened
    how = ending(snapshot)
    whole = how == "finished"
    note = panels.ending(words, snapshot) if how else going(words, reply, now)
    answer = translated(screened.answer, words.TAG)
    turn = panels.turn(words, snapshot, now, info) if whole else []
    caveat = words.unreliable(info) if info.unreliable and reply.answer and how else ""
    return {
        **unasked(words, info, finding, asked, note),
        "ending": how,
        "answer": plain(answer) if whole else "",
        "partial": "" if whole else plain(answer),
        "reasoning": plain(translated(screened.reasoning, words.TAG)) if show_reasoning else "",
        "caution": words.CAUTION if screened.caution else "",
        "left_out": reply.left_out,
        "caveat": caveat,
        "figures": {
            "first_token_seconds": reply.time_to_first_token,
            "tokens_per_second": reply.tokens_per_second,
            "tokens": reply.usage.completion_tokens,
            "seconds": None if reply.ended_at is None else reply.ended_at - reply.started,
        },
        "ref": snapshot.ref,
        "history": [*asked, *(m for m in turn if m["metadata"]["id"] == ANSWER)],
    }


def ending(snapshot: Snapshot) -> Ending | None:
    """How a run ended; None while it goes on."""
    reply = snapshot.reply
    if reply.phase is not Phase.ENDED:
        return None
    begun = bool(reply.answer or reply.reasoning)
    if snapshot.error is not None:
        return "interrupted" if begun else "failed"
    answered = bool(reply.answer.strip())
    match reply.end:
        case EndReason.WITHHELD:
            return "withheld"
        case EndReason.STOPPED:
            return "stopped"
        case EndReason.FINISHED:
            return "finished" if answered else "empty"
        case EndReason.LENGTH:
            return "length" if answered else "empty"
        case EndReason.UNKNOWN if not answered:
            return "empty"
        case _:
            return "interrupted" if begun else "failed"


def plain(text: str) -> str:
    """`text` of a screened reply without what disarms it as markup; its marks stay."""
    return text.replace(NIL, "")


def going(words: Words, reply: Reply, now: float) -> str:
    """The sentence for what goes on at `now`."""
    if reply.phase is Phase.WAITING:
        return words.waiting(reply.waiting, now - reply.started)
    seconds = reply.thought_for(now) or 0.0
    return words.thinking(seconds) if reply.phase is Phase.THINKING else words.thought(seconds)


def told(words: Words, finding: Finding) -> list[Told]:
    """The notices that `finding` calls for."""
    return [_told(notice) for notice in notices(finding, words.TAG)]


def _told(notice: Notice) -> Told:
    return {
        "level": notice.level.value,
        "language": notice.language,
        "heading": notice.heading,
        "text": " ".join(notice.sentences),
        # Those for somebody whose region is not known.
        "numbers": [
            {"number": line.number, "name": said(line.name, notice.language)}
            for line in notice.lines(regions()[0])
        ],
    }
