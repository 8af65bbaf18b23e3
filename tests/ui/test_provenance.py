"""Of what a reply was made travels with it, as markup that nothing breaks out of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

from backend.base import BackendInfo, Effort, Option, Options
from chat.events import AnswerDelta, Ended, EndReason
from chat.reply import Reply
from safety.screen import screened
from ui import panels
from ui.provenance import Provenance
from ui.run import Snapshot
from ui.terms import Terms
from ui.words import ENGLISH as words

INFO = BackendInfo("test", "Tiny-1", "r1+r2", 1_000, 500, frozenset(Option), adapter="lora@r2")
MADE = Provenance(
    Options(Effort.HIGH, max_new_tokens=9_000, temperature=0.0),
    datetime(2026, 11, 26, 10, 2, 3, tzinfo=UTC),
)


class Foot(HTMLParser):
    """The attributes of the outermost element, and the names of all."""

    def __init__(self, foot: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, str | None] = {}
        self.feed(foot)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes = self.attributes or dict(attrs)
        self.tags.append(tag)


def foot(info: BackendInfo, reason: EndReason, answer: str = "Rest.") -> Foot:
    reply = Reply(started=0.0).apply(AnswerDelta(answer), 1.0).apply(Ended(reason), 2.0)
    snapshot = Snapshot(reply, None, "0a1b2c3d", screened("", answer))
    shown = panels.turn(words, snapshot, 3.0, info, terms=Terms(MADE.options, asked=MADE.asked))
    return Foot(panels.history(shown)[-1]["content"][0]["text"])  # it survives the way back


def test_the_foot_has_the_model_the_settings_the_time_and_the_ending() -> None:
    assert foot(INFO, EndReason.FINISHED).attributes == {
        "class": "foot foot-finished",
        "data-ended": "finished",
        "data-asked": "2026-11-26T10:02:03Z",
        "data-model": "Tiny-1",
        "data-revision": "r1+r2",
        "data-adapter": "lora@r2",
        "data-effort": "high",
        "data-length": "500",  # what was asked for within what the model allows
        "data-temperature": "0",
    }


def test_endings_that_look_alike_are_told_apart() -> None:
    ends = [(EndReason.LENGTH, "Rest."), (EndReason.LENGTH, " "), (EndReason.INTERRUPTED, "Rest.")]
    ended = [foot(INFO, *each).attributes["data-ended"] for each in ends]
    assert ended == ["length", "length", "interrupted"]


def test_a_setting_that_is_not_honoured_is_not_named_and_a_name_is_only_a_name() -> None:
    hostile = '"><script>\n\n![a](https://x.y)'
    made = foot(replace(INFO, model=hostile, honours=frozenset()), EndReason.FINISHED)
    assert set(made.tags) == {"div"}
    assert made.attributes["data-model"] == '"><script> ![a](https://x.y)'
    assert not {"data-effort", "data-length", "data-temperature"} & set(made.attributes)
