"""`python app.py` with the real embedded model, in a real browser."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Program
from tests.ui.conftest import Open, browser, open_page
from ui.words import ENGLISH as words

__all__ = ["browser", "open_page"]

pytestmark = [pytest.mark.browser, pytest.mark.model]

PATIENCE = 120_000
"""Milliseconds for the model to end an answer, on a busy machine."""


def start(program: Callable[..., Program]) -> tuple[Program, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    app = program("app.py", "--backend", "embedded", "--port", port)
    address = app.line("Open http").split()[1]
    app.line("The model is ready", seconds=300)
    return app, address


def ask(page: Page, text: str) -> None:
    page.fill("#question textarea", text)
    page.press("#question textarea", "Enter")


def shorten(page: Page, tokens: int) -> None:
    page.click("#settings .label-wrap")
    page.locator("#settings input[type=number]").first.fill(str(tokens))
    page.keyboard.press("Tab")


def test_three_questions_are_thought_about_and_answered_by_the_real_model(
    program: Callable[..., Program], open_page: Open
) -> None:
    app, address = start(program)
    page = open_page(address)
    shorten(page, 128)
    for n, question in enumerate([*words.EXAMPLES[:2], "canary-e2e: what is asthma?"], start=1):
        ask(page, question)
        expect(page.locator("#chat .foot")).to_have_count(n, timeout=PATIENCE)
        page.locator("#chat .thought-group .title").last.click()
        trace = page.locator("#chat .thought-group .content").last
        expect(trace).to_be_visible()
        assert len(trace.inner_text()) > 20
        answer = page.locator("#chat .bot-row:not(:has(.thought-group)):not(:has(.foot))").last
        assert len(answer.inner_text()) > 20
        assert answer.inner_text() != trace.inner_text()
        assert "<|" not in page.locator("#chat").inner_text()
        expect(page.locator("#chat .caveat").last).to_contain_text("very small model")
    page.reload()
    expect(page.get_by_text(words.TAGLINE)).to_be_visible()
    app.signal(signal.SIGTERM)
    assert app.end(30) == 0
    assert "canary" not in "\n".join([*app.out, *app.err])


def test_base_and_adapter_answer_one_question_side_by_side(
    program: Callable[..., Program], open_page: Open
) -> None:
    app, address = start(program)
    page = open_page(address)
    page.goto(f"{address}/compare")
    page.wait_for_selector("#question textarea")
    shorten(page, 64)
    ask(page, "canary-e2e: what is asthma?")
    expect(page.locator("#sides .foot")).to_have_count(2, timeout=PATIENCE)
    adapted, plain = (page.locator(f"#{side}") for side in ("adapted", "plain"))
    for side in (adapted, plain):
        expect(side.locator(".figures")).to_contain_text("tokens/s")
        expect(side.locator(".caveat")).to_contain_text("very small model")
    said = ".bot-row:not(:has(.foot))"
    assert adapted.locator(said).all_inner_texts() != plain.locator(said).all_inner_texts()
    app.signal(signal.SIGTERM)
    assert app.end(30) == 0
    assert "canary" not in "\n".join([*app.out, *app.err])


def test_stop_ends_the_models_work_and_the_next_question_is_answered(
    program: Callable[..., Program], open_page: Open
) -> None:
    app, address = start(program)
    page = open_page(address)
    ask(page, words.EXAMPLES[0])
    expect(page.locator("#chat .thought-group")).to_contain_text("Thinking", timeout=PATIENCE)
    page.click("#stop")
    expect(page.locator("#chat .foot-stopped")).to_be_visible(timeout=3_000)
    shorten(page, 64)
    ask(page, "What is asthma?")
    expect(page.locator("#chat .foot")).to_have_count(2, timeout=PATIENCE)
    expect(page.locator("#chat .foot").last).not_to_contain_text(words.STOPPED_EARLY)
    app.signal(signal.SIGTERM)
    assert app.end(30) == 0


def test_a_term_signal_during_an_answer_lets_it_finish_and_exits_in_order(
    program: Callable[..., Program], open_page: Open
) -> None:
    app, address = start(program)
    page = open_page(address)
    shorten(page, 128)
    ask(page, "What is asthma?")
    expect(page.locator("#chat .thought-group")).to_contain_text("Thinking", timeout=PATIENCE)
    asked_at = time.monotonic()
    app.signal(signal.SIGTERM)
    expect(page.locator("#chat .foot")).to_be_visible(timeout=40_000)
    assert app.end(40) == 0
    assert time.monotonic() - asked_at < 40
