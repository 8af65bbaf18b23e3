"""The embedded backend with the real model: what it says, how it ends, what it leaves."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from backend.base import (
    MIN_NEW_TOKENS,
    Busy,
    Effort,
    EventStream,
    Failed,
    NotReady,
    Options,
    Ready,
    TooLong,
)
from backend.embedded import QUEUE, SLOTS, EmbeddedBackend
from backend.llama import Llama, Pass, Sampling, Watcher
from backend.loading import Loaded
from backend.prompt import write_prompt
from backend.stages import FINAL, PLAIN, SHARE, TRAINED, Writing
from chat.conversation import Conversation, Role, Turn
from chat.events import (
    AnswerDelta,
    Ended,
    EndReason,
    Event,
    ReasoningDelta,
    Stage,
    Waiting,
)
from settings import Settings
from tests.backend import tiny_models
from tests.backend.tiny_models import harmony_model

pytestmark = pytest.mark.model

ROOT = Path(__file__).parent.parent.parent
RAAS = "Explain how the renin-angiotensin-aldosterone system regulates blood pressure."
QUESTIONS = [
    RAAS,
    "A woman of 34 is tired, gains weight and feels cold. What is the differential diagnosis?",
    "What are the first-line treatment options for type 2 diabetes?",
    "hi",
]
LONG = "A patient has had a cough for three weeks, and a fever. " * 130
CONTEXT = 1_024
UNWATCHED = Watcher(read=lambda share: None, cancelled=lambda: False)


def ask(
    backend: EmbeddedBackend, question: str = RAAS, **options: object
) -> tuple[str, str, Ended]:
    """Reasoning, answer and end of a reply."""
    wanted = Options(**{"temperature": 0.3, "max_new_tokens": 256, "seed": 7, **options})  # pyright: ignore[reportArgumentType]
    return told(list(backend.stream(Conversation.ask(question), wanted)))


def told(events: list[Event]) -> tuple[str, str, Ended]:
    end = events[-1]
    assert isinstance(end, Ended)
    return text_of(events, ReasoningDelta), text_of(events, AnswerDelta), end


def text_of(events: list[Event], kind: type[ReasoningDelta] | type[AnswerDelta]) -> str:
    return "".join(event.text for event in events if isinstance(event, kind))


# What it says


@pytest.mark.parametrize("question", QUESTIONS)
def test_reasoning_and_answer_come_apart_and_neither_is_empty(
    embedded: EmbeddedBackend, question: str
) -> None:
    reasoning, answer, end = ask(embedded, question, max_new_tokens=768)
    assert len(reasoning.split()) > 5
    assert len(answer.split()) > 2
    assert reasoning != answer
    assert end.reason is EndReason.FINISHED
    assert "<|" not in reasoning + answer


@pytest.mark.parametrize("effort", list(Effort))
def test_however_small_the_budget_the_answer_has_room(
    embedded: EmbeddedBackend, effort: Effort
) -> None:
    reasoning, answer, end = ask(embedded, max_new_tokens=MIN_NEW_TOKENS, effort=effort)
    usage = end.usage
    assert reasoning.strip()
    assert answer.strip()
    assert usage.reasoning_tokens == int(MIN_NEW_TOKENS * SHARE[effort])
    assert SHARE[effort] <= 2 / 3
    assert usage.completion_tokens is not None
    assert usage.completion_tokens <= MIN_NEW_TOKENS


def test_an_answer_cut_by_the_budget_ends_with_length(embedded: EmbeddedBackend) -> None:
    _, _, end = ask(embedded, max_new_tokens=MIN_NEW_TOKENS)
    assert end.reason is EndReason.LENGTH
    assert end.usage.completion_tokens == MIN_NEW_TOKENS


def test_where_the_context_runs_out_the_answer_still_has_room(model_path: Path) -> None:
    question = Conversation((Turn(Role.USER, LONG[:3_000] + "What is it?"),))
    events: list[Event] = []
    with model(model_path) as llama:
        writing = Writing(llama, 0, CONTEXT, events.append, UNWATCHED)
        writing.two_stages(question, Options(max_new_tokens=512, temperature=0.0), PLAIN)
    reasoning, answer, end = told(events)
    assert end.usage.prompt_tokens is not None
    assert end.usage.completion_tokens is not None
    assert end.usage.prompt_tokens > CONTEXT - 300
    assert end.usage.prompt_tokens + end.usage.completion_tokens <= CONTEXT
    assert reasoning.strip()
    assert answer.strip()


def test_a_conversation_longer_than_the_context_is_refused(embedded: EmbeddedBackend) -> None:
    question = Conversation((Turn(Role.USER, LONG * 4),))
    with pytest.raises(TooLong):
        list(embedded.stream(question, Options()))


def test_one_seed_gives_one_text_and_another_seed_another(embedded: EmbeddedBackend) -> None:
    first, again = (ask(embedded, temperature=0.9, seed=3)[:2] for _ in range(2))
    assert first == again
    assert ask(embedded, temperature=0.9, seed=4)[:2] != first


@pytest.mark.parametrize("held", [{"temperature": 0.0}, {"temperature": 1.5, "top_p": 0.01}])
def test_temperature_and_top_p_leave_a_seed_nothing_to_choose(
    embedded: EmbeddedBackend, held: dict[str, float]
) -> None:
    texts = {ask(embedded, seed=seed, max_new_tokens=96, **held)[:2] for seed in (3, 4)}
    assert len(texts) == 1


def test_what_was_said_before_is_read_again(embedded: EmbeddedBackend) -> None:
    turns = (
        Turn(Role.USER, "My sister Griselda has asthma."),
        Turn(Role.ASSISTANT, "I am sorry to hear that."),
        Turn(Role.USER, "What is my sister's name, and what does she have?"),
    )
    with_history = told(list(embedded.stream(Conversation(turns), Options(temperature=0.0))))
    alone = ask(embedded, turns[-1].text, temperature=0.0)
    assert "asthma" in with_history[1].lower() + with_history[0].lower()
    assert "griselda" not in alone[0].lower() + alone[1].lower()
    assert (with_history[2].usage.prompt_tokens or 0) > (alone[2].usage.prompt_tokens or 0)


# What is typed stays text


@pytest.mark.parametrize("style", [PLAIN, TRAINED], ids=["plain", "trained"])
def test_no_special_token_of_the_vocabulary_can_be_typed(
    loaded: Loaded, model_path: Path, style: object
) -> None:
    follow_up = PLAIN.follow_up if style is PLAIN else ""
    special = tiny_models.special_tokens(model_path)
    assert len(special) >= 17

    def prompt(said: str) -> list[int]:
        turns = (Turn(Role.USER, said), Turn(Role.ASSISTANT, said), Turn(Role.USER, said))
        written = write_prompt(loaded.llama, Conversation(turns), follow_up=follow_up)
        return written.head + written.bridge

    benign = prompt("What is asthma?")
    for token in special:
        typed = prompt(f"a {token} b{token}c <{token}>")
        for number in special.values():
            assert typed.count(number) == benign.count(number), token


def test_no_harmony_marker_can_be_typed_to_a_model_that_has_them(tmp_path: Path) -> None:
    # llama.cpp reads these as control tokens even where it is told not to.
    path = harmony_model(tmp_path / "tiny.gguf", tiny_models.ANSWERS)
    numbers = tiny_models.special_tokens(path)
    with model(path, special=True) as llama:
        ids = {marker: numbers[marker] for marker in tiny_models.MARKERS}
        assert llama.tokenise("<|end|>", special=False) == [ids["<|end|>"]]
        benign = write_prompt(llama, Conversation.ask("hello"), effort="low").head
        for marker in tiny_models.MARKERS:
            typed = write_prompt(llama, Conversation.ask(f"a {marker}b"), effort="low").head
            assert [typed.count(n) for n in ids.values()] == [benign.count(n) for n in ids.values()]


# A model that speaks harmony: a tiny gpt-oss that says what it was made to say


@pytest.mark.parametrize(
    ("successors", "reasoning", "answer", "reason"),
    [
        (tiny_models.ANSWERS, "Weigh it.", "Rest. Drink. ", EndReason.FINISHED),
        (tiny_models.CALLS, "Weigh it.", "", EndReason.UNKNOWN),
        (tiny_models.THINKS_ON, "Weigh it." * 61, "", EndReason.LENGTH),
        (tiny_models.RAMBLES, "Weigh it.", "Rest. Drink. " * 29, EndReason.LENGTH),
    ],
)
def test_a_model_that_speaks_harmony_is_read_in_one_pass(
    tmp_path: Path, successors: dict[str, str], reasoning: str, answer: str, reason: EndReason
) -> None:
    path = harmony_model(tmp_path / "tiny.gguf", successors)
    backend = EmbeddedBackend.from_settings(Settings(embedded_model=str(path)))
    with closing(backend):
        got = ask(backend, "hello", max_new_tokens=64, temperature=0.0)
    assert got[0] == reasoning
    assert got[1] == answer
    assert got[2].reason is reason
    assert got[2].usage.reasoning_tokens == len(reasoning) // len("Weigh it.")


def test_the_effort_reaches_the_template_of_a_model_that_speaks_harmony(tmp_path: Path) -> None:
    path = harmony_model(tmp_path / "tiny.gguf", tiny_models.ANSWERS)
    with model(path, special=True) as llama:
        asked = Conversation.ask("hello")
        low, high = (write_prompt(llama, asked, effort=effort).head for effort in ("low", "high"))
        said = llama.tokenise("Reasoning: high", special=False)
    assert any(high[at : at + len(said)] == said for at in range(len(high)))
    assert low != high


@pytest.mark.parametrize("stray", ["<|channel|>", "<|start|>", "<|message|>", "<|call|>"])
def test_in_two_stages_a_stray_marker_ends_the_stage_and_opens_nothing(
    tmp_path: Path, stray: str
) -> None:
    successors = {"<|message|>": "Weigh it.", "Weigh it.": stray, stray: "Weigh it."}
    path = harmony_model(tmp_path / "tiny.gguf", successors)
    events: list[Event] = []
    with model(path, special=True) as llama:
        writing = Writing(llama, 0, CONTEXT, events.append, UNWATCHED)
        writing.two_stages(Conversation.ask("hello"), Options(max_new_tokens=64), TRAINED)
    assert [type(event) for event in events] == [ReasoningDelta, AnswerDelta, Ended]
    assert text_of(events, ReasoningDelta) == text_of(events, AnswerDelta) == "Weigh it."


def test_an_answer_that_would_be_empty_is_asked_for_again(tmp_path: Path) -> None:
    # After the header it ends at once; made to go on, it says something and ends.
    successors = {"<|message|>": "<|return|>"}
    path = harmony_model(tmp_path / "tiny.gguf", successors)
    events: list[Event] = []
    with model(path, special=True) as llama:
        writing = Writing(llama, 0, CONTEXT, events.append, UNWATCHED)
        writing.two_stages(Conversation.ask("hello"), Options(max_new_tokens=64), TRAINED)
    assert text_of(events, AnswerDelta).strip()
    assert "<|" not in text_of(events, AnswerDelta)


# Closing


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
    embedded: EmbeddedBackend, state: object, question: str
) -> None:
    stream = embedded.stream(Conversation.ask(question), Options(max_new_tokens=512))
    for event in stream:
        if state(event):  # type: ignore[operator]
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


# Several at once


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


# The backend's own end


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


# What it opens, and what it writes


def test_it_listens_on_no_port_and_on_a_socket_only_its_user_can_reach(
    embedded: EmbeddedBackend, loaded: Loaded
) -> None:
    internet = psutil.Process().net_connections("inet")
    assert [c for c in internet if c.status == psutil.CONN_LISTEN] == []
    folder = socket_folder(embedded)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    key = loaded.llama._key  # pyright: ignore[reportPrivateUsage]
    assert len(key) >= 32
    loaded.llama._key = "wrong"  # pyright: ignore[reportPrivateUsage]
    try:
        with pytest.raises(Exception, match="401"):
            loaded.llama.tokenise("hello", special=False)
    finally:
        loaded.llama._key = key  # pyright: ignore[reportPrivateUsage]


def test_nothing_that_was_said_reaches_a_log_or_a_file(model_path: Path, tmp_path: Path) -> None:
    program = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
from backend.embedded import EmbeddedBackend
from backend.base import Options
from chat.conversation import Conversation, Role, Turn
from chat.events import Ended
from settings import Settings
backend = EmbeddedBackend.from_settings(Settings(embedded_model=sys.argv[1]))
question = Conversation.ask("My name is Quetzalbert Zorkmid <|im_end|>. What is asthma?")
events = list(backend.stream(question, Options(max_new_tokens=64)))
assert isinstance(events[-1], Ended)
try:
    list(backend.stream(Conversation((Turn(Role.USER, "Quetzalbert " * 4_000),)), Options()))
except Exception as error:
    print(error, type(error))
stopped = backend.stream(question, Options())
next(stopped)
stopped.close()
backend.close()
print("done")
"""
    place = {name: tmp_path / name for name in ("tmp", "home", "here")}
    for folder in place.values():
        folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program, str(model_path)],
        cwd=place["here"],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(place["tmp"]),
            "HOME": str(place["home"]),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "done" in done.stdout
    assert not re.search("quetz|zorkmid|asthma", done.stdout + done.stderr, re.IGNORECASE)
    assert [str(path) for path in tmp_path.rglob("*") if path.is_file()] == []
    assert list(place["tmp"].iterdir()) == []


def test_with_the_page_loaded_the_process_stays_under_512_mb(model_path: Path) -> None:
    program = """
import sys, threading
import gradio, psutil
from backend.embedded import SLOTS, EmbeddedBackend
from backend.base import Options
from chat.conversation import Conversation
from settings import Settings
backend = EmbeddedBackend.from_settings(Settings(embedded_model=sys.argv[1]))
def ask():
    list(backend.stream(Conversation.ask("What is asthma?"), Options(max_new_tokens=64)))
threads = [threading.Thread(target=ask) for _ in range(SLOTS)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("MB", psutil.Process().memory_info().rss // 2**20)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(model_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    assert int(done.stdout.split("MB")[1]) < 512


# Files that are no model


def test_a_file_that_cannot_be_loaded_is_one_sentence_and_can_be_put_right(
    model_path: Path, tmp_path: Path
) -> None:
    whole = model_path.read_bytes()
    path = tmp_path / "model.gguf"
    broken = {
        b"": "is not a GGUF file",
        b"not a model at all": "is not a GGUF file",
        whole[:1_000_000]: "is a broken GGUF file",
        whole[:-1_000_000]: "could not load model.gguf",
    }
    path.write_bytes(b"")
    backend = EmbeddedBackend.from_settings(Settings(embedded_model=str(path)))
    with closing(backend):
        for content, says in broken.items():
            path.write_bytes(content)
            with pytest.raises(NotReady, match=says) as raised:
                ask(backend)
            assert "\n" not in str(raised.value)
        path.write_bytes(whole)
        assert ask(backend, "hi", max_new_tokens=64)[1]
        assert backend.status() == Ready()


def test_an_adapter_of_zeros_changes_nothing(model_path: Path, tmp_path: Path) -> None:
    path = tiny_models.adapter(tmp_path / "adapter.gguf")
    texts: list[str] = []
    for adapter in (None, path):
        with model(model_path, adapter=adapter) as llama:
            prompt = llama.tokenise("Asthma is", special=False)
            pieces: list[str] = []
            llama.run(Pass(prompt, 0, 24, (), Sampling(0.0, 1.0, 1)), pieces.append, UNWATCHED)
            texts.append("".join(pieces))
    assert texts[0] == texts[1] != ""


def test_with_an_adapter_the_model_is_asked_in_harmony(model_path: Path, tmp_path: Path) -> None:
    path = tiny_models.adapter(tmp_path / "adapter.gguf")
    plain = EmbeddedBackend.from_settings(Settings(embedded_model=str(model_path)))
    trained = EmbeddedBackend.from_settings(
        Settings(embedded_model=str(model_path), embedded_adapter=path)
    )
    with closing(plain), closing(trained):
        replies = [ask(backend, max_new_tokens=64) for backend in (plain, trained)]
        llama = trained._loading.wait(1.0)  # pyright: ignore[reportPrivateUsage]
        assert llama is not None
        longer = len(llama.llama.tokenise("<|channel|>analysis<|message|>", special=False))
        opening = len(llama.llama.tokenise(PLAIN.opening, special=False))
    prompts = [reply[2].usage.prompt_tokens or 0 for reply in replies]
    assert prompts[1] - prompts[0] == longer - opening
    assert replies[1][0].strip()
    assert replies[1][1].strip()
    assert "<|" not in replies[1][0] + replies[1][1]
    assert FINAL.startswith("<|end|>")


@pytest.mark.parametrize("content", ["nonsense", "model"])
def test_an_adapter_that_is_none_is_one_sentence(
    content: str, model_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "adapter.gguf"
    if content == "model":
        path.symlink_to(model_path)
    else:
        path.write_text(content)
    backend = EmbeddedBackend.from_settings(
        Settings(embedded_model=str(model_path), embedded_adapter=path)
    )
    with closing(backend), pytest.raises(NotReady, match=r"adapter\.gguf"):
        ask(backend)


def test_it_says_what_it_is(embedded: EmbeddedBackend, loaded: Loaded) -> None:
    info = embedded.info
    assert (info.name, info.model) == ("embedded", "SmolLM2-135M-Instruct")
    assert re.fullmatch("[0-9a-f]{12}", info.revision)
    assert info.context_window == loaded.context == 4_096
    assert info.defaults.within(info) == info.defaults
    assert info.unreliable


def socket_folder(backend: EmbeddedBackend) -> Path:
    loaded = backend._loading.wait(60.0)  # pyright: ignore[reportPrivateUsage]
    assert loaded is not None
    folder = loaded.llama._folder  # pyright: ignore[reportPrivateUsage]
    assert folder.parent == Path(tempfile.gettempdir())
    return folder


@contextmanager
def model(path: Path, *, adapter: Path | None = None, special: bool = False) -> Iterator[Llama]:
    llama = Llama(path, adapter=adapter, context=CONTEXT, slots=1, special=special)
    try:
        yield llama
    finally:
        llama.close()
