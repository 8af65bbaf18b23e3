"""Thumbs: under whole answers only, by mouse, keyboard and ear, into a count and nothing else."""

from __future__ import annotations

import json
import re

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Request, expect

from backend.base import Options
from backend.scripted import ScriptedBackend
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Usage
from settings import Secret
from tests.conftest import Serve
from tests.ui.conftest import Open
from tests.ui.test_metrics import TOKEN, read, values
from ui.feedback import PER_MINUTE, REASONS
from ui.words import ENGLISH as words

SAID = words.said_by_script()


def answers(*ends: EndReason) -> ScriptedBackend:
    left = list(ends)

    def play(conversation: Conversation, options: Options):
        end = left.pop(0)
        yield ReasoningDelta("A trace.")
        yield from (AnswerDelta(f"Answer to {conversation.question}."), Ended(end, Usage(9, 20, 2)))

    return ScriptedBackend(play)


def counted(address: str) -> dict[str, float]:
    given = values(read(address).text)
    found = {re.sub(r'.*reason="(\w+)",verdict="(\w+)".*', r"\2 \1", name): n
             for name, n in given.items() if "feedback" in name}  # fmt: skip
    return found


def ask(page: Page, text: str, feet: int) -> None:
    page.fill("#question textarea", text)
    page.press("#question textarea", "Enter")
    expect(page.locator("#chat .foot")).to_have_count(feet)
    expect(page.locator("body")).not_to_have_class(re.compile("answering"))


@pytest.mark.browser
def test_a_whole_answer_is_judged_once_and_only_the_verdict_is_sent(
    serve: Serve, open_page: Open
) -> None:
    ends = (EndReason.FINISHED, EndReason.LENGTH, EndReason.FINISHED)
    address = serve(answers(*ends), metrics_token=Secret(TOKEN))
    page = open_page(address)
    sent: list[Request] = []
    page.on("request", lambda each: sent.append(each) if "/feedback" in each.url else None)
    ask(page, "canary one", 1)
    ask(page, "canary two", 2)
    thumbs = page.locator("#chat .thumb")
    expect(thumbs).to_have_count(2)  # none under the answer that was cut
    page.get_by_role("button", name=SAID["good"]).click()
    expect(page.locator("#chat .said")).to_have_text(SAID["thanks"])
    expect(page.locator("#announcer")).to_have_text(SAID["thanks"])
    page.locator("#chat .good").evaluate("one => one.click()")  # once more is not counted
    ask(page, "canary three", 3)
    expect(page.locator("#chat .said").first).to_have_text(SAID["thanks"])

    # The other by keyboard alone: opened, closed, opened, and a reason chosen.
    bad = page.get_by_role("button", name=SAID["bad"])
    bad.focus()
    page.keyboard.press("Enter")
    group = page.get_by_role("group", name=SAID["why"])
    expect(group.get_by_role("button")).to_have_text([SAID[f"reason_{each}"] for each in REASONS])
    expect(bad).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(bad).to_be_focused()
    expect(group).to_be_hidden()
    page.keyboard.press("Space")
    for _ in REASONS[: REASONS.index("unsafe") + 1]:
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(bad).to_have_attribute("aria-pressed", "true")
    expect(bad).to_be_focused()
    assert counted(address) == {"good none": 1, "bad unsafe": 1}
    assert [json.loads(each.post_data or "") for each in sent] == [
        {"verdict": "good"},
        {"verdict": "bad", "reason": "unsafe"},
    ]


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_list_fits_a_phone_and_axe_finds_nothing_to_complain_of(
    scheme: str, serve: Serve, open_page: Open
) -> None:
    address = serve(answers(EndReason.FINISHED), metrics_token=Secret(TOKEN))
    page = open_page(address, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    ask(page, "What is a stroke?", 1)
    page.get_by_role("button", name=SAID["bad"]).click()
    sizes = page.locator("#chat .feedback button").evaluate_all(
        """all => all.map((one) => one.getBoundingClientRect())
                     .map((box) => [box.width, box.height, box.right])"""
    )
    assert len(sizes) == 2 + len(REASONS)
    assert all(min(width, height) >= 44 and right <= 360 for width, height, right in sizes)
    assert Axe().run(page).response["violations"] == []


@pytest.mark.browser
def test_what_cannot_be_counted_is_said_and_may_be_tried_again(
    serve: Serve, open_page: Open
) -> None:
    address = serve(answers(EndReason.FINISHED), metrics_token=Secret(TOKEN))
    page = open_page(address)
    ask(page, "What is a stroke?", 1)
    page.route("**/feedback", lambda route: route.abort())
    good = page.get_by_role("button", name=SAID["good"])
    good.click()
    expect(page.locator("#chat .said")).to_have_text(SAID["uncounted"])
    page.unroute("**/feedback")
    good.click()
    expect(page.locator("#chat .said")).to_have_text(SAID["thanks"])
    assert counted(address) == {"good none": 1}


@pytest.mark.browser
def test_where_nobody_counts_there_are_no_thumbs_and_no_address(
    serve: Serve, open_page: Open
) -> None:
    address = serve(answers(EndReason.FINISHED))
    page = open_page(address)
    ask(page, "What is a stroke?", 1)
    expect(page.locator("#chat .feedback")).to_have_count(1)
    page.wait_for_timeout(600)
    expect(page.locator("#chat .thumb")).to_have_count(0)
    taken = httpx.post(f"{address}/feedback", json={"verdict": "good"})
    nothing = httpx.post(f"{address}/nothing", json={"verdict": "good"})
    assert (taken.status_code, taken.content) == (404, nothing.content)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"good",
        b"[]",
        b'{"verdict": "good", "verdict": "bad"}',
        b'{"verdict": "great"}',
        b'{"verdict": ["good"]}',
        b'{"verdict": "bad"}',
        b'{"verdict": "bad", "reason": "canary"}',
        b'{"verdict": "bad", "reason": ["wrong"]}',
        b'{"verdict": "good", "reason": "wrong"}',
        b'{"verdict": "good", "text": "canary"}',
        b'{"verdict": "good", "x": NaN}',
    ],
)
def test_whatever_else_is_sent_is_refused(body: bytes, counting: str) -> None:
    answer = httpx.post(f"{counting}/feedback", content=body)
    assert (answer.status_code, answer.json()) == (400, {"detail": words.BAD_REQUEST})
    assert counted(counting) == {}


@pytest.fixture(scope="module")
def counting():
    from tests.conftest import serving

    with serving(answers(), metrics_token=Secret(TOKEN)) as address:
        yield address


def test_a_long_body_and_another_site_s_page_are_refused(counting: str) -> None:
    long = httpx.post(f"{counting}/feedback", content=b'{"verdict": "good"' + b" " * 300 + b"}")
    assert long.status_code == 413
    elsewhere = {"origin": "https://evil.example"}
    assert httpx.post(f"{counting}/feedback", json={}, headers=elsewhere).status_code == 403
    assert httpx.get(f"{counting}/feedback").status_code == 405


def test_a_script_cannot_drown_the_counts_not_even_from_this_machine(counting: str) -> None:
    with httpx.Client(base_url=counting) as client:
        codes = [client.post("/feedback", json={"verdict": "good"}).status_code for _ in range(30)]
    assert codes == [204] * PER_MINUTE + [429] * (30 - PER_MINUTE)
    assert counted(counting) == {"good none": PER_MINUTE}
