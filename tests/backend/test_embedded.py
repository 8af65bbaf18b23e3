"""The embedded backend with the real model: what it says, and to what it listens."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest

import backend.prompt as prompt_module
from backend.base import (
    MIN_NEW_TOKENS,
    Effort,
    Options,
    TooLong,
)
from backend.embedded import EmbeddedBackend
from backend.loading import Loaded
from backend.prompt import write_prompt
from backend.stages import PLAIN, SHARE, TRAINED, Style
from chat.conversation import Conversation, Role, Turn
from chat.events import EndReason
from settings import Settings
from tests.backend import tiny_models
from tests.backend.asking import (
    LONG,
    RAAS,
    ask,
    model,
    told,
)
from tests.backend.tiny_models import harmony_model

QUESTIONS = [
    RAAS,
    "A woman of 34 is tired, gains weight and feels cold. What is the differential diagnosis?",
    "What are the first-line treatment options for type 2 diabetes?",
    "hi",
]

pytestmark = pytest.mark.model


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


@pytest.mark.parametrize("neutralised", [True, False], ids=["neutralised", "as typed"])
@pytest.mark.parametrize("style", [PLAIN, TRAINED], ids=["plain", "trained"])
def test_no_special_token_of_the_vocabulary_can_be_typed(
    loaded: Loaded,
    model_path: Path,
    style: Style,
    neutralised: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not neutralised:  # how the text is tokenised must be enough by itself
        monkeypatch.setattr(prompt_module, "neutralise", str)
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


def test_it_says_what_it_is(embedded: EmbeddedBackend, loaded: Loaded) -> None:
    info = embedded.info
    assert (info.name, info.model) == ("embedded", "SmolLM2-135M-Instruct+medical-reasoning")
    assert re.fullmatch(r"[0-9a-f]{12}\+[0-9a-f]{12}", info.revision)
    assert info.context_window == loaded.context == 4_096
    assert info.defaults.within(info) == info.defaults
    assert info.unreliable
    assert (info.base, info.base_revision) == ("SmolLM2-135M-Instruct", info.revision[:12])
    assert info.adapter == f"medical-reasoning@{info.revision[13:]}"


def test_the_base_answers_as_if_there_were_no_adapter(
    embedded: EmbeddedBackend, model_path: Path
) -> None:
    wanted = {"max_new_tokens": 96, "temperature": 0.0}
    of_adapter = ask(embedded, **wanted)[:2]
    of_base = ask(embedded, base=True, **wanted)[:2]
    with closing(
        EmbeddedBackend.from_settings(
            Settings(embedded_model=str(model_path), embedded_adapter="none")
        )
    ) as without:
        assert ask(without, **wanted)[:2] == of_base
        assert without.info.base is None
    assert ask(embedded, **wanted)[:2] == of_adapter != of_base
