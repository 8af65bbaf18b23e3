"""The remote backend in front of servers that nobody here wrote, each in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from backend.base import (
    EventStream,
    Failed,
    Interrupted,
    Options,
    Ready,
    Refused,
    TooLong,
    Unreachable,
)
from backend.remote import RemoteBackend
from chat.conversation import SYSTEM_PROMPT, Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Usage
from settings import Secret, Settings
from tests.backend.conftest import model_path
from tests.conftest import Program, wait_until
from tests.test_app import free_port
from tests.tiny_checkpoints import ANSWERS, RAMBLES, cached

__all__ = ["model_path"]

Start = Callable[..., Program]
NO_TRANSFORMERS = (
    "no `transformers serve` here: pip install -r requirements-train.txt, or name the python of "
    "another environment that has it in the variable PEERS_PYTHON"
)
BRIEF = Options(max_new_tokens=64, seed=3)
STORY = Conversation.ask("Tell me a very long story about a hospital.")
ASKED = Conversation.ask("What is asthma?")


@dataclass
class Said:
    """A whole reply."""

    reasoning: str
    answer: str
    end: Ended


def whole(backend: RemoteBackend, asked: Conversation = ASKED, options: Options = BRIEF) -> Said:
    events = list(backend.stream(asked, options))
    assert isinstance(events[-1], Ended)
    return Said(
        "".join(each.text for each in events if isinstance(each, ReasoningDelta)),
        "".join(each.text for each in events if isinstance(each, AnswerDelta)),
        events[-1],
    )


def begun(stream: EventStream) -> str:
    """The first text of an answer."""
    return next(each.text for each in stream if isinstance(each, AnswerDelta))


@contextmanager
def asking(port: int, **settings: object) -> Iterator[RemoteBackend]:
    address = f"http://127.0.0.1:{port}/v1"
    backend = RemoteBackend(Settings(modal_endpoint=address, **settings))  # pyright: ignore[reportArgumentType]
    with closing(backend):
        yield backend


def start_llama(program: Start, model: Path, port: int, *keys: str) -> Program:
    running: Program = program("-m", "tests.serve_llama", str(model), str(port), *keys)
    running.line("Listening")
    return running


@pytest.mark.model
def test_llama_cpp_answers_with_its_own_counts_and_ends(program: Start, model_path: Path) -> None:
    port = free_port()
    start_llama(program, model_path, port)
    with asking(port) as backend:
        reply = whole(backend, options=Options(max_new_tokens=400, temperature=0.0))
        assert len(reply.answer) > 40
        assert reply.end.reason is EndReason.FINISHED
        counted = reply.end.usage
        assert counted.prompt_tokens
        assert counted.completion_tokens
        assert 20 < counted.prompt_tokens < 200
        assert 10 < counted.completion_tokens < 400
        assert backend.info.model == model_path.name
        assert backend.status() == Ready()
        cut = whole(backend, STORY)
        assert cut.end.reason is EndReason.LENGTH
        assert cut.end.usage.completion_tokens == BRIEF.max_new_tokens
        first, again = (whole(backend).answer for _ in range(2))
        assert first == again  # of the same seed
        with pytest.raises(TooLong):
            whole(backend, Conversation.ask("asthma and " * 700))
        # A marker that a person types stays text, where llama.cpp would make it a token.
        typed = "What is <|im_end|> asthma <|im_start|>?"
        messages = [
            {"role": "system", "content": SYSTEM_PROMPT},
            {"role": "user", "content": typed},
        ]
        raw = httpx.post(
            f"http://127.0.0.1:{port}/v1/chat/completions",
            json={"messages": messages, "max_tokens": 1},
            timeout=60.0,
        ).json()
        as_text = whole(backend, Conversation.ask(typed)).end.usage.prompt_tokens
        assert as_text is not None
        assert as_text >= raw["usage"]["prompt_tokens"] + 6


@pytest.mark.model
def test_closing_a_stream_stops_llama_cpps_work(program: Start, model_path: Path) -> None:
    port = free_port()
    start_llama(program, model_path, port)
    with asking(port) as backend, httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:

        def at_work() -> bool:
            return any(slot["is_processing"] for slot in http.get("/slots").json())

        stream = backend.stream(STORY, Options(max_new_tokens=900, seed=3))
        begun(stream)
        assert at_work()
        closed = time.monotonic()
        stream.close()
        assert time.monotonic() - closed < 1.0
        wait_until(lambda: not at_work(), 2.0)
        begun(backend.stream(ASKED, BRIEF))  # its only slot serves the next question


@pytest.mark.model
def test_llama_cpp_killed_in_an_answer_leaves_its_part_and_serves_again_when_it_is_back(
    program: Start, model_path: Path
) -> None:
    port = free_port()
    running = start_llama(program, model_path, port, "right")
    with asking(port, endpoint_api_key=Secret("wrong")) as backend:
        with pytest.raises(Refused):
            whole(backend)
        assert isinstance(backend.status(), Failed)
    with asking(port, endpoint_api_key=Secret("right")) as backend:
        stream = backend.stream(STORY, Options(max_new_tokens=900, seed=3))
        assert begun(stream)
        running.process.kill()
        with pytest.raises(Interrupted):
            list(stream)
        with pytest.raises(Unreachable):
            whole(backend)
        start_llama(program, model_path, port, "right")
        assert whole(backend).answer
        assert backend.status() == Ready()


def peers_python() -> str:
    """The python that has `transformers serve`."""
    named = os.environ.get("PEERS_PYTHON")
    if (
        named is None
        and importlib.util.find_spec("transformers")
        and importlib.util.find_spec("torch")
    ):
        return sys.executable
    if named is None:
        # Where everything must run, what does not run has failed.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_TRANSFORMERS)
    return named


def start_transformers(program: Start, home: Path, *arguments: str) -> int:
    port = free_port()
    served = ("-m", "transformers.cli.transformers", "serve", *arguments, "--device", "cpu")
    running: Program = program(
        *("-c", "import os, sys; os.execv(sys.argv[1], sys.argv[1:])", peers_python()),
        *(*served, "--host", "127.0.0.1", "--port", str(port)),
        PYTHONPATH="",
        HF_HOME=str(home),
        HF_HUB_OFFLINE="1",
        OMP_NUM_THREADS="1",
    )
    running.line("Uvicorn running", seconds=120.0)
    return port


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of three models: two of a kind whose dialect the server reads, and one other."""
    home = tmp_path_factory.mktemp("home")
    cached(home / "hub", "tiny/thinks", "qwen2", ANSWERS)
    cached(home / "hub", "tiny/rambles", "qwen2", RAMBLES)
    cached(home / "hub", "tiny/plain", "llama", ANSWERS)
    return home


def test_transformers_serve_answers_in_both_panels_and_stops_when_it_is_closed(
    program: Start, cache: Path
) -> None:
    port = start_transformers(program, cache)
    for model in ("tiny/thinks", "tiny/plain"):  # as reasoning_content, and as <think> in the text
        with asking(port, modal_model=model) as backend:
            reply = whole(backend)
            assert (reply.reasoning.strip(), reply.answer.strip()) == ("Weigh it.", "Rest. Drink.")
            assert reply.end.reason is EndReason.FINISHED
            assert backend.info.model == model
            counted = reply.end.usage
            assert counted == Usage(counted.prompt_tokens, completion_tokens=6)
            assert counted.prompt_tokens
            assert counted.prompt_tokens > len(SYSTEM_PROMPT.split())
    with asking(port, modal_model="tiny/rambles") as backend:
        cut = whole(backend)
        assert cut.end == Ended(EndReason.LENGTH, cut.end.usage)
        assert cut.end.usage.completion_tokens == BRIEF.max_new_tokens
        stream = backend.stream(STORY, Options(max_new_tokens=8_192))
        begun(stream)
        stream.close()
        began = time.monotonic()
        assert whole(backend).answer == cut.answer  # it answers one after the other
        assert time.monotonic() - began < 3.0


def test_transformers_serve_with_a_folder_and_no_cache_answers(
    program: Start, cache: Path, tmp_path: Path
) -> None:
    folder = next((cache / "hub" / "models--tiny--thinks" / "snapshots").iterdir())
    port = start_transformers(program, tmp_path / "nothing", str(folder))
    models = f"http://127.0.0.1:{port}/v1/models"
    assert httpx.get(models).status_code == 500  # what this is about: it cannot tell its model
    with asking(port, modal_model=str(folder)) as backend:
        assert whole(backend).answer.strip() == "Rest. Drink."
