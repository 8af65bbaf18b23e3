"""Closing and crowding: whatever happens, everything is free again within a second."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from backend.base import (
    Busy,
    EventStream,
    Failed,
    NotReady,
    Options,
    TooLong,
)
from backend.embedded import SLOTS, EmbeddedBackend
from backend.in_process import QUEUE
from chat.conversation import Conversation, Role, Turn
from chat.events import AnswerDelta, Ended, EndReason, Event, ReasoningDelta, Stage, Waiting
from settings import Settings
from tests.backend.asking import (
    LONG,
    RAAS,
    socket_folder,
    told,
)
from tests.conftest import ROOT

pytestmark = pytest.mark.model


def reading(event: Event) -> bool:
    return isinstance(event, Waiting) and event.stage is Stage.READING and bool(event.fraction)


@pytest.mark.parametrize(
    ("state", "question"),
    [
        (reading, LONG),
        (lambda event: isinstance(event, ReasoningDelta), RAAS),
        (lambda event: isinstance(event, AnswerDelta), RAAS),
    ],
    ids=["prefill", "thinking", "answering"],
)
def test_closing_frees_everything_within_a_second(
    embedded: EmbeddedBackend, state: Callable[[Event], bool], question: str
) -> None:
    stream = embedded.stream(Conversation.ask(question), Options(max_new_tokens=512))
    for event in stream:
        if state(event):
            break
        assert not isinstance(event, Ended), "it ended before the state came"
    frees_in_time(embedded, stream)


def test_closing_before_the_first_event_holds_nothing(embedded: EmbeddedBackend) -> None:
    frees_in_time(embedded, embedded.stream(Conversation.ask(RAAS), Options()))


def test_closing_after_the_first_event_frees_everything(embedded: EmbeddedBackend) -> None:
    stream = embedded.stream(Conversation.ask(RAAS), Options())
    next(stream)
    frees_in_time(embedded, stream)


def test_closing_after_the_end_holds_nothing(embedded: EmbeddedBackend) -> None:
    stream = embedded.stream(Conversation.ask("hi"), Options(max_new_tokens=64))
    list(stream)
    frees_in_time(embedded, stream)


def test_closing_after_an_error_holds_nothing(embedded: EmbeddedBackend) -> None:
    stream = embedded.stream(Conversation((Turn(Role.USER, LONG * 4),)), Options())
    with pytest.raises(TooLong):
        list(stream)
    frees_in_time(embedded, stream)


def test_an_error_thrown_into_a_stream_frees_everything(embedded: EmbeddedBackend) -> None:
    stream = embedded.stream(Conversation.ask(RAAS), Options())
    next(stream)
    with pytest.raises(KeyError):
        stream.throw(KeyError("of the reader's own"))
    frees_in_time(embedded, stream)


def frees_in_time(backend: EmbeddedBackend, stream: EventStream) -> None:
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 1.0
    assert not any(thread.name == "write-reply" for thread in threading.enumerate())
    streams = [backend.stream(Conversation.ask("hi"), Options()) for _ in range(SLOTS)]
    for each in streams:
        first = next(each)
        assert isinstance(first, Waiting)
        assert first.stage is Stage.READING, "a slot is still taken"
    for each in streams:
        each.close()


def test_those_who_wait_see_their_place_and_come_in_order(embedded: EmbeddedBackend) -> None:
    inside, waiting = crowd(embedded, SLOTS), crowd(embedded, QUEUE)
    try:
        for place, stream in enumerate(waiting, start=1):
            event = next(stream)
            assert isinstance(event, Waiting)
            assert (event.stage, event.place) == (Stage.QUEUED, place)
        with pytest.raises(Busy):
            next(embedded.stream(Conversation.ask("hi"), Options()))
        waiting.pop(0).close()  # who leaves the queue makes everybody after move up
        event = next(waiting[0])
        assert isinstance(event, Waiting)
        assert event.place == 1
        inside.pop().close()
        event = next(waiting[0])
        assert isinstance(event, Waiting)
        assert event.stage is Stage.READING
        event = next(waiting[1])
        assert isinstance(event, Waiting)
        assert event.place == 1
    finally:
        for stream in [*waiting, *inside]:
            stream.close()


def crowd(backend: EmbeddedBackend, many: int) -> list[EventStream]:
    """Streams that were begun, so that each has its place."""
    streams = [backend.stream(Conversation.ask(LONG), Options()) for _ in range(many)]
    for stream in streams:
        next(stream)
    return streams


def test_one_visitors_stop_does_not_touch_anothers_reply(embedded: EmbeddedBackend) -> None:
    stays: list[Event] = []
    thread = threading.Thread(
        target=lambda: stays.extend(
            embedded.stream(Conversation.ask(RAAS), Options(max_new_tokens=200))
        )
    )
    thread.start()
    for _ in range(4):
        leaves = embedded.stream(Conversation.ask("What is asthma?"), Options())
        for event in leaves:
            if isinstance(event, ReasoningDelta):
                break
        leaves.close()
    thread.join(60.0)
    reasoning, answer, end = told(stays)
    assert reasoning
    assert answer
    assert end.reason in (EndReason.FINISHED, EndReason.LENGTH)


def test_silence_is_told_at_least_twice_a_second(embedded: EmbeddedBackend) -> None:
    times, fractions = [time.monotonic()], list[float]()
    stream = embedded.stream(Conversation.ask(LONG), Options(seed=1))
    with closing(stream):
        for event in stream:
            times.append(time.monotonic())
            if not isinstance(event, Waiting):
                break
            if event.stage is Stage.READING and event.fraction is not None:
                fractions.append(event.fraction)
    assert max(after - before for before, after in pairwise(times)) < 0.5
    assert fractions == sorted(fractions)
    assert len(set(fractions)) > 4


def test_closing_the_backend_ends_its_streams_and_leaves_nothing(model_path: Path) -> None:
    backend = EmbeddedBackend.from_settings(Settings(embedded_model=str(model_path)))
    running = [backend.stream(Conversation.ask(RAAS), Options()), *crowd(backend, SLOTS - 1)]
    next(running[0])
    waiting = crowd(backend, 1)
    for event in running[0]:
        if isinstance(event, ReasoningDelta):
            break
    folder = socket_folder(backend)
    assert folder.exists()
    began = time.monotonic()
    backend.close()
    assert time.monotonic() - began < 2.0
    backend.close()
    assert not folder.exists()
    ends = [event for event in running[0] if isinstance(event, Ended)]
    assert [end.reason for end in ends] == [EndReason.INTERRUPTED]
    with pytest.raises(NotReady):
        list(waiting[0])
    with pytest.raises(NotReady):
        list(backend.stream(Conversation.ask("hi"), Options()))
    assert isinstance(backend.status(), Failed)


def test_a_question_asked_while_it_loads_may_be_closed_at_once(model_path: Path) -> None:
    backend = EmbeddedBackend.from_settings(Settings(embedded_model=str(model_path)))
    with closing(backend):
        stream = backend.stream(Conversation.ask(RAAS), Options())
        first = next(stream)
        assert isinstance(first, Waiting)
        assert first.stage is Stage.LOADING
        began = time.monotonic()
        stream.close()
        assert time.monotonic() - began < 0.2


def test_closing_it_the_moment_it_is_loaded_does_not_hang(model_path: Path) -> None:
    # A hang is in native code and holds the interpreter, so that only a process can be timed.
    program = """
import sys
from pathlib import Path
from backend.llama import Llama
for _ in range(25):
    Llama(Path(sys.argv[1]), adapter=None, context=256, slots=1, special=False).close()
"""
    subprocess.run(
        [sys.executable, "-c", program, str(model_path)], cwd=ROOT, timeout=60, check=True
    )
