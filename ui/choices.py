"""What can be done about a reply in one click, by how it ended."""

from __future__ import annotations

from typing import TypedDict

from backend.base import BackendInfo, Effort, Option, Options, TooLong
from chat.events import EndReason
from ui.run import Snapshot
from ui.terms import Terms
from ui.words import Words

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


def again(words: Words) -> Choice:
    return {"value": RETRY, "label": words.AGAIN}


def go_on(words: Words) -> Choice:
    return {"value": CONTINUE, "label": words.CONTINUE}


def choices(words: Words, snapshot: Snapshot, info: BackendInfo, terms: Terms) -> list[Choice]:
    """Those offered under a reply that has ended, the most likely first."""
    reply, options = snapshot.reply, terms.options
    answered = bool(reply.answer.strip())
    if reply.end is EndReason.WITHHELD or isinstance(snapshot.error, TooLong):
        return []
    if reply.complete and snapshot.error is None:
        return _efforts(words, list(Effort), info, terms)
    onward = [go_on(words)] if answered and info.continues and not terms.alone else []
    if reply.end is not EndReason.LENGTH or snapshot.error is not None:
        return [*onward, again(words)]
    larger: Choice = {"value": RETRY_WITH_MORE, "label": words.MORE_ROOM}
    more = [larger] if _can_grow(options, info) else []
    if answered:
        return [*onward, *more] or [again(words)]
    less = list(Effort)[: list(Effort).index(options.effort)]
    return [*(more or [again(words)]), *_efforts(words, less, info, terms)]


def effort_of(value: object) -> str | None:
    """The effort that a choice of `_efforts` names, else None. Forged ones name anything."""
    named = str(value)
    return named.removeprefix(_EFFORT) if named.startswith(_EFFORT) else None


def _can_grow(options: Options, info: BackendInfo) -> bool:
    return Option.MAX_NEW_TOKENS in info.honours and options.max_new_tokens < info.max_new_tokens


def _efforts(words: Words, efforts: list[Effort], info: BackendInfo, terms: Terms) -> list[Choice]:
    """Of `efforts`, those other than the reply was asked for with."""
    if terms.alone or Option.EFFORT not in info.honours:
        return []
    return [
        {"value": _EFFORT + each.value, "label": words.WITH_EFFORT[each]}
        for each in efforts
        if each is not terms.options.effort
    ]
