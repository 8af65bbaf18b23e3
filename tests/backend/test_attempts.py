"""Trying again: how often, how long after, who pays, and when it is left alone."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from backend.attempts import Attempts, Failure
from backend.base import Busy, Refused, Unreachable
from backend.policy import Policy

DOWN = Unreachable("down")


class Endpoint:
    """Fails as often as it is told to, then answers. Counts the tries and the pauses."""

    def __init__(self, *failures: Failure) -> None:
        self.failures = list(failures)
        self.tries = 0
        self.pauses: list[float] = []

    def once(self) -> str:
        self.tries += 1
        if self.failures:
            raise self.failures.pop(0)
        return "answer"

    def ask(self, attempts: Attempts) -> str:
        return attempts.run(self.once, self.pauses.append)


def failures(many: int, retries: int = 2, wait: float | None = None) -> list[Failure]:
    return [Failure(DOWN, retries, wait=wait, down=True) for _ in range(many)]


def test_what_may_be_tried_again_is_tried_as_often_as_it_may() -> None:
    for retries, tries in [(0, 1), (1, 2), (2, 3), (9, 3)]:
        endpoint = Endpoint(*failures(9, retries))
        with pytest.raises(Unreachable):
            endpoint.ask(Attempts(Policy()))
        assert endpoint.tries == tries


def test_a_success_after_failures_is_all_that_is_seen() -> None:
    endpoint = Endpoint(*failures(2))
    assert endpoint.ask(Attempts(Policy())) == "answer"
    assert endpoint.tries == 3


def test_pauses_are_random_up_to_a_bound_that_doubles() -> None:
    draw = random.Random(7).random  # noqa: S311
    seen: list[list[float]] = []
    for _ in range(300):
        endpoint = Endpoint(*failures(2))
        endpoint.ask(Attempts(Policy(), jitter=draw))
        seen.append(endpoint.pauses)
    firsts, seconds = zip(*seen, strict=True)
    assert 0 <= min(firsts) < 0.1
    assert 0.4 < max(firsts) <= 0.5
    assert 0.8 < max(seconds) <= 1.0


@pytest.mark.parametrize(("wait", "tries"), [(0.0, 2), (2.0, 2), (20.0, 2), (20.5, 1), (600.0, 1)])
def test_its_own_word_on_when_is_kept_or_nothing_is_tried(wait: float, tries: int) -> None:
    endpoint = Endpoint(Failure(Busy("", wait), 2, wait=wait))
    if tries == 1:
        with pytest.raises(Busy) as raised:
            endpoint.ask(Attempts(Policy()))
        assert raised.value.retry_after == wait
    else:
        assert endpoint.ask(Attempts(Policy())) == "answer"
    assert endpoint.tries == tries
    assert endpoint.pauses == [wait] * (tries - 1)


def test_in_an_outage_the_bucket_runs_dry_and_only_first_tries_are_left() -> None:
    attempts, tries = Attempts(Policy()), 0
    for _ in range(50):
        endpoint = Endpoint(*failures(3))
        with pytest.raises(Unreachable):
            endpoint.ask(attempts)
        tries += endpoint.tries
    assert 50 < tries <= 1.2 * 50


def test_successes_fill_the_bucket_again() -> None:
    attempts = Attempts(Policy())
    for _ in range(10):
        with pytest.raises(Unreachable):
            Endpoint(*failures(1, retries=0)).ask(attempts)
    endpoint = Endpoint(*failures(1))
    with pytest.raises(Unreachable):
        endpoint.ask(attempts)
    for _ in range(80):
        attempts.succeeded()
    endpoint = Endpoint(*failures(1))
    assert endpoint.ask(attempts) == "answer"


def broken(policy: Policy) -> Attempts:
    attempts = Attempts(policy)
    for _ in range(policy.circuit_failures):
        attempts.admit()
        with pytest.raises(Unreachable):
            Endpoint(*failures(1, retries=0)).ask(attempts)
    return attempts


def test_after_five_failures_in_a_row_the_endpoint_is_left_alone() -> None:
    attempts = broken(Policy())
    with pytest.raises(Unreachable, match="left alone"):
        attempts.admit()


def test_then_one_question_finds_out_for_all() -> None:
    policy = Policy(circuit=0.05)
    attempts = broken(policy)
    time.sleep(0.06)
    assert attempts.admit() is True
    with pytest.raises(Unreachable):
        attempts.admit()  # while the first is still asking
    attempts.succeeded()
    attempts.probed()
    assert attempts.admit() is False
    assert attempts.admit() is False


def test_if_it_fails_again_the_circuit_stays_open() -> None:
    attempts = broken(Policy(circuit=0.05))
    time.sleep(0.06)
    attempts.admit()
    with pytest.raises(Unreachable):
        Endpoint(*failures(1, retries=0)).ask(attempts)
    attempts.probed()
    with pytest.raises(Unreachable):
        attempts.admit()


def test_failures_of_a_request_alone_break_nothing() -> None:
    attempts = Attempts(Policy())
    for _ in range(20):
        with pytest.raises(Busy):
            Endpoint(Failure(Busy())).ask(attempts)
    attempts.admit()


def test_refused_keys_end_all_asking_and_are_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    attempts = Attempts(Policy())
    bar: Callable[[], None] = lambda: attempts.bar(Refused("The endpoint refuses our keys."))  # noqa: E731
    bar()
    bar()
    attempts.succeeded()
    with pytest.raises(Refused):
        attempts.admit()
    assert len(caplog.records) == 1


def test_a_scaled_policy_scales_its_times_and_no_count() -> None:
    policy, small = Policy(), Policy().scaled(0.1)
    assert small.headers == pytest.approx(17.0)
    assert small.retry_after_limit == pytest.approx(2.0)
    assert (small.retries, small.tokens, small.tokens_floor) == (2, 10.0, 5.0)
    assert (small.event_bytes, small.circuit_failures) == (policy.event_bytes, 5)
