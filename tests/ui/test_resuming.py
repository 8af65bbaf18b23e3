"""A run whose connection was lost: who may pick it up, how long it waits, and when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from backend.base import Options
from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Stage
from tests.conftest import Serve, wait_until
from tests.ui.test_run import ASKED, several
from tests.visitor import Visitor, shown
from ui.panels import ALONE
from ui.resuming import Place, Resuming
from ui.words import ENGLISH as words

Visit = Callable[[str], Visitor]
CANARY = "canary-4c1d"


def answering(seconds: float = 60.0) -> ScriptedBackend:
    """Says one word, and another after so long."""
    steps: list[Step] = [AnswerDelta(f"{CANARY} "), Pause(seconds), AnswerDelta("whole")]
    return ScriptedBackend(lambda conversation, options: [*steps, Ended(EndReason.FINISHED)])


def lose(one: Visitor, until: str = CANARY) -> None:
    """Ask, and lose the connection without a word once `until` is shown."""
    one.token = one.token or secrets.token_hex(32)
    updates = one.ask("What is a stroke?")
    assert any(until in shown([update]) for update in updates)
    updates.close()  # type: ignore[attr-defined]


def foot(updates: Iterator[dict[str, Any]]) -> str:
    """All that is shown, to the end."""
    return shown(list(updates))


def test_an_answer_goes_on_without_its_page_and_is_picked_up_by_who_has_the_token(
    serve: Serve, visitor: Visit
) -> None:
    backend = answering(2.5)
    address = serve(backend)
    first, again = visitor(address), visitor(address)
    lose(first)
    time.sleep(1.2)
    assert backend.open == 1
    again.token = first.token
    received = foot(again.resume())
    assert CANARY in received
    assert "whole" in received
    assert "foot-finished" in received
    assert len(backend.asked) == 1


@pytest.mark.parametrize("forge", [
    lambda token: secrets.token_hex(32),
    lambda token: token.upper() if token.upper() != token else "A" * 64,
    lambda token: token[:-1],
    lambda token: "",
])  # fmt: skip
def test_any_other_token_gets_nothing_and_ends_nothing(
    serve: Serve, visitor: Visit, forge: Callable[[str], str]
) -> None:
    backend = answering()
    address = serve(backend)
    first, other = visitor(address), visitor(address)
    lose(first)
    other.token = forge(first.token)
    received = foot(other.resume())
    assert CANARY not in received
    assert words.LOST_CUT in received
    assert other.gone().status_code == 204
    time.sleep(1.0)
    assert backend.open == 1


def test_after_its_time_it_is_ended_and_nobody_gets_anything(serve: Serve, visitor: Visit) -> None:
    backend = answering()
    one = visitor(serve(backend, resume_seconds=1))
    lose(one)
    time.sleep(0.5)
    assert backend.open == 1
    wait_until(lambda: backend.open == 0, 2.0)
    received = foot(one.resume())
    assert CANARY not in received
    assert words.LOST_CUT in received


@pytest.mark.parametrize(("token", "seconds"), [("", 120), (None, 0)])
def test_without_a_token_or_where_it_is_switched_off_a_lost_connection_ends_it_at_once(
    serve: Serve, visitor: Visit, token: str | None, seconds: int
) -> None:
    backend = answering()
    one = visitor(serve(backend, resume_seconds=seconds))
    one.token = secrets.token_hex(32) if token is None else token
    updates = one.ask("What is a stroke?")
    assert any(CANARY in shown([update]) for update in updates)
    updates.close()  # type: ignore[attr-defined]
    wait_until(lambda: backend.open == 0, 1.0)


def test_an_answer_that_ended_meanwhile_waits_until_the_page_has_it(
    serve: Serve, visitor: Visit
) -> None:
    backend = answering(0.5)
    one = visitor(serve(backend))
    lose(one)
    wait_until(lambda: backend.open == 0, 2.0)
    assert "foot-finished" in foot(one.resume())
    # The last words may have been lost on the way: only the page's word ends it.
    assert "foot-finished" in foot(one.resume())
    one.gone()
    received = foot(one.resume())
    assert CANARY not in received
    assert words.LOST_CUT in received


STATES: dict[str, list[Step]] = {
    "Reaching the model": [Pause(60, Stage.CONNECTING)],
    "Thinking": [ReasoningDelta("Hmm."), Pause(60)],
    "half": [AnswerDelta("half"), Pause(60)],
}


@pytest.mark.parametrize("lost", [False, True], ids=["watched", "lost"])
@pytest.mark.parametrize("state", STATES)
def test_a_page_that_says_it_is_closed_ends_its_answer_within_a_second(
    serve: Serve, visitor: Visit, state: str, lost: bool
) -> None:
    backend = ScriptedBackend(lambda conversation, options: STATES[state])
    one = visitor(serve(backend))
    one.token = secrets.token_hex(32)
    updates = one.ask("What is a stroke?")
    assert any(state in shown([update]) for update in updates)
    if lost:
        updates.close()  # type: ignore[attr-defined]
        time.sleep(0.7)
    began = time.monotonic()
    assert one.gone().status_code == 204
    wait_until(lambda: backend.open == 0, 2.0)
    assert backend.closed_at[0] - began < 1.0
    assert one.gone().status_code == 204


def test_so_does_one_that_waits_in_the_queue_or_is_closed_before_its_question_came(
    serve: Serve, visitor: Visit
) -> None:
    backend = answering()
    address = serve(backend, max_concurrent_chats=1)
    first, second, early = visitor(address), visitor(address), visitor(address)
    lose(first)
    lose(second, "You are next")
    early.token = secrets.token_hex(32)
    assert early.gone().status_code == 204
    assert "foot-stopped" in foot(early.ask("What is a stroke?"))
    second.gone()
    first.gone()
    wait_until(lambda: backend.open == 0, 1.0)
    time.sleep(0.5)
    assert len(backend.asked) == 1


def test_who_comes_back_and_asks_anew_is_not_kept_out_by_what_was_lost(
    serve: Serve, visitor: Visit
) -> None:
    backend = answering(2.0)
    address = serve(backend, trusted_proxies=1, max_concurrent_chats=1)
    first, again, beside = visitor(address), visitor(address), visitor(address)
    for each in (first, again, beside):
        each.http.headers["x-forwarded-for"] = "192.0.2.7"
    lose(first)
    time.sleep(0.7)  # the server notices within half a second
    asked = again.ask("And an aneurysm?")
    assert any(CANARY in shown([update]) for update in asked)
    # What is looked at still is in the way.
    assert words.ONE_AT_A_TIME in foot(beside.ask("And a tumour?"))
    assert "foot-finished" in foot(asked)
    assert len(backend.asked) == 2


def test_the_newest_connection_has_the_answer_and_the_stop_and_the_older_is_told(
    serve: Serve, visitor: Visit
) -> None:
    backend = answering()
    address = serve(backend)
    first, again = visitor(address), visitor(address)
    first.token = again.token = secrets.token_hex(32)
    old = first.ask("What is a stroke?")
    assert any(CANARY in shown([update]) for update in old)
    new = again.resume()
    assert any(CANARY in shown([update]) for update in new)
    rest = foot(old)
    assert words.ELSEWHERE in rest
    assert "foot-elsewhere" in rest
    assert backend.open == 1
    again.stop()
    assert "foot-stopped" in foot(new)
    assert backend.open == 0


def test_a_question_that_is_posted_twice_is_asked_once(serve: Serve, visitor: Visit) -> None:
    backend = answering(1.0)
    address = serve(backend)
    one = visitor(address)
    one.token = secrets.token_hex(32)
    one.post("queue/join", one.question("What is a stroke?")).raise_for_status()
    wait_until(lambda: backend.open == 1, 2.0)
    one.session += "-1"  # as the page renames itself when it posts again
    assert "foot-finished" in foot(one.ask("What is a stroke?"))
    assert len(backend.asked) == 1


def test_a_token_is_in_no_log(
    serve: Serve, visitor: Visit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    one = visitor(serve(answering(0.5)))
    lose(one)
    foot(one.resume())
    one.gone()
    assert "run ref=" in caplog.text
    assert one.token not in caplog.text


def test_only_so_many_ended_answers_wait_and_the_oldest_goes_first() -> None:
    async def held() -> list[bool]:
        runs = several(9)
        resuming = Resuming(runs, 60.0, 2)
        tokens = [secrets.token_hex(32) for _ in range(4)]
        of = ScriptedBackend(lambda conversation, options: [Ended(EndReason.FINISHED)])
        for token in tokens:
            [run] = runs.start(token, lambda: of.stream(ASKED, Options()))
            with resuming.watching(token, [run], token, Place(0, ALONE)):
                assert await asyncio.to_thread(run.join, 2.0)
        return [resuming.held(token) is not None for token in tokens]

    assert asyncio.run(held()) == [False, False, True, True]


def test_while_somebody_waits_something_goes_over_the_wire_all_the_time(
    serve: Serve, visitor: Visit
) -> None:
    """In the queue and behind a silent model. Proxies cut what is silent for a minute or so."""
    address = serve(ScriptedBackend(_silent), max_concurrent_chats=1)
    first, second = visitor(address), visitor(address)
    for one in (first, second):
        one.post("queue/join", one.question("What is a stroke?")).raise_for_status()
    parts = urlsplit(address)
    with contextlib.ExitStack() as held:
        for one in (first, second):
            wire = socket.create_connection((parts.hostname, parts.port))
            held.enter_context(wire)
            wire.settimeout(2.0)
            path = f"/gradio_api/queue/data?session_hash={one.session}"
            wire.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            until = time.monotonic() + 6.0
            while time.monotonic() < until:
                assert wire.recv(65_536)  # or the timeout fails the test


def _silent(conversation: Conversation, options: Options) -> Iterator[Step]:
    yield AnswerDelta("half")
    yield Pause(60)
