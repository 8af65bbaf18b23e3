"""One contract, every backend: what `backend/base.py` asks of all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from itertools import pairwise

import pytest

from backend.base import (
    Asleep,
    Backend,
    BackendError,
    Failed,
    Options,
    Ready,
    Refused,
    TooLong,
    Waking,
)
from backend.embedded import EmbeddedBackend
from backend.local import LocalBackend
from backend.remote import RemoteBackend
from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import Conversation, Role, Turn
from chat.estimate import prompt_tokens
from chat.events import (
    AnswerDelta,
    Ended,
    EndReason,
    Event,
    ReasoningDelta,
    Shortened,
    Stage,
    Waiting,
)
from settings import Settings
from tests import behaviours as do
from tests.conftest import wait_until
from tests.faults import Exchange, FaultServer

ASKED = Conversation.ask("What is asthma?")
SHORT = Options(max_new_tokens=96, temperature=0.3, seed=1)


def script(conversation: Conversation, options: Options) -> Iterator[Step]:
    yield Pause(0.6, Stage.READING)
    if prompt_tokens(conversation) > 8_192:
        yield TooLong("more than the context")
    if conversation.begun:
        yield from (AnswerDelta(" and drink."), Ended(EndReason.FINISHED))
        return
    for word in ("Weigh ", "it ", "well."):
        yield ReasoningDelta(word)
    yield Pause(0.6)
    for word in ("Rest ", "and ", "drink."):
        yield AnswerDelta(word)
    yield Ended(EndReason.FINISHED)


def pause(exchange: Exchange) -> None:
    exchange.stall(0.6)


_too_long = do.status(400, {"error": {"code": "context_length_exceeded"}})


def _short(exchange: Exchange) -> bool:
    return len(exchange.request.body) < 40_000


def workers() -> set[str]:
    """The threads that have a name, as those of backends do and those of test servers do not."""
    return {each.name for each in threading.enumerate() if not each.name.startswith("Thread-")}


@pytest.fixture
def endpoint() -> Iterator[FaultServer]:
    """One that says what `script` does."""
    with FaultServer() as server:
        says = do.stream(pause, do.THINKS, do.THINKS, pause, *do.SAYS, do.STOP, do.DONE)
        server.behave(lambda exchange: says(exchange) if _short(exchange) else _too_long(exchange))
        yield server


@pytest.fixture(
    params=["scripted", "remote", "local", pytest.param("embedded", marks=pytest.mark.model)]
)
def backend(request: pytest.FixtureRequest, endpoint: FaultServer) -> Iterator[Backend]:
    """A new one of each kind, since some of these tests close it."""
    if request.param == "scripted":
        made: Backend = ScriptedBackend(script)
    elif request.param == "remote":
        made = RemoteBackend(Settings(modal_endpoint=endpoint.url()))
    elif request.param == "local":
        folder = request.getfixturevalue("local_folder")
        made = LocalBackend(Settings(model_id=str(folder), adapter_id="none"), device="cpu")
        # Loading holds the interpreter now and then, longer where others use the machine.
        wait_until(lambda: isinstance(made.status(), Ready), 60.0)
    else:
        path = request.getfixturevalue("model_path")
        made = EmbeddedBackend.from_settings(Settings(embedded_model=str(path)))
        wait_until(lambda: isinstance(made.status(), Ready), 60.0)  # as above
    yield made
    made.close()


def test_a_stream_ends_with_exactly_one_end(backend: Backend) -> None:
    events = list(backend.stream(ASKED, SHORT))
    assert [event for event in events if isinstance(event, Ended)] == [events[-1]]


def test_reasoning_and_answer_are_typed_and_never_empty(backend: Backend) -> None:
    events = list(backend.stream(ASKED, SHORT))
    texts = [event for event in events if isinstance(event, ReasoningDelta | AnswerDelta)]
    assert {type(event) for event in texts} == {ReasoningDelta, AnswerDelta}
    assert all(event.text for event in texts)


def test_no_silence_is_longer_than_half_a_second(backend: Backend) -> None:
    times = [time.monotonic(), *(time.monotonic() for _ in backend.stream(ASKED, SHORT))]
    assert max(after - before for before, after in pairwise(times)) < 0.5


def test_a_wait_tells_its_stage_and_grows(backend: Backend) -> None:
    waits = [event for event in backend.stream(ASKED, SHORT) if isinstance(event, Waiting)]
    assert waits
    for before, after in pairwise(waits):
        if before.stage is after.stage and after.elapsed > 0.3:
            assert after.elapsed > before.elapsed


@pytest.mark.parametrize("state", [None, Waiting, ReasoningDelta, AnswerDelta, Ended])
def test_closing_takes_less_than_a_second_in_every_state(
    backend: Backend, state: type[Event] | None
) -> None:
    before = workers()
    stream = backend.stream(ASKED, SHORT)
    if state is not None:
        assert any(isinstance(event, state) for event in stream)
    began = time.monotonic()
    stream.close()
    wait_until(lambda: workers() <= before, 1.0)
    assert time.monotonic() - began < 1.0
    assert list(stream) == []


def test_a_stream_closed_halfway_leaves_the_next_one_whole(backend: Backend) -> None:
    with closing(backend.stream(ASKED, SHORT)) as stream:
        next(stream)
    assert isinstance(list(backend.stream(ASKED, SHORT))[-1], Ended)


def test_two_threads_may_ask_at_once(backend: Backend) -> None:
    replies: list[list[Event]] = [[], []]
    threads = [
        threading.Thread(target=lambda into=into: into.extend(backend.stream(ASKED, SHORT)))
        for into in replies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    for events in replies:
        assert any(isinstance(event, AnswerDelta) for event in events)
        assert isinstance(events[-1], Ended)


def test_options_out_of_bounds_are_clamped_and_never_refused(backend: Backend) -> None:
    wild = Options(max_new_tokens=-1, temperature=99.0, top_p=-1.0, seed=-1)
    assert isinstance(list(backend.stream(ASKED, wild))[-1], Ended)


QUESTIONS = 12
LONG = "A cough for three weeks, and a fever. " * 100


def conversation(*texts: str) -> Conversation:
    roles = (Role.USER, Role.ASSISTANT)
    return Conversation(tuple(Turn(roles[n % 2], text) for n, text in enumerate(texts)))


def test_of_a_conversation_without_room_the_oldest_questions_leave_and_it_says_how_many(
    backend: Backend,
) -> None:
    asked = conversation(*[LONG] * (2 * QUESTIONS), "What is asthma?")
    events = list(backend.stream(asked, replace(SHORT, shorten=True)))
    kinds = [type(event) for event in events if not isinstance(event, Waiting)]
    left_out = [event.questions for event in events if isinstance(event, Shortened)]
    assert left_out
    assert kinds[: len(left_out)] == [Shortened] * len(left_out)
    assert 0 < left_out[-1] <= QUESTIONS
    assert isinstance(events[-1], Ended)


def test_a_conversation_is_never_shortened_unasked(backend: Backend) -> None:
    with pytest.raises(TooLong):
        list(backend.stream(conversation(*[LONG] * (2 * QUESTIONS), "What is asthma?"), SHORT))


def test_a_question_that_has_no_room_alone_is_refused(backend: Backend) -> None:
    with pytest.raises(TooLong):
        list(backend.stream(conversation(LONG * 12), replace(SHORT, shorten=True)))


def test_an_answer_that_was_begun_is_gone_on_with_or_refused(backend: Backend) -> None:
    asked = replace(ASKED, begun="Asthma is a disease of the airways, which")
    if not backend.info.continues:
        with pytest.raises(Refused):
            list(backend.stream(asked, SHORT))
        return
    events = list(backend.stream(asked, SHORT))
    text = "".join(event.text for event in events if isinstance(event, AnswerDelta))
    assert text
    assert not any(isinstance(event, ReasoningDelta) for event in events)
    assert "airways, which" not in text
    assert isinstance(events[-1], Ended)


def test_status_and_info_answer_at_once_in_every_state(backend: Backend) -> None:
    def look() -> None:
        began = time.monotonic()
        assert isinstance(backend.status(), Asleep | Waking | Ready | Failed)
        info = backend.info
        assert info.name
        assert info.model
        assert info.defaults.within(info) == info.defaults
        assert time.monotonic() - began < 0.1

    look()
    for _ in backend.stream(ASKED, SHORT):
        look()
    backend.close()
    look()


def test_it_may_be_closed_twice_and_then_raises_only_errors_of_the_seam(
    backend: Backend,
) -> None:
    backend.close()
    backend.close()
    with suppress(BackendError):
        list(backend.stream(ASKED, SHORT))
