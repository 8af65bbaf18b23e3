"""One question from a terminal, through the page's own client."""

from __future__ import annotations

import io
import time
from pathlib import Path

import httpx
import pytest

from backend.scripted import ScriptedBackend
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Stage, Waiting
from endpoint.ask import ask_and_print, print_reply
from endpoint.gateway import create_gateway
from tests.conftest import wait_until
from tests.endpoint.upstream import llama_server, serving


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def scripted(reason: EndReason) -> ScriptedBackend:
    return ScriptedBackend(
        lambda *_: [
            Waiting(Stage.WAKING, 12.0),
            ReasoningDelta("Think"),
            ReasoningDelta("ing."),
            AnswerDelta("Rest."),
            Ended(reason),
        ]
    )


def test_seconds_are_counted_and_the_reasoning_is_dim() -> None:
    out = Terminal()
    assert print_reply(scripted(EndReason.FINISHED), "Why?", out)
    said = out.getvalue()
    assert "waking 12 s" in said
    assert "\x1b[2mThinking." in said
    assert said.endswith("\x1b[0m\n\nRest.\x1b[0m\n")


def test_a_file_gets_plain_text_and_an_unfinished_reply_is_marked() -> None:
    out = io.StringIO()
    assert not print_reply(scripted(EndReason.LENGTH), "Why?", out)
    assert out.getvalue() == "Reasoning:\nThinking.\n\nAnswer:\nRest.\n(not finished: length)\n"


@pytest.mark.model
def test_a_real_model_server_is_asked_through_the_gateway(model_path: Path) -> None:
    out = io.StringIO()
    with llama_server(model_path) as behind, serving(create_gateway(behind)) as address:
        wait_until(lambda: httpx.get(f"{address}/health").status_code == 200, 60.0)
        began = time.monotonic()
        ask_and_print("Say: yes.", address, out)
    assert len(out.getvalue().strip()) > 3
    assert time.monotonic() - began < 60.0
