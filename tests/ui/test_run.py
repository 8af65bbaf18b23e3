"""One question being answered: threads, cancels, and how often a page hears of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from itertools import pairwise

import pytest

from backend.base import Busy, Options, Unreachable
from backend.gate import Gate
from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Stage, Usage
from chat.reply import Phase, Reply
from tests.conftest import wait_until
from ui.budget import Budget, tokens_of
from ui.limits import GoingDown, Limits, OneAtATime
from ui.rates import Rates
from ui.run import PACE, Run, Snapshot, snapshots
from ui.runs import Runs

ASKED = Conversation.ask("canary-7f3a")


def backend(*steps: Step) -> ScriptedBackend:
    return ScriptedBackend(lambda conversation, options: steps)


def several(limit: int, queue: int = 0) -> Runs:
    """Runs without a limit but that of how many there are."""
    return Runs(Limits(Gate(limit, queue), Rates(0, 0), Budget(0)))


def run(of: ScriptedBackend) -> Run:
    return Run(lambda: of.stream(ASKED, Options())).start()


async def watch(run: Run) -> list[tuple[float, Snapshot]]:
    return [(time.monotonic(), snapshot) async for [snapshot] in snapshots(run)]


def test_a_run_ends_with_what_the_backend_said() -> None:
    one = run(backend(ReasoningDelta("r"), AnswerDelta("a"), Ended(EndReason.FINISHED)))
    assert one.join(2.0)
    assert one.snapshot.reply.complete
    assert (one.snapshot.reply.reasoning, one.snapshot.reply.answer) == ("r", "a")


def test_an_error_becomes_a_value_and_what_arrived_stays() -> None:
    one = run(backend(AnswerDelta("half"), Unreachable("secret-url")))
    assert one.join(2.0)
    assert isinstance(one.snapshot.error, Unreachable)
    assert one.snapshot.reply.answer == "half"
    assert one.snapshot.reply.end is EndReason.INTERRUPTED


def test_a_stream_that_just_stops_is_a_breach_and_never_a_finished_answer() -> None:
    one = run(backend(AnswerDelta("half")))
    assert one.join(2.0)
    assert type(one.snapshot.error).__name__ == "BrokeContract"
    assert not one.snapshot.reply.complete


def test_an_error_of_our_own_is_told_by_its_class_alone(caplog: pytest.LogCaptureFixture) -> None:
    def broken(conversation: Conversation, options: Options) -> Iterable[Step]:
        raise RuntimeError(conversation.question)

    with caplog.at_level(logging.DEBUG):
        one = run(ScriptedBackend(broken))
        assert one.join(2.0)
    assert type(one.snapshot.error).__name__ == "BrokeContract"
    assert "RuntimeError" in caplog.text
    assert "canary" not in caplog.text


def test_an_answer_that_is_gone_on_with_is_screened_and_counted_with_what_is_new() -> None:
    def begun(text: str) -> Run:
        stream = backend(AnswerDelta(" dose of paracetamol is 10 g."), Ended(EndReason.FINISHED))
        return Run(lambda: stream.stream(ASKED, Options()), begun=text).start()

    one, other = begun("The usual"), begun("The lethal")
    assert one.join(2.0)
    assert one.snapshot.screened.answer == "The usual dose of paracetamol is 10 g."
    assert tokens_of(one.snapshot.reply) == tokens_of(
        Reply(0.0, answer=" dose of paracetamol is 10 g.")
    )
    assert other.join(2.0)
    assert other.snapshot.screened.withheld == "lethal-dose"
    assert other.snapshot.reply.answer == ""


STATES = {
    "waiting": [Pause(60, Stage.CONNECTING)],
    "thinking": [ReasoningDelta("r"), Pause(60)],
    "answering": [ReasoningDelta("r"), AnswerDelta("a"), Pause(60)],
}


@pytest.mark.parametrize("state", STATES)
def test_a_cancel_closes_the_backends_iterator_within_a_second(state: str) -> None:
    of = backend(*STATES[state])
    one = run(of)
    wait_until(lambda: one.snapshot.reply.phase.value == state, 2.0)
    began = time.monotonic()
    one.cancel()
    wait_until(lambda: of.open == 0, 1.0)
    assert one.join(1.0)
    assert of.closed_at[0] - began < 1.0
    assert one.snapshot.reply.end is EndReason.STOPPED
    assert one.snapshot.error is None


def test_a_cancel_after_the_end_changes_nothing() -> None:
    one = run(backend(AnswerDelta("a"), Ended(EndReason.FINISHED)))
    assert one.join(2.0)
    one.cancel()
    assert one.snapshot.reply.complete


def test_a_page_hears_five_to_seven_times_a_second_whatever_the_rate() -> None:
    def tokens(conversation: Conversation, options: Options) -> Iterable[Step]:
        until = time.monotonic() + 3.0
        while time.monotonic() < until:
            time.sleep(0.002)
            yield AnswerDelta("x")
        yield Ended(EndReason.FINISHED)

    seen = asyncio.run(watch(run(ScriptedBackend(tokens))))
    lengths = [len(snapshot.reply.answer) for _, snapshot in seen]
    assert 14 <= len(seen) <= 24
    assert lengths[-1] > 20 * len(seen)


def test_a_new_phase_is_heard_of_at_once_and_not_at_the_next_beat() -> None:
    steps = [Pause(0.6), ReasoningDelta("r"), AnswerDelta("a"), Ended(EndReason.FINISHED)]
    one = run(backend(*steps))
    seen = asyncio.run(watch(one))
    first = one.snapshot.reply.started + (one.snapshot.reply.time_to_first_token or 0.0)
    told = next(at for at, s in seen if s.reply.phase is not Phase.WAITING)
    assert told - first < PACE / 2


def test_a_silence_is_heard_of_twice_a_second_and_the_clock_runs() -> None:
    def mute(conversation: Conversation, options: Options) -> Iterable[Step]:
        time.sleep(1.6)  # worse than the seam allows
        yield Ended(EndReason.FINISHED)

    seen = asyncio.run(watch(run(ScriptedBackend(mute))))
    gaps = [b - a for (a, _), (b, _) in pairwise(seen)]
    assert len(seen) >= 4
    assert max(gaps) < 0.7


def test_there_are_no_more_runs_than_allowed_and_one_for_a_visitor() -> None:
    runs, of = several(2), backend(Pause(60))
    for visitor in ("ann", "bob"):
        runs.start(visitor, lambda: of.stream(ASKED, Options()))
    with pytest.raises(Busy):
        runs.start("cid", lambda: of.stream(ASKED, Options()))
    [ann] = runs.of("ann")
    ann.cancel()
    assert ann.join(1.0)
    with pytest.raises(OneAtATime):
        runs.start("bob", lambda: of.stream(ASKED, Options()))
    runs.start("cid", lambda: of.stream(ASKED, Options()))
    runs.drain(0.0)


def test_one_visitors_cancel_leaves_the_others_alone() -> None:
    runs = several(9)
    of = backend(Pause(0.5), AnswerDelta("whole"), Ended(EndReason.FINISHED))
    ann, bob = (runs.start(who, lambda: of.stream(ASKED, Options()))[0] for who in ("ann", "bob"))
    ann.cancel()
    assert bob.join(3.0)
    assert bob.snapshot.reply.complete
    assert not ann.snapshot.reply.complete


def test_draining_lets_runs_finish_takes_no_new_ones_and_cuts_the_late() -> None:
    runs = several(9)
    short = backend(Pause(0.4), AnswerDelta("whole"), Ended(EndReason.FINISHED))
    endless = backend(AnswerDelta("half"), Pause(60))
    [first] = runs.start("ann", lambda: short.stream(ASKED, Options()))
    [second] = runs.start("bob", lambda: endless.stream(ASKED, Options()))
    assert runs.drain(1.0) is False
    assert first.snapshot.reply.complete
    assert second.snapshot.reply.end is EndReason.INTERRUPTED
    assert second.snapshot.reply.answer == "half"
    with pytest.raises(GoingDown):
        runs.start("cid", lambda: short.stream(ASKED, Options()))


def test_who_waits_is_shown_a_place_which_moves_up_when_another_gives_up() -> None:
    runs, of = several(1, queue=2), backend(AnswerDelta("a"), Pause(60))
    first, second, third = (
        runs.start(who, lambda: of.stream(ASKED, Options()))[0] for who in ("ann", "bob", "cid")
    )
    wait_until(lambda: place(second) == 1 and place(third) == 2, 2.0)
    assert len(of.asked) == 1
    with pytest.raises(Busy):
        runs.start("dan", lambda: of.stream(ASKED, Options()))
    second.cancel()
    wait_until(lambda: place(third) == 1, 1.0)
    assert second.join(1.0)
    assert second.snapshot.reply.end is EndReason.STOPPED
    first.cancel()
    wait_until(lambda: third.snapshot.reply.answer == "a", 1.0)
    assert len(of.asked) == 2
    runs.drain(0.0)


def place(run: Run) -> int | None:
    waiting = run.snapshot.reply.waiting
    return waiting.place if waiting and waiting.stage is Stage.QUEUED else None


def test_a_run_leaves_one_line_of_numbers_and_names(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    runs = several(1)
    for counted in (Usage(5, 7), Usage()):
        steps = (AnswerDelta("canary"), Ended(EndReason.FINISHED, counted))
        of = backend(*steps)
        [one] = runs.start("ann", lambda: of.stream(ASKED, Options()), rules=("chest-pain", "age"))  # noqa: B023
        assert one.join(2.0)
    lines = [record.getMessage() for record in caplog.records]
    fields = [dict(pair.split("=") for pair in line.split()[1:]) for line in lines]
    names = "ref ended error seconds first prompt_tokens tokens counted rules withheld"
    assert [" ".join(each) for each in fields] == [names, names]
    assert [each["tokens"] for each in fields] == ["7", "2"]
    assert [each["counted"] for each in fields] == ["yes", "no"]
    assert fields[0]["rules"] == "chest-pain,age"
    assert "canary" not in caplog.text


def test_row_70_a_run_that_says_what_kills_is_cancelled_before_anything_of_it_is_seen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    pieces = ["An overdose is dangerous. The lethal dose is about ", "1", "0", " g. Take"]
    slow = [step for piece in pieces for step in (AnswerDelta(piece), Pause(0.2))]
    of = backend(ReasoningDelta("Hm. "), *slow, Pause(60))
    one = run(of)
    seen = [snapshot for _, snapshot in asyncio.run(watch(one))]
    assert any("dangerous" in shot.screened.answer for shot in seen)
    assert not any("1" in shot.screened.answer for shot in seen)
    last = seen[-1]
    assert last.screened.withheld == "lethal-dose"
    assert (last.reply.end, last.reply.answer, last.reply.reasoning) == (EndReason.WITHHELD, "", "")
    assert last.error is None
    assert of.open == 0
    assert "ended=withheld error=none" in caplog.text
    assert "rules=none withheld=lethal-dose" in caplog.text
    assert last.reply.withheld_chars > len(pieces[0])  # what was written counts for the day
    assert tokens_of(last.reply) > 10


def test_a_reply_is_held_against_the_rules_also_where_it_ends_before_anybody_looks() -> None:
    kills = AnswerDelta("The lethal dose is about 10 g")
    one = run(backend(kills, Ended(EndReason.FINISHED)))
    assert one.join(2.0)
    assert one.snapshot.reply.end is EndReason.WITHHELD
    assert one.snapshot.reply.answer == ""
