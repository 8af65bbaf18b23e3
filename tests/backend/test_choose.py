"""Which backend `auto` takes, and the reason that the page and the terminal give."""

from __future__ import annotations

from contextlib import closing

import pytest

from backend import choose, local_loading, open_backend
from backend.base import NotReady, Options
from backend.gpu import INSTALL, Gpu
from chat.conversation import Conversation
from settings import Settings
from ui.words import ENGLISH


@pytest.mark.parametrize(
    ("gpu", "name", "reason"),
    [
        (Gpu(present=False), "embedded", "no NVIDIA GPU"),
        (Gpu(present=True), "embedded", INSTALL),
        (Gpu(present=True, installed=True), "embedded", "torch does not see the NVIDIA GPU"),
        (Gpu(True, True, 8_000_000_000), "embedded", "The GPU has 8 GB and gpt-oss needs 15"),
        (Gpu(True, True, 15_600_000_000), "local", "torch sees a GPU with 16 GB"),
    ],
)
def test_auto_takes_what_this_machine_can_and_says_why(gpu: Gpu, name: str, reason: str) -> None:
    why = choose(Settings(), gpu)
    assert why.backend == name
    assert reason in ENGLISH.why(why)


def test_an_endpoint_or_an_explicit_choice_stands_over_a_gpu() -> None:
    gpu = Gpu(True, True, 80_000_000_000)
    assert choose(Settings(modal_endpoint="https://a.example/v1"), gpu).backend == "remote"
    assert choose(Settings(backend="embedded"), gpu).backend == "embedded"


def test_without_the_libraries_it_opens_and_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_loading, "find_spec", lambda name: None)
    opened = open_backend(Settings(backend="local"))
    with closing(opened.backend) as backend, pytest.raises(NotReady, match=INSTALL):
        list(backend.stream(Conversation.ask("What is asthma?"), Options()))
