"""What can be done about a reply in one click, by how it ended."""

from __future__ import annotations

from typing import TypedDict

from backend.base import BackendInfo, Effort, Option, Options, TooLong
from chat.events import EndReason
from ui import words
from ui.run import Snapshot
from ui.terms import Terms

RETRY = "again"
RETRY_WITH_MORE = "more"
CONTINUE = "continue"
"""To have the answer gone on with from where it was cut off."""
OTHER = "other"
"""The choice of a new conversation."""
_EFFORT = "effort-"


class Choice(TypedDict):
    value: str
    label: str


AGAIN: Choice = {"value": RETRY, "label": words.AGAIN}
MORE: Choice = {"value": RETRY_WITH_MORE, "label": words.MORE_ROOM}
GO_ON: Choice = {"value": CONTINUE, "label": words.CONTINUE}


def choices(snapshot: Snapshot, info: BackendInfo, terms: Terms) -> list[Choice]:
    """Those offered under a reply that has ended, the most likely first."""
    reply, options = snapshot.reply, terms.options
    answered = bool(reply.answer.strip())
    if reply.end is EndReason.WITHHELD or isinstance(snapshot.error, TooLong):
        return []
    if reply.complete and snapshot.error is None:
        return _efforts(list(Effort), info, terms)
    go_on = [GO_ON] if answered and info.continues and not terms.alone else []
    if reply.end is not EndReason.LENGTH or snapshot.error is not None:
        return [*go_on, AGAIN]
    more = [MORE] if _can_grow(options, info) else []
    if answered:
        return [*go_on, *more] or [AGAIN]
    less = list(Effort)[: list(Effort).index(options.effort)]
    return [*(more or [AGAIN]), *_efforts(less, info, terms)]


def effort_of(value: object) -> str | None:
    """The effort that a choice of `_efforts` names, else None. Forged ones name anything."""
    named = str(value)
    return named.removeprefix(_EFFORT) if named.startswith(_EFFORT) else None


def _can_grow(options: Options, info: BackendInfo) -> bool:
    return Option.MAX_NEW_TOKENS in info.honours and options.max_new_tokens < info.max_new_tokens


def _efforts(efforts: list[Effort], info: BackendInfo, terms: Terms) -> list[Choice]:
    """Of `efforts`, those other than the reply was asked for with."""
    if terms.alone or Option.EFFORT not in info.honours:
        return []
    return [
        {"value": _EFFORT + each.value, "label": words.WITH_EFFORT[each]}
        for each in efforts
        if each is not terms.options.effort
    ]
