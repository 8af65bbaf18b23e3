"""The page in front of our own endpoint with the real model: two programs and a real browser."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.backend.conftest import model_path
from tests.conftest import Program
from tests.test_app import free_port
from tests.test_end_to_end import PATIENCE, ask, shorten
from tests.ui.conftest import Open, browser, open_page
from ui.words import ENGLISH as words

__all__ = ["browser", "model_path", "open_page"]

pytestmark = [pytest.mark.browser, pytest.mark.model]

Start = Callable[..., Program]


def start_endpoint(program: Start, model: Path, port: int) -> Program:
    running: Program = program(
        *("-m", "endpoint", "--backend", "embedded", "--port", str(port)),
        EMBEDDED_MODEL=str(model),
    )
    running.line("The model is ready", seconds=120.0)
    return running


def start_page(program: Start, endpoint: int) -> tuple[Program, str]:
    app: Program = program(
        *("app.py", "--port", str(free_port())),
        BACKEND="remote",
        MODAL_ENDPOINT=f"http://127.0.0.1:{endpoint}/v1",
    )
    return app, app.line("Open http").split()[1]


def answer(page: Page) -> Locator:
    """The last answer, which is neither its trace nor its foot."""
    return page.locator("#chat .bot-row:not(:has(.thought-group)):not(:has(.foot))").last


def sentence(template: str) -> str:
    return template.partition(" (ref")[0]


def foot(page: Page, n: int) -> Locator:
    """The foot of the last of `n` turns, once it is there."""
    expect(page.locator("#chat .foot")).to_have_count(n, timeout=PATIENCE)
    return page.locator("#chat .foot").last


def put(page: Page, field: int, value: float) -> None:
    """Into a number of the open settings."""
    page.locator("#settings input[type=number]").nth(field).fill(str(value))
    page.keyboard.press("Tab")


def seconds_at_work(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def test_the_page_shows_both_panels_of_the_endpoints_model_and_stop_reaches_it(
    program: Start, model_path: Path, open_page: Open
) -> None:
    port = free_port()
    endpoint = start_endpoint(program, model_path, port)
    app, address = start_page(program, port)
    page = open_page(address)
    shorten(page, 128)
    ask(page, "What is asthma?")
    expect(foot(page, 1)).to_contain_text("tokens/s")
    expect(page.locator("#chat .caveat")).to_contain_text("very small model")
    page.locator("#chat .thought-group .title").last.click()
    trace = page.locator("#chat .thought-group .content").last
    expect(trace).to_be_visible()
    assert len(trace.inner_text()) > 20
    assert len(answer(page).inner_text()) > 20
    assert answer(page).inner_text() != trace.inner_text()
    expect(page.locator("#state")).to_have_attribute("data-state", "ready")

    put(page, 0, 1024)
    ask(page, words.EXAMPLES[0])
    expect(page.locator("#chat .thought-group").last).to_contain_text(
        words.THINKING, timeout=PATIENCE
    )
    page.click("#stop")
    expect(page.locator("#chat .foot-stopped")).to_be_visible(timeout=3_000)
    inside = psutil.Process(endpoint.process.pid)
    time.sleep(0.5)
    worked = seconds_at_work(inside)
    time.sleep(1.0)
    assert seconds_at_work(inside) - worked < 0.3  # a core at work would be 1.0 and more
    put(page, 0, 64)
    ask(page, "What is a stroke?")
    expect(foot(page, 3)).not_to_contain_text(words.STOPPED_EARLY)
    assert endpoint.process.poll() is None
    for each in (app, endpoint):
        each.signal(signal.SIGTERM)
        assert each.end(30.0) == 0
        assert "stroke" not in "\n".join([*each.out, *each.err])


def test_an_endpoint_killed_in_an_answer_leaves_it_marked_and_answers_when_it_is_back(
    program: Start, model_path: Path, open_page: Open
) -> None:
    port = free_port()
    endpoint = start_endpoint(program, model_path, port)
    _, address = start_page(program, port)
    page = open_page(address)
    page.click("#settings .label-wrap")
    put(page, 1, 0)  # the temperature, so that this answer is always the same and never short
    question = "Explain asthma in great detail, with every step."
    ask(page, question)
    expect(page.locator("#chat .thought-group")).to_contain_text("Thought for", timeout=PATIENCE)
    expect(answer(page)).to_contain_text(re.compile(r"\w.{40}", re.DOTALL), timeout=PATIENCE)
    part = answer(page).inner_text().strip()[:40]
    endpoint.process.kill()
    expect(foot(page, 1)).to_contain_text(sentence(words.CUT))
    assert answer(page).inner_text().strip().startswith(part)
    expect(page.locator("#chat .user-row")).to_contain_text(question)
    expect(page.locator("#send")).to_be_enabled()
    expect(page.locator("#stop")).to_be_hidden()

    ask(page, "What is a stroke?")
    expect(foot(page, 2)).to_contain_text(sentence(words.DOWN))
    expect(page.locator("#chat .user-row").last).to_contain_text("What is a stroke?")
    expect(page.locator("#state")).to_have_attribute("data-state", "failed")

    start_endpoint(program, model_path, port)
    put(page, 0, 64)
    ask(page, "What is a stroke?")
    last = foot(page, 3)
    expect(last).not_to_contain_text(sentence(words.DOWN))
    expect(last).to_contain_text("tokens/s")
