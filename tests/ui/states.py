"""Every state that the page can be in, and how a visitor brings it there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from urllib.parse import urljoin

from playwright.sync_api import Page, expect

from backend.base import Options, Unreachable
from backend.scripted import Pause, ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Stage, Usage
from tests.line import Line

Reach = Callable[[Page], object]
"""Brings a page that was just opened into a state."""

EMERGENCY = "I have crushing chest pain going down my left arm and I am sweating."
CRISIS = "I want to kill myself tonight."
BOTH = "I took 40 paracetamol an hour ago because I want to die."
ANSWER = (
    "**Asthma** is a [disease](https://example.org) of the airways.\n\n"
    "| Sign | Meaning |\n|---|---|\n| wheeze | narrow airways |\n\n"
    "1. Avoid what sets it off.\n2. Use `salbutamol` as prescribed.\n\n"
    "```\npeak flow = 400\n```\n"
)
FOR_EVER = 600.0


def play(conversation: Conversation, options: Options) -> Iterator[Step]:
    """What the question's last word says."""
    state = conversation.question.rsplit(maxsplit=1)[-1]
    if state == "fail":
        yield Unreachable("refused")
    if state == "wake":
        yield Pause(FOR_EVER, Stage.WAKING)
    yield ReasoningDelta("Wheeze means narrow airways. " * 8)
    if state == "think":
        yield Pause(FOR_EVER)
    if state == "room":
        yield Ended(EndReason.LENGTH, Usage(20, 40, 40))
        return
    if state == "withheld":
        yield Ended(EndReason.WITHHELD)
        return
    yield AnswerDelta(ANSWER)
    if state in ("write", "stop"):
        yield Pause(FOR_EVER)
    full = state == "full"
    yield Ended(EndReason.LENGTH if state == "cut" else EndReason.FINISHED,
                Usage(5_000 if full else 20, 90, 50))  # fmt: skip


def backend() -> ScriptedBackend:
    """With a base model beside it, and of a kind that is not to be trusted."""
    info = replace(ScriptedBackend(play).info, base="base-model", unreliable=True)
    return ScriptedBackend(play, info)


def ask(page: Page, text: str) -> None:
    page.fill("#question textarea", text)
    page.press("#question textarea", "Enter")


def quiet(page: Page) -> None:
    """Until nothing more is written."""
    expect(page.locator("body")).not_to_have_class(re.compile("answering"))


def asked(text: str, until: str) -> Reach:
    def reach(page: Page) -> None:
        ask(page, text)
        expect(page.locator(until).last).to_be_visible()

    return reach


def ended(state: str) -> Reach:
    """The reply to a question, to its end, with its trace unfolded."""

    def reach(page: Page) -> None:
        ask(page, f"What is asthma? {state}")
        expect(page.locator("#chat .foot:not(.foot-going)").last).to_be_visible()
        quiet(page)
        title = page.locator("#chat .thought-group .title")
        if title.count():
            title.last.click()
            expect(page.locator("#chat .thought-group .content").last).to_be_visible()

    return reach


def stopped(page: Page) -> None:
    ask(page, "What is asthma? stop")
    expect(page.locator("#chat table")).to_be_visible()
    page.click("#stop")
    expect(page.locator(".note-stopped")).to_be_visible()
    quiet(page)


def judging(page: Page) -> None:
    ended("whole")(page)
    page.click(".feedback .bad")
    expect(page.locator(".feedback .reasons")).to_be_visible()


def alternatives(page: Page) -> None:
    ended("whole")(page)
    page.locator("#chat .option").first.click()
    expect(page.locator("#chat .alternatives")).to_be_visible()
    quiet(page)


def editing(page: Page) -> None:
    ended("whole")(page)
    page.locator("#chat .user-row .message-buttons button").last.click()
    expect(page.locator("#chat .user-row textarea")).to_be_visible()


def refused(page: Page) -> None:
    ask(page, " ")
    expect(page.locator("#notice [role=alert]")).to_be_visible()


def lost(page: Page) -> None:
    server = urljoin(page.url, "/")
    with closing(Line(server.rstrip("/"))) as line:
        page.goto(f"{line.address}/{page.url.removeprefix(server)}")
        page.wait_for_selector("body.comparable")
        ask(page, "What is asthma? write")
        expect(page.locator("#chat table")).to_be_visible()
    expect(page.locator("#told")).not_to_be_empty(timeout=20_000)


def settings(page: Page) -> None:
    page.click("#settings .label-wrap")
    expect(page.locator("#settings input[type=range]").first).to_be_visible()


def conversations(act: str = "") -> Reach:
    """The dialog, with some kept; `act` is the button of the first that is pressed."""

    def reach(page: Page) -> None:
        page.click("#open-conversations")
        page.check("#keeping")
        page.locator("#import-file").set_input_files({
            "name": "kept.json", "mimeType": "application/json", "buffer": _kept().encode(),
        })  # fmt: skip
        expect(page.locator("#kept-list li")).to_have_count(3)
        if act:
            page.locator("#kept-list li").first.locator(act).click()

    return reach


def _kept() -> str:
    moment = "2026-01-01T00:00:00.000Z"
    reply = {"answer": ANSWER, "ended": "finished", "whole": True, "foot": None}
    turn = {"question": "What is asthma?", "asked": None, "shown": 0, "replies": [reply]}
    some = {"begun": moment, "changed": moment, "turns": [turn]}
    kept = [{"id": f"{n:032x}", "title": f"asthma {n}", **some} for n in range(3)]
    return json.dumps({"format": "medicalgpt", "version": 2, "conversations": kept})


def exporting(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 740})
    ended("whole")(page)
    page.click("#open-exporting")
    expect(page.locator("#exporting")).to_be_visible()


def compared(page: Page) -> None:
    ask(page, "What is asthma? whole")
    expect(page.locator("#sides .foot")).to_have_count(2)
    quiet(page)


def nothing(page: Page) -> None:
    """As it was opened."""


CHAT: dict[str, Reach] = {
    "empty": nothing,
    "refused": refused,
    "waiting": asked("What is asthma? wake", "#chat .thought-group"),
    "thinking": asked("What is asthma? think", "#chat .thought-group .content"),
    "answering": asked("What is asthma? write", "#chat table"),
    "answered": ended("whole"),
    "judging": judging,
    "alternatives": alternatives,
    "editing": editing,
    "failed": ended("fail"),
    "out of room": ended("room"),
    "cut off": ended("cut"),
    "withheld": ended("withheld"),
    "stopped": stopped,
    "full": ended("full"),
    "lost": lost,
    "emergency": asked(f"{EMERGENCY} whole", "#emergency .alarm"),
    "crisis": asked(CRISIS, "#chat .option"),
    "both": asked(BOTH, "#crisis .alarm"),
    "settings": settings,
    "conversations": conversations(),
    "renaming": conversations("button:nth-of-type(2)"),
    "deleting": conversations("button:nth-of-type(3)"),
    "exporting": exporting,
}
COMPARISON: dict[str, Reach] = {"comparison": nothing, "compared": compared}
DOCUMENTS = ("disclaimer", "privacy")
