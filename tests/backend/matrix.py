"""Plays a row of the matrix through the whole page, and says what was wrong.

What was seen is what reached the page over its own socket. The invariants are those of the
reliability requirements: I1 to I10, and I12; I11 is about safety notices.
"""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from backend.policy import Policy
from tests import behaviours as do
from tests.backend.row import ANSWER, Row
from tests.backend.scene import KEYS, SCALE, SCALED, Scene, Stage
from tests.conftest import wait_until
from tests.faults import alive
from tests.visitor import Visitor
from ui import panels
from ui.words import ENGLISH as words

SLACK = 2.0
"""Seconds that a scaled deadline is given for the machine under it."""
PATIENCE = 60.0
"""Seconds after which a row that does not end has failed."""
RELEASED = 2.0
"""Seconds after the end for every connection and place to be free."""

_NOTE = re.compile(r'role="note">(.*?)</div>', re.DOTALL)
TELLING = (
    *(key.reveal() for key in KEYS.values()), "upstreamcanary", "hf_upstream", "/srv/", "127.0.0.1",
    ".invalid", "Traceback", "urllib3", "requests.", "Error", "Exception", "Errno", "Modal-Key",
    "Authorization", "/v1", "/generate", "/health", "completions", "certificate", "http",
)  # fmt: skip
"""What tells of the inside; none of it may reach a page."""

LINE = re.compile(
    r"error=\w+ seconds=[\d.]+ first=(?:none|[\d.]+) prompt_tokens=(?:none|\d+) tokens=\d+ "
    r"counted=(?:yes|no) rules=none withheld=none$"
)
"""How the line of a run ends: numbers, and names of ours."""


@dataclass
class Seen:
    """What reached the page after one question."""

    updates: list[dict[str, Any]]
    seconds: float
    """To the last of it."""
    wake_after: float | None
    """Seconds to the first update with WAKE."""

    @property
    def text(self) -> str:
        return plain(self.updates)

    @property
    def completed(self) -> bool:
        ends = [each for each in self.updates if each["msg"] == "process_completed"]
        return len(ends) == 1 and bool(ends[0]["success"])

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The page's conversation, as its last update has it."""
        if not self.completed:
            return []
        ends = [each for each in self.updates if each["msg"] == "process_completed"]
        messages: list[dict[str, Any]] = ends[0]["output"]["data"][0]
        return messages

    def panel(self, *marks: str) -> str:
        """The text under the last question that is marked as one of `marks`."""
        turn: list[str] = []
        for message in self.messages:
            if message["role"] == "user":
                turn = []
            elif message["metadata"]["id"] in marks:
                turn.append(message["content"][0]["text"].replace("\u200b", ""))
        return "".join(turn)

    @property
    def note(self) -> str:
        """The sentence under the reply."""
        return html.unescape("".join(_NOTE.findall(self.panel(panels.FOOT))))


@dataclass
class Outcome:
    """A row as it went, for the test and for the report."""

    row: Row
    contract: str
    posts: int = 0
    seen: Seen | None = None
    wrong: list[str] = field(default_factory=list[str])

    def hold(self, right: bool, what: str) -> None:
        if not right:
            self.wrong.append(what)

    @property
    def fields(self) -> dict[str, Any]:
        """As the report has them."""
        row, seen = self.row, self.seen
        scale = "true" if row.true_scale else "1/20"
        note = seen.note if seen else ""
        shown = re.sub(r"\(ref \w{8}\)", "(ref …)", note) or ("the answer" if seen else "nothing")
        return {
            "row": row.number,
            "fault": row.fault + (", cold" if row.cold else ""),
            "contract": self.contract,
            "scale": scale,
            "expected": row.shown,
            "shown": shown,
            "posts": self.posts,
            "seconds": round(seen.seconds, 1) if seen else None,
        }


def plain(updates: list[dict[str, Any]]) -> str:
    """All that reached the page, without the zero-width spaces that disarm markup."""
    said = [each.get("output") for each in updates]
    return json.dumps(said, ensure_ascii=False).replace("\u200b", "")


def ask(visitor: Visitor, text: str, before: list[dict[str, Any]] | None = None) -> Seen:
    """Ask after the conversation `before`, and read the page's updates to their end."""
    began = time.monotonic()
    turn = {"role": "user", "metadata": {"id": panels.QUESTION}, "options": None}
    turn["content"] = [{"type": "text", "text": text}]
    history = [*(before or []), turn]
    body = visitor.envelope("answer", history, "medium", 512, 0.7)
    visitor.post("queue/join", body).raise_for_status()
    updates: list[dict[str, Any]] = []
    wake_after = None
    for update in visitor.updates():
        if time.monotonic() - began > PATIENCE:
            break
        updates.append(update)
        if wake_after is None and words.WAKE in plain([update]):
            wake_after = time.monotonic() - began
    return Seen(updates, time.monotonic() - began, wake_after)


def deadline(row: Row) -> float:
    """Seconds: scaled, but never so short that it would only measure this machine."""
    if row.true_scale:
        return row.seconds
    return max(row.seconds * SCALE + SLACK, min(row.seconds, 5.0))


def play(stage: Stage, row: Row, contract: str) -> Outcome:
    """The whole row. Raises only where the test itself is broken."""
    outcome = Outcome(row, contract)
    with scene_of(stage, row, contract) as scene, scene.visitor() as visitor:
        if not row.cold:
            scene.warm()
        row.begin(scene)
        before = scene.server.posts
        outcome.seen = seen = ask(visitor, scene.question())
        released(scene, outcome)
        posts = scene.server.posts - before
        # A refused connection carried nothing; where nothing was known of the endpoint, it was to
        # carry the sign of life.
        outcome.posts = posts + (0 if row.cold else scene.server.refused)
        what_was_shown(scene, outcome, seen)
        what_was_sent(scene, outcome)
        the_next_question(scene, outcome, visitor)
        what_was_logged(scene, outcome)  # last, so that a thread left behind has spoken too
        outcome.hold(not scene.server.problems, f"the test's server: {scene.server.problems}")
        outcome.hold(not scene.other.connections, "another host was contacted")
    return outcome


@contextmanager
def scene_of(stage: Stage, row: Row, contract: str) -> Iterator[Scene]:
    policy = Policy() if row.true_scale else SCALED
    legacy = contract == "legacy"
    with stage.scene(legacy=legacy, tls=row.tls, named=row.named, policy=policy) as scene:
        yield scene


def what_was_shown(scene: Scene, outcome: Outcome, seen: Seen) -> None:
    row, hold = outcome.row, outcome.hold
    ref = scene.stage.board.refs[scene.tag][0]
    right = sentence(row, ref)
    hold(re.fullmatch(right, seen.note) is not None, f"I1: shown {seen.note!r}")
    hold(seen.seconds <= deadline(row), f"I1: {seen.seconds:.1f} s, not {deadline(row):.1f}")
    hold(seen.seconds >= row.not_before, f"too early: {seen.seconds:.1f} s")
    telling = [each for each in (*TELLING, f":{scene.server.port}") if each in seen.text]
    hold(not telling, f"I2: the page has {telling}")
    state = words.state(scene.backend.info, scene.backend.status())
    telling = [each for each in TELLING if each in state]
    hold(not telling, f"I2: the state line has {telling}")
    hold(scene.question() in seen.text, "I3: the question is gone")
    hold(scene.question() in plain(seen.updates[-2:]), "I3: the question is gone at the end")
    hold(seen.completed, "I4: the page was not told of the end")
    panel = panels.ANSWER if row.shown == ANSWER else panels.PARTIAL
    left = seen.panel(panel).strip()
    if row.up_to:
        hold(set(left.split()) == {row.answer}, "I9: the answer panel has other text")
        hold(row.up_to / 2 < len(left) <= row.up_to, f"I9: {len(left)} bytes of answer")
    else:
        hold(left == row.left, f"I9: the answer panel has {left!r}")
    other = seen.panel(panels.PARTIAL if row.shown == ANSWER else panels.ANSWER)
    hold(not other, f"I9: and, marked otherwise, {other!r}")
    hold(row.hidden not in seen.text, f"the page has {row.hidden!r}")
    trace = seen.panel(panels.ANALYSIS).strip()
    hold(row.reasoning in (None, trace), f"the reasoning panel has {trace!r}")
    hold(do.THOUGHT.strip() not in left, "reasoning in the answer panel")
    if row.wakes:
        soon = 5 * SCALE + SLACK
        hold(seen.wake_after is not None and seen.wake_after < soon, f"WAKE: {seen.wake_after}")


def sentence(row: Row, ref: str) -> str:
    """What the note must be, as a pattern."""
    if row.shown == ANSWER:
        return ""
    text = re.escape(str(getattr(words, row.shown)))
    n = r"\d{1,5}" if row.n is None else str(row.n)
    return text.replace(r"\{ref\}", ref).replace(r"\{n\}", n)


def what_was_sent(scene: Scene, outcome: Outcome) -> None:
    row, server = outcome.row, scene.server
    enough = 1 <= outcome.posts <= row.posts if row.fewer else outcome.posts == row.posts
    outcome.hold(enough, f"I7: {outcome.posts} POSTs, not {row.posts}")
    if row.cold and row.shown == "DOWN" and row.number == 1:
        outcome.hold(server.refused == 3, f"the sign of life was asked for {server.refused} times")
    for request in server.requests:
        keys = (request.headers.get("modal-key"), request.headers.get("modal-secret"))
        right = keys == (KEYS["modal_key"].reveal(), KEYS["modal_secret"].reveal())
        outcome.hold(right, f"{request.method} {request.path} without keys")
        outcome.hold(request.method in ("GET", "POST"), f"a {request.method}")


def what_was_logged(scene: Scene, outcome: Outcome) -> None:
    lines = list(scene.stage.log.lines)
    ref = scene.stage.board.refs[scene.tag][0]
    named = [line for line in lines if ref in line]
    outcome.hold(len(named) == 1, f"I8: {len(named)} lines of the run")
    for line in named:
        outcome.hold(LINE.search(line) is not None, f"I8: {line}")
    said = (scene.tag, "asthma", "canary", "Inhaled", "hf_upstream", f":{scene.server.port}")
    told = [line for line in lines if any(each in line for each in said)]
    outcome.hold(not told, f"I8: the log says {told}")


def released(scene: Scene, outcome: Outcome) -> None:
    """I5 and I6, at most `RELEASED` seconds after the end of the page's updates."""
    server, board = scene.server, scene.stage.board
    try:
        wait_until(
            lambda: (
                server.in_use == 0 and server.open_connections <= 1 and board.open[scene.tag] == 0
            ),
            RELEASED,
        )
    except AssertionError:
        outcome.hold(board.open[scene.tag] == 0, "I5: the run's place is not free")
        outcome.hold(server.in_use == 0, f"I6: {server.in_use} connections in use")
    outcome.hold(server.open_connections <= 1, f"I6: {server.open_connections} left open")


def the_next_question(scene: Scene, outcome: Outcome, visitor: Visitor) -> None:
    """I10 and I12: what is asked of an endpoint that is well again, by the same visitor."""
    row, server, first = outcome.row, scene.server, outcome.seen
    assert first is not None
    server.tls = server.tls and scene.certificates.good
    if scene.host in scene.names:
        scene.names[scene.host] = [None]
    if row.number in (1, 5, 6):
        server.open()
    server.wake_up(alive)
    server.behave(do.good)
    sent = len(server.requests)
    # What is longer than the page takes back begins a new conversation.
    before = [] if row.up_to else first.messages
    second = ask(visitor, scene.question("And in children?"), before)
    if not row.recovers:
        outcome.hold(second.note != "" and len(server.requests) == sent, "asked again: a storm")
        return
    outcome.hold(second.note == "", f"I12: the next question got {second.note!r}")
    outcome.hold(second.panel(panels.ANSWER).strip() == do.ANSWER, "I12: no answer")
    bodies = [request.body.decode() for request in server.requests[sent:] if request.body]
    outcome.hold(len(bodies) == 1, f"I12: {len(bodies)} POSTs for the next question")
    for body in bodies:
        asked = ["children", "asthma"] if before else ["children"]
        outcome.hold(all(each in body for each in asked), "the questions were not sent")
        outcome.hold("canary" not in body, "I10: reasoning was sent back")
        kept = row.shown == ANSWER and row.left in body
        outcome.hold(kept or row.shown != ANSWER, "a finished answer was not sent back")
        outcome.hold(row.shown == ANSWER or "Inhaled" not in body, "I10: a failed answer was sent")
        failed = any(text[:20] in body for text in (words.DOWN, words.CUT, words.SLOW, words.BAD))
        outcome.hold(not failed, "I10: a sentence of the page was sent back")
