"""The fold of events into a reply."""

from __future__ import annotations

import pytest

from chat.events import AnswerDelta, Ended, EndReason, Event, ReasoningDelta, Stage, Usage, Waiting
from chat.reply import Phase, Reply

READING = Waiting(Stage.READING, 0.5)


def fold(*events: tuple[float, Event]) -> Reply:
    reply = Reply(started=100.0)
    for at, event in events:
        reply = reply.apply(event, 100.0 + at)
    return reply


WHOLE = (
    (0.5, READING),
    (1.0, ReasoningDelta("think")),
    (2.0, ReasoningDelta("ing")),
    (3.0, AnswerDelta("Rest, ")),
    (5.0, AnswerDelta("fluids.")),
    (6.0, Ended(EndReason.FINISHED, Usage(10, 51, 20))),
)


def test_reasoning_and_answer_stay_apart() -> None:
    reply = fold(*WHOLE)
    assert (reply.reasoning, reply.answer) == ("thinking", "Rest, fluids.")


def test_the_phase_follows_the_events() -> None:
    phases = [fold(*WHOLE[:n]).phase for n in range(len(WHOLE) + 1)]
    assert phases == [
        Phase.WAITING, Phase.WAITING, Phase.THINKING, Phase.THINKING,
        Phase.ANSWERING, Phase.ANSWERING, Phase.ENDED,
    ]  # fmt: skip


def test_times_are_counted_from_the_question() -> None:
    reply = fold(*WHOLE)
    assert reply.time_to_first_token == 1.0
    assert reply.thought_for(now=999.0) == 2.0
    assert reply.tokens_per_second == 50 / 5.0


def test_the_thinking_timer_runs_until_the_answer_begins() -> None:
    thinking = fold(*WHOLE[:3])
    assert thinking.thought_for(now=104.5) == 3.5
    assert fold(*WHOLE[:1]).thought_for(now=104.5) is None


def test_thinking_that_never_reached_an_answer_ended_when_the_reply_did() -> None:
    reply = fold((1.0, ReasoningDelta("x")), (4.0, Ended(EndReason.LENGTH)))
    assert reply.thought_for(now=999.0) == 3.0
    assert reply.answer == ""


def test_a_wait_is_over_with_the_next_text() -> None:
    assert fold(*WHOLE[:1]).waiting == READING
    assert fold(*WHOLE[:2]).waiting is None


@pytest.mark.parametrize("reason", [r for r in EndReason if r is not EndReason.FINISHED])
def test_only_a_finished_reply_is_complete(reason: EndReason) -> None:
    assert fold(*WHOLE).complete
    assert not fold(*WHOLE[:5], (6.0, Ended(reason))).complete


def test_a_reply_without_an_answer_is_never_complete() -> None:
    assert not fold((1.0, ReasoningDelta("x")), (2.0, Ended(EndReason.FINISHED))).complete
    assert not fold((1.0, AnswerDelta(" \n")), (2.0, Ended(EndReason.FINISHED))).complete


def test_nothing_changes_after_the_end() -> None:
    ended = fold(*WHOLE)
    assert ended.apply(AnswerDelta("more"), 200.0) is ended
    assert ended.apply(Ended(EndReason.STOPPED), 200.0) is ended


def test_no_speed_is_told_that_was_not_counted() -> None:
    assert fold(*WHOLE[:5], (6.0, Ended(EndReason.FINISHED))).tokens_per_second is None
    assert fold(*WHOLE[:5]).tokens_per_second is None
    assert fold((6.0, Ended(EndReason.FINISHED, Usage(1, 0)))).tokens_per_second is None
