"""Reasoning and answer got out of a model: in two stages, and in one pass."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from backend.base import (
    Options,
)
from backend.embedded import EmbeddedBackend
from backend.prompt import write_prompt
from backend.stages import PLAIN, TRAINED, Style, Writing
from chat.conversation import Conversation, Role, Turn
from chat.events import AnswerDelta, Ended, EndReason, Event, ReasoningDelta
from settings import Settings
from tests.backend import tiny_models
from tests.backend.asking import (
    CONTEXT,
    LONG,
    UNWATCHED,
    ask,
    model,
    text_of,
    told,
)
from tests.backend.tiny_models import harmony_model

pytestmark = pytest.mark.model


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


@pytest.mark.parametrize(
    ("successors", "text", "reason"),
    [
        (tiny_models.ANSWERS, "Drink. ", EndReason.FINISHED),
        (tiny_models.RAMBLES, "Drink. Rest. " * 32, EndReason.LENGTH),
        ({"Rest. ": "<|return|>"}, "", EndReason.FINISHED),
    ],
)
def test_an_answer_that_was_begun_is_gone_on_with_in_its_own_channel(
    tmp_path: Path, successors: dict[str, str], text: str, reason: EndReason
) -> None:
    path = harmony_model(tmp_path / "tiny.gguf", successors)
    backend = EmbeddedBackend.from_settings(Settings(embedded_model=str(path)))
    asked = replace(Conversation.ask("hello"), begun="Rest. ")
    with closing(backend):
        events = list(backend.stream(asked, Options(max_new_tokens=64, temperature=0.0)))
    reasoning, answer, end = told(events)
    assert (reasoning, answer, end.reason) == ("", text, reason)


@pytest.mark.parametrize("style", [TRAINED, PLAIN, None], ids=["trained", "plain", "harmony"])
def test_no_marker_in_an_answer_that_was_begun_becomes_a_control_token(
    tmp_path: Path, style: Style | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = harmony_model(tmp_path / "tiny.gguf", tiny_models.ANSWERS)
    prompts: list[list[int]] = []
    with model(path, special=True) as llama:
        run = llama.run
        monkeypatch.setattr(llama, "run", lambda p, *a: prompts.append(p.prompt) or run(p, *a))
        for begun in ("Rest. ", f"Rest. {''.join(tiny_models.MARKERS)} Rest. "):
            asked = replace(Conversation.ask("hello"), begun=begun)
            writing = Writing(llama, 0, CONTEXT, lambda event: None, UNWATCHED)
            writing.go_on(asked, Options(max_new_tokens=64, temperature=0.0), style)
    controls = tiny_models.special_tokens(path)
    ids = [controls[marker] for marker in tiny_models.MARKERS]
    benign, forged = ([prompt.count(each) for each in ids] for prompt in prompts)
    assert forged == benign


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


def test_where_a_template_opens_the_thoughts_itself_they_are_closed_before_the_answer(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with model(model_path) as llama:
        plain = llama.render
        monkeypatch.setattr(llama, "render", lambda *a, **k: plain(*a, **k) + "<think>\n")
        prompt = write_prompt(llama, Conversation.ask("hello"), follow_up="Now answer.")
        closed = llama.tokenise("<think>\n</think>\n\n", special=True)
    assert prompt.bridge[-len(closed) :] == closed
    assert prompt.head[-len(closed) :] != closed


def test_a_thought_that_the_model_closes_ends_the_stage(tmp_path: Path) -> None:
    for stray in ("<think>", "</think>"):
        successors = {"<|message|>": "Weigh it.", "Weigh it.": stray, stray: "Weigh it."}
        path = harmony_model(tmp_path / f"tiny{len(stray)}.gguf", successors)
        events: list[Event] = []
        with model(path, special=True) as llama:
            writing = Writing(llama, 0, CONTEXT, events.append, UNWATCHED)
            writing.two_stages(Conversation.ask("hello"), Options(max_new_tokens=64), TRAINED)
        assert text_of(events, ReasoningDelta) == text_of(events, AnswerDelta) == "Weigh it."
