"""The server dies under an open page, and comes back."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.conftest import Program
from tests.ui.conftest import Open
from ui import words

pytestmark = pytest.mark.browser


def test_a_killed_server_costs_the_visitor_no_text_and_the_page_works_again(
    program: Callable[..., Program], open_page: Open
) -> None:
    first = program("-m", "tests.serve_scripted", "slow", "--rate", "4", "--answer", "200")
    address = first.line("http://").strip()
    page = open_page(address)
    page.fill("#question textarea", "What is asthma?")
    page.press("#question textarea", "Enter")
    expect(page.locator("#chat .thought-group")).to_contain_text("thought0")

    first.signal(signal.SIGKILL)
    expect(page.locator("#told")).to_contain_text(words.LOST)
    expect(page.locator("#state")).to_contain_text(words.SAID_BY_SCRIPT["gone"])
    expect(page.locator("#question textarea")).to_have_value("What is asthma?")
    expect(page.locator("#send")).to_be_visible()

    port = address.rsplit(":", 1)[1]
    again = program("-m", "tests.serve_scripted", "slow", "--rate", "0", "--port", port)
    again.line("http://")
    expect(page.locator("#state")).to_contain_text("ready")
    # Gradio loads the page anew once the server is there.
    expect(page.get_by_text(words.TAGLINE)).to_be_visible()
    expect(page.locator("#question textarea")).to_have_value("What is asthma?")
    expect(page.locator("#told")).to_contain_text(words.LOST)
    page.press("#question textarea", "Enter")
    expect(page.locator("#chat .foot-finished")).to_be_visible()
    expect(page.locator("#told")).to_be_empty()
    page.press("#question textarea", "Enter")
    expect(page.locator("#notice")).to_contain_text(words.EMPTY)
    assert page.evaluate("sessionStorage.length") == 0


def test_a_notice_stands_again_after_the_reload_that_follows_a_loss(
    program: Callable[..., Program], open_page: Open
) -> None:
    first = program("-m", "tests.serve_scripted", "slow", "--rate", "4", "--answer", "200")
    address = first.line("http://").strip()
    page = open_page(address)
    page.fill("#question textarea", "I have crushing chest pain going down my left arm.")
    page.press("#question textarea", "Enter")
    expect(page.locator("#alarms .alarm-emergency")).to_be_visible()

    first.signal(signal.SIGKILL)
    expect(page.locator("#told")).to_contain_text(words.LOST)
    expect(page.locator("#alarms .alarm-emergency")).to_be_visible()
    port = address.rsplit(":", 1)[1]
    again = program("-m", "tests.serve_scripted", "slow", "--rate", "0", "--port", port)
    again.line("http://")
    expect(page.get_by_text(words.TAGLINE)).to_be_visible()
    expect(page.locator("#alarms .alarm-emergency")).to_be_visible()
    page.locator("#alarms select").select_option("gb")
    expect(page.locator("#alarms .alarm-emergency")).to_contain_text("999")

    page.press("#question textarea", "Enter")
    expect(page.locator("#chat .foot-finished")).to_be_visible()
    expect(page.locator("#alarms .alarm")).to_have_count(1)
    page.click("#new")
    expect(page.locator("#alarms .alarm")).to_have_count(0)
    assert page.evaluate("sessionStorage.length") == 0
