"""The rows of the acceptance matrix that are about visitors: many, leaving, stopping.

They run over the same page and the same fault server as `test_matrix.py`.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import pytest

from tests import behaviours as do
from tests.backend.conftest import Tell
from tests.backend.matrix import Seen, ask, plain
from tests.backend.reply_rows import BEGUN
from tests.backend.scene import Scene, Stage
from tests.behaviours import ROLE, THINKS, delta
from tests.conftest import wait_until
from tests.faults import Behaviour, alive
from tests.visitor import Visitor
from ui import panels
from ui.words import ENGLISH as words

CONTRACTS = pytest.mark.parametrize("contract", ["openai", "legacy"])
SOON = 2.0
"""Seconds for a stop or a closed tab to end the request at the endpoint."""


def together(count: int, act: Callable[[int, Visitor], Any], scene: Scene) -> list[Any]:
    """What `act` gives for each of so many visitors, who all begin at once."""
    ready = threading.Barrier(count)

    def one(number: int) -> Any:
        with scene.visitor() as visitor:
            ready.wait(60.0)
            return act(number, visitor)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


# --- 18: an outage -----------------------------------------------------------------------------


@CONTRACTS
def test_fifty_visitors_in_an_outage_make_no_storm(
    contract: str, theatre: Stage, tell: Tell
) -> None:
    users = 50
    with theatre.scene(legacy=contract == "legacy") as scene:
        scene.warm()
        scene.server.behave(do.status(503))
        seen: list[Seen] = together(users, lambda n, v: ask(v, scene.question()), scene)
        notes = {re.sub(r"ref \w{8}", "ref …", each.note) for each in seen}
        tell(18, f"503 for ever, {users} users", "DOWN", " ".join(notes), scene.server.posts)
        assert notes == {words.DOWN.format(ref="…")}
        assert scene.server.posts <= 1.2 * users + 10
        assert all(each.completed and each.seconds <= 5.0 for each in seen)
        wait_until(lambda: scene.server.in_use == 0, SOON)
        scene.server.behave(do.good)
        time.sleep(1.0)  # the circuit, 15 s scaled
        with scene.visitor() as visitor:
            assert ask(visitor, scene.question()).panel(panels.ANSWER).strip() == do.ANSWER
        assert not scene.server.problems


# --- 74 and 75: stopping and leaving -----------------------------------------------------------

PAUSE = do.after(0.05, lambda exchange: None)
TALK: list[do.Part] = [delta(content="word "), PAUSE] * 400
HALF_JSON = do.stream(b'{"response": "Final:', do.never, kind="application/json")

STATES: dict[str, tuple[Behaviour, str]] = {
    "no headers": (do.never, ""),
    "a stall": (do.either(do.stream(*BEGUN, do.never), HALF_JSON), "Inhaled"),
    "comments": (do.either(do.stream(ROLE, THINKS, do.comments(0.2)), HALF_JSON), "wheeze"),
    "streaming": (do.either(do.stream(ROLE, THINKS, *TALK), HALF_JSON), "word word"),
}


def begun(updates: Iterator[dict[str, Any]], scene: Scene, having: str) -> list[dict[str, Any]]:
    """The updates until the endpoint is at work, and `having` is on the page."""
    seen: list[dict[str, Any]] = []
    for update in updates:
        seen.append(update)
        if scene.server.in_use and (scene.server.legacy or having in plain(seen)):
            return seen
    raise AssertionError("it ended before it was stopped")


@CONTRACTS
@pytest.mark.parametrize("state", [*STATES, "waking"])
def test_stop_ends_the_request_at_the_endpoint(
    state: str, contract: str, theatre: Stage, tell: Tell
) -> None:
    behaviour, having = STATES.get(state, (do.good, ""))
    with theatre.scene(legacy=contract == "legacy") as scene, scene.visitor() as visitor:
        if state == "waking":
            scene.server.wake_up(do.never)
        else:
            scene.warm()
        scene.server.behave(behaviour)
        updates = visitor.ask(scene.question())
        seen = begun(updates, scene, having)
        stopped = time.monotonic()
        visitor.stop()
        whole = Seen([*seen, *updates], time.monotonic() - stopped, None)
        wait_until(lambda: scene.server.in_use == 0, SOON)
        posts = 0 if state == "waking" else 1
        begun_to_answer = contract == "openai" and state in ("a stall", "streaming")
        code = "STOPPED" if begun_to_answer else "STOPPED_EARLY"
        tell(74, f"Stop: {state}", code, whole.note, scene.server.posts)
        assert theatre.board.open[scene.tag] == 0
        assert whole.seconds <= SOON
        assert time.monotonic() - stopped <= SOON
        assert whole.completed
        assert whole.note == getattr(words, code)
        assert bool(whole.panel(panels.PARTIAL)) is begun_to_answer
        assert scene.server.posts == posts
        the_next_is_answered(scene, visitor)


@CONTRACTS
@pytest.mark.parametrize("state", STATES)
def test_a_closed_tab_ends_the_request_at_the_endpoint(
    state: str, contract: str, theatre: Stage, tell: Tell
) -> None:
    behaviour, having = STATES[state]
    with theatre.scene(legacy=contract == "legacy") as scene:
        scene.warm()
        scene.server.behave(behaviour)
        with scene.visitor() as visitor:
            updates = visitor.ask(scene.question())
            begun(updates, scene, having)
            updates.close()  # pyright: ignore[reportAttributeAccessIssue]
        closed = time.monotonic()
        wait_until(lambda: theatre.board.open[scene.tag] == 0 and not scene.server.in_use, SOON)
        took = time.monotonic() - closed
        tell(75, f"tab closed: {state}", "closed in 2 s", f"{took:.1f} s", scene.server.posts)
        assert scene.server.posts == 1
        with scene.visitor() as visitor:
            the_next_is_answered(scene, visitor)


def the_next_is_answered(scene: Scene, visitor: Visitor) -> None:
    scene.server.wake_up(alive)
    scene.server.behave(do.good)
    assert ask(visitor, scene.question()).panel(panels.ANSWER).strip() == do.ANSWER
    assert not scene.server.problems


# --- 76 and 77: one visitor at once, and many at once ------------------------------------------


@CONTRACTS
def test_five_clicks_are_one_question(contract: str, theatre: Stage, tell: Tell) -> None:
    with theatre.scene(legacy=contract == "legacy") as scene, scene.visitor() as visitor:
        scene.warm()
        scene.server.behave(do.after(0.5, do.good))
        question = visitor.question(scene.question())
        for _ in range(5):
            visitor.post("queue/join", question).raise_for_status()
        updates = list(visitor.updates())
        ends = [each for each in updates if each["msg"] == "process_completed"]
        answered = [each for each in ends if do.ANSWER in plain([each])]
        tell(76, "5 clicks", "1 answer", f"{len(answered)} answer", scene.server.posts)
        assert scene.server.posts == 1
        assert len(ends) == 5
        assert len(answered) == 1
        assert "note-failed" not in plain(updates)


@CONTRACTS
def test_fifty_sessions_see_nothing_of_each_other(
    contract: str, theatre: Stage, tell: Tell
) -> None:
    sessions = 50
    marks = [f"markcanary{n}x" for n in range(sessions)]
    with theatre.scene(legacy=contract == "legacy") as scene:
        scene.warm()
        scene.server.behave(do.echo)

        def talk(number: int, visitor: Visitor) -> list[Seen]:
            first = ask(visitor, f"[{scene.tag}] First {marks[number]}")
            return [first, ask(visitor, f"[{scene.tag}] Again {marks[number]}", first.messages)]

        talks: list[list[Seen]] = together(sessions, talk, scene)
        foreign = [
            other
            for mark, seen in zip(marks, talks, strict=True)
            for other in marks
            if other != mark and other in plain(list(chain(*(each.updates for each in seen))))
        ]
        tell(77, f"{sessions} sessions, 2 questions each", "0 marks of others",
             f"{len(foreign)} marks of others", scene.server.posts)  # fmt: skip
        assert foreign == []
        for mark, seen in zip(marks, talks, strict=True):
            for each in seen:
                assert each.panel(panels.ANSWER).rstrip().endswith(f"{do.ANSWER} {mark}")
        assert scene.server.posts == 2 * sessions
        assert not [line for line in theatre.log.lines if "markcanary" in line]
        wait_until(lambda: scene.server.in_use == 0, SOON)
        assert not scene.server.problems
