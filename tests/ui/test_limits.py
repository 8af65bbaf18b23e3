"""Who may ask how often, on real sockets: rows 71 to 73 of the matrix."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from html import escape
from itertools import islice
from typing import Any

import httpx
import pytest

from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, Usage
from chat.reply import Reply
from tests.conftest import Serve, wait_until
from tests.serve_scripted import Pattern, script
from tests.visitor import Visitor, shown
from ui import rates
from ui.budget import DAY, Budget, tokens_of
from ui.limits import QUEUE
from ui.rates import HOUR, Rates
from ui.words import ENGLISH as words

Visit = Callable[[str], Visitor]
RATE = words.RATE.partition("{n}")[0]
CAP = escape(words.CAP)
BUSY = words.BUSY.partition("{n}")[0]


class Clock:
    """A clock that a test turns."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def quick(tokens: int | None = None) -> ScriptedBackend:
    steps: list[Step] = [
        AnswerDelta("an answer"), Ended(EndReason.FINISHED, Usage(completion_tokens=tokens))
    ]  # fmt: skip
    return ScriptedBackend(lambda conversation, options: steps)


def endless() -> ScriptedBackend:
    return ScriptedBackend(script("silent", Pattern(stall=60.0)))


def ask(one: Visitor, address: str | None = None, text: str = "What is a stroke?") -> str:
    """All that a question brings to the page, asked from `address`, as a proxy of ours says."""
    if address is not None:
        one.http.headers["x-forwarded-for"] = address
    return shown(list(one.ask(text)))


def seen_at(updates: Iterator[dict[str, Any]], words: str) -> None:
    """Read until the page shows `words`."""
    assert any(words in shown([update]) for update in islice(updates, 200))


# Row 71


def test_the_seventeenth_who_waits_is_told_at_once_and_the_others_see_their_places(
    serve: Serve, visitor: Visit
) -> None:
    backend = endless()
    address = serve(backend, max_concurrent_chats=1)
    people = [visitor(address) for _ in range(1 + QUEUE)]
    streams = []
    for n, one in enumerate(people):
        streams.append(one.ask("What is a stroke?"))
        place = f"Number {n} in the queue" if n > 1 else ["Reaching the model", "You are next"][n]
        seen_at(streams[-1], place)
    late = visitor(address)
    began = time.monotonic()
    assert BUSY in ask(late)
    assert time.monotonic() - began < 1.0
    people[1].stop()
    seen_at(streams[2], "You are next")
    streams[0].close()  # the tab of the one who is answered
    people[0].close()
    seen_at(streams[2], "Reaching the model")
    assert len(backend.asked) == 2


# Row 72


def test_the_seventh_question_in_a_minute_is_told_how_long_to_wait(
    serve: Serve, visitor: Visit
) -> None:
    backend = quick()
    address = serve(backend, trusted_proxies=1)
    for _ in range(6):
        assert "an answer" in ask(visitor(address), "203.0.113.7")
    began = time.monotonic()
    refused = ask(visitor(address), "203.0.113.7")
    assert time.monotonic() - began < 0.5
    assert RATE in refused
    assert words.AGAIN in refused  # the question stays, with a way to ask it again
    assert len(backend.asked) == 6
    assert "an answer" in ask(visitor(address), "203.0.113.8")


FORGED = [
    "198.51.100.{n}, 203.0.113.7",
    "198.51.100.{n},198.51.100.1, 203.0.113.7",
    "127.0.0.1, 203.0.113.7",
    "::1, 203.0.113.7",
    "nonsense {n}, 203.0.113.7",
    "a" * 4_000 + ", 203.0.113.7",
    ", , ,203.0.113.7",
    "203.0.113.7",
]


@pytest.mark.parametrize("forged", FORGED, ids=range(len(FORGED)))
def test_what_a_visitor_writes_into_the_header_changes_nothing(
    serve: Serve, visitor: Visit, forged: str
) -> None:
    backend = quick()
    address = serve(backend, trusted_proxies=1, rate_per_minute=2)
    for n in range(2):
        assert "an answer" in ask(visitor(address), forged.format(n=n))
    assert RATE in ask(visitor(address), forged.format(n=3))
    assert len(backend.asked) == 2


def test_no_other_header_is_believed_and_several_lines_are_one(
    serve: Serve, visitor: Visit
) -> None:
    address = serve(quick(), trusted_proxies=1, rate_per_minute=2)
    others = ("x-real-ip", "cf-connecting-ip", "true-client-ip", "forwarded", "x-client-ip")
    for n in range(3):
        one = visitor(address)
        forged = dict.fromkeys(others, f"198.51.100.{n}")
        lines = [("x-forwarded-for", f"198.51.100.{n}"), ("x-forwarded-for", "203.0.113.7")]
        one.http.headers = httpx.Headers([*forged.items(), *lines])
        assert ("an answer" if n < 2 else RATE) in ask(one)


def test_behind_proxies_a_header_that_says_nothing_is_one_visitor_and_not_the_owner(
    serve: Serve, visitor: Visit
) -> None:
    address = serve(quick(), trusted_proxies=3, rate_per_minute=2)
    for n, header in enumerate((None, "198.51.100.1", "127.0.0.1, ::1", "x, y, z")):
        assert ("an answer" if n < 2 else RATE) in ask(visitor(address), header)


def test_the_owner_at_this_machine_is_not_limited_and_whoever_comes_with_a_header_neither(
    serve: Serve, visitor: Visit
) -> None:
    """Nothing that a client writes makes it another visitor; without proxies that is the peer."""
    address = serve(quick(), rate_per_minute=1)
    for header in (None, "203.0.113.7", "203.0.113.7", None):
        assert "an answer" in ask(visitor(address), header)


def test_a_visitor_has_one_question_answered_at_a_time_and_another_is_not_kept_waiting(
    serve: Serve, visitor: Visit
) -> None:
    backend = endless()
    address = serve(backend, trusted_proxies=1)
    first = visitor(address)
    first.http.headers["x-forwarded-for"] = "203.0.113.7"
    held = first.ask("What is a stroke?")  # or its stream is closed, as by a tab
    seen_at(held, "Reaching the model")
    assert words.ONE_AT_A_TIME in ask(visitor(address), "203.0.113.7")
    other = visitor(address)
    other.http.headers["x-forwarded-for"] = "203.0.113.8"
    seen_at(other.ask("What is a stroke?"), "Reaching the model")
    first.stop()
    wait_until(lambda: backend.open == 1, 2.0)
    again = visitor(address)
    again.http.headers["x-forwarded-for"] = "203.0.113.7"
    seen_at(again.ask("What is a stroke?"), "Reaching the model")


def test_zero_switches_the_limits_of_a_visitor_off(serve: Serve, visitor: Visit) -> None:
    address = serve(quick(), trusted_proxies=1, rate_per_minute=0, rate_per_hour=0)
    for _ in range(9):
        assert "an answer" in ask(visitor(address), "203.0.113.7")


def test_in_no_minute_and_in_no_hour_there_are_more_questions_than_allowed() -> None:
    chance, clock = random.Random(5), Clock()  # noqa: S311
    limits = Rates(6, 60, clock)
    taken: list[float] = []
    for _ in range(3_000):
        clock.now += chance.expovariate(1 / 6)
        wait = limits.wait("k")
        if wait == 0:
            limits.count("k")
            taken.append(clock.now)
        else:
            minute = sum(at > clock.now - 60 for at in taken)
            hour = sum(at > clock.now - HOUR for at in taken)
            assert minute == 6 or hour == 60
    for end in taken:
        assert sum(end - 60 < at <= end for at in taken) <= 6
        assert sum(end - HOUR < at <= end for at in taken) <= 60
    assert len(taken) > 200


def test_who_waits_as_long_as_told_may_ask() -> None:
    clock = Clock()
    limits = Rates(2, 3, clock)
    for _ in range(2):
        limits.count("k")
    assert limits.wait("k") == 60.0
    assert limits.wait("another") == 0
    clock.now += limits.wait("k")
    assert limits.wait("k") == 0
    limits.count("k")
    assert limits.wait("k") == HOUR - 60.0


def test_who_asks_two_at_once_waits_until_there_is_room_for_both() -> None:
    clock = Clock()
    limits = Rates(3, 60, clock)
    for _ in range(2):
        limits.count("k")
        clock.now += 1
    assert (limits.wait("k"), limits.wait("k", 2)) == (0, 58.0)
    clock.now += 58
    assert limits.wait("k", 2) == 0
    assert Rates(1, 1, clock).wait("k", 2) == 0  # more than are ever allowed: one is enough


def test_a_table_of_visitors_has_a_bound_and_forgets_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    limits = Rates(1, 60, clock)
    for n in range(rates.MAX_KEYS + 5):
        limits.count(f"k{n}")
    assert len(limits) == rates.MAX_KEYS
    assert limits.wait("k4") == 0
    assert limits.wait("k5") > 0


def test_an_hour_later_nothing_is_left_of_a_visitor_though_nobody_else_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rates, "SWEEP_SECONDS", 0.05)
    clock = Clock()
    limits = Rates(6, 60, clock)
    limits.count("k")
    clock.now += HOUR - 1
    time.sleep(0.2)
    assert len(limits) == 1
    clock.now += 1
    wait_until(lambda: len(limits) == 0, 2.0)


# Row 73


def test_when_the_days_tokens_are_used_up_it_says_so_until_tomorrow(
    serve: Serve, visitor: Visit
) -> None:
    backend = quick(tokens=60)
    address = serve(backend, daily_tokens=100)
    for expected in ("an answer", "an answer", CAP, CAP):
        began = time.monotonic()
        assert expected in ask(visitor(address))
    assert time.monotonic() - began < 0.5
    assert len(backend.asked) == 2


def test_a_budget_begins_anew_at_midnight_utc() -> None:
    clock = Clock(100 * DAY - 1.0)
    budget = Budget(10, clock)
    budget.spend(9)
    assert not budget.used_up
    budget.spend(1)
    assert budget.used_up
    clock.now += 1.0
    assert not budget.used_up
    budget.spend(10)
    assert budget.used_up
    assert not Budget(0, clock).used_up


def test_a_reply_that_nobody_counted_is_estimated_and_a_stopped_one_counts_too(
    serve: Serve, visitor: Visit
) -> None:
    assert tokens_of(Reply(0.0, reasoning="x" * 30, answer="y" * 31)) == 21
    assert tokens_of(Reply(0.0, answer="y" * 30, usage=Usage(completion_tokens=4))) == 4

    def play(conversation: Conversation, options: object) -> Iterator[Step]:
        yield AnswerDelta("x" * 300)
        yield Pause(60.0)

    address = serve(ScriptedBackend(play), daily_tokens=100)
    one = visitor(address)
    updates = one.ask("What is a stroke?")
    seen_at(updates, "xxx")
    one.stop()
    list(updates)
    assert CAP in ask(visitor(address))
