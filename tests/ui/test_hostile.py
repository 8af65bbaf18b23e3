"""Rows 62 and 63: a hundred hostile replies in a real browser, as reasoning and as answer.

The page's CSP stays on and would stop most loads by itself, so that the network log alone proves
little: what the DOM holds is looked at too, and whether the CSP had anything to stop.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from backend.base import Options
from backend.scripted import ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta
from safety.markdown import Neutraliser
from tests.conftest import Serve
from tests.safety.hostile import REPLIES
from tests.ui.conftest import Open
from tests.ui.test_page import answers, ask, reasoning
from ui import panels

pytestmark = pytest.mark.browser

BATCH = 20
BATCHES = [REPLIES[at : at + BATCH] for at in range(0, len(REPLIES), BATCH)]

WATCH = """
window.stopped = [];
document.addEventListener("securitypolicyviolation", (e) => window.stopped.push(e.blockedURI));
"""
LOOK = """() => {
  const said = [...document.querySelectorAll("#chat .bot-row .md")];
  const found = said.flatMap((md) => [...md.querySelectorAll("*")]).filter((e) => {
    if (e.closest(".copy_code_button, .foot")) return false;
    if (e.matches("a")) {
      const host = e.host && (e.innerText + (e.nextSibling?.textContent ?? "")).includes(e.host);
      return !(/^https?:$/.test(e.protocol) && host);
    }
    if (e.closest(".katex, .katex-error")) return e.getBoundingClientRect().height > 400;
    const plain = "p,br,hr,b,strong,em,i,del,code,pre,ul,ol,li,blockquote,span,div,table,thead";
    const more = "tbody,tr,th,td,h1,h2,h3,h4,h5,h6";
    const text = e.matches(plain) || e.matches(more);
    const known = ["class", "start", "align"];
    const dressed = [...e.attributes].some((a) => !known.includes(a.name));
    return !text || dressed || e.matches(".mermaid");
  });
  const body = getComputedStyle(document.body);
  return {
    odd: found.map((e) => e.outerHTML.slice(0, 120)),
    canary: window.CANARY ?? null,
    stopped: window.stopped,
    looks: [body.display, body.backgroundImage, body.backgroundColor].join(),
    base: document.querySelectorAll("base, head meta[http-equiv=refresh]").length,
  };
}"""


def script(conversation: Conversation, options: Options) -> Iterator[Step]:
    """Batch n for question n, in pieces that end anywhere."""
    number, cut = int(conversation.question), random.Random(conversation.question)  # noqa: S311
    text = "\n\n".join(f"{each}\n\nstays {n}." for n, each in enumerate(BATCHES[number]))
    for kind in (ReasoningDelta, AnswerDelta):
        at = 0
        while at < len(text):
            size = cut.randint(1, 9)
            yield kind(text[at : at + size])
            at += size
    yield Ended(EndReason.FINISHED)


def play(page: Page, number: int) -> None:
    ask(page, str(number))
    last = f"stays {len(BATCHES[number]) - 1}."
    expect(page.locator("#chat .foot")).to_have_count(number + 1)
    expect(answers(page).last).to_contain_text(last)
    reasoning(page).locator(".title").click()
    expect(reasoning(page).locator(".content")).to_contain_text(last)


def test_row_62_and_63_a_hundred_hostile_replies_stay_text(serve: Serve, open_page: Open) -> None:
    assert len(REPLIES) >= 100
    address = serve(ScriptedBackend(script))
    page = open_page(address)  # fails the test where a request left for another host
    page.evaluate(WATCH)
    before = page.evaluate(LOOK)
    for number, batch in enumerate(BATCHES):
        play(page, number)
        for shown in (answers(page).last.inner_text(), reasoning(page).inner_text()):
            assert all(f"stays {n}." in shown for n in range(len(batch)))
        seen = page.evaluate(LOOK)
        assert seen == {**before, "odd": []}
    shown = page.locator("#chat").inner_text().replace("\u200b", "")
    for told in ("<script>", "<img src=x", "![alt](", "javascript:", "<form action=", "\\href"):
        assert told in shown, f"{told} is no longer readable"
    assert page.url.startswith(address)


class _Off(Neutraliser):
    def write(self, piece: str) -> None:
        self.text += piece


def test_with_the_neutraliser_off_the_same_look_finds_what_is_wrong(
    serve: Serve, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safety.screen.Neutraliser", _Off)
    page = browser.new_page()
    page.set_default_timeout(20_000)
    page.goto(serve(ScriptedBackend(script)))
    page.wait_for_selector("#question textarea")
    page.evaluate(WATCH)
    wrong = []
    for number in (1, len(BATCHES) - 2):
        ask(page, str(number))
        page.wait_for_timeout(2_000)
        seen = page.evaluate(LOOK)
        wrong += seen["odd"] + seen["stopped"]
    page.close()
    for each in ("<img", "<form", "<a", "outside.test"):
        assert any(each in one for one in wrong), each


def test_a_persons_own_markup_is_shown_as_typed(serve: Serve, open_page: Open) -> None:
    def polite(conversation: Conversation, options: Options) -> Iterator[Step]:
        yield from (AnswerDelta("Yes."), Ended(EndReason.FINISHED))

    typed = "<img src=x onerror=y> ![a](https://outside.test/a.png) [b](https://outside.test/b)"
    backend = ScriptedBackend(polite)
    page = open_page(serve(backend))
    ask(page, typed)
    bubble = page.locator("#chat .user-row").last
    expect(bubble).to_contain_text("onerror")
    assert bubble.inner_text().replace("\u200b", "").strip() == typed
    assert bubble.locator("img, a").count() == 0
    expect(answers(page)).to_have_count(1)
    assert backend.asked[0][0].question == typed
    assert panels.question(typed)["content"][0]["text"] != typed
