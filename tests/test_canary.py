"""Row 88: a secret goes through every part, and is looked for in everything that is left.

Each part runs in a process of its own at LOG_LEVEL=DEBUG, with every folder that it might write to
inside one that is searched afterwards, with each line of its output.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from backend.base import BackendError, Options
from backend.remote import RemoteBackend
from chat.conversation import Conversation
from settings import Settings
from tests.backend.conftest import model_path
from tests.behaviours import DONE, SAYS, STOP, delta, event, stream
from tests.conftest import ROOT, Program
from tests.exchange import Exchange
from tests.faults import Behaviour, FaultServer
from tests.test_app import free_port
from tests.ui.conftest import Open, browser, open_page
from tests.visitor import Visitor, shown
from ui.words import ENGLISH as words

__all__ = ["browser", "model_path", "open_page"]

FOLDERS = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "HF_HOME")
TOKEN = "correct-horse"  # noqa: S105


class Place:
    """Where a program may write, and what is looked for there afterwards."""

    def __init__(self, root: Path, program: Callable[..., Program]) -> None:
        self.canary = f"canary{secrets.token_hex(8)}"
        self._since = time.time() - 1
        self._root = root
        self._program = program
        self.environ = {name: str(root / name) for name in FOLDERS}
        for folder in (*self.environ.values(), str(root / "cwd")):
            Path(folder).mkdir()
        self.environ |= {"LOG_LEVEL": "DEBUG", "CANARY": self.canary}

    def start(self, *arguments: str, **environ: str) -> Program:
        given = {**self.environ, **environ}
        self.running = self._program(*arguments, cwd=self._root / "cwd", **given)
        return self.running

    def found(self) -> list[str]:
        """Where the canary is, once the program was ended."""
        if self.running.process.poll() is None:
            self.running.signal(signal.SIGTERM)
            assert self.running.end(20.0) == 0
        lines = [*self.running.out, *self.running.err]
        told = [line for line in lines if self.canary in line or "exception with text" in line]
        return told + [str(file) for file in self._written() if self._holds(file)]

    def _written(self) -> Iterator[Path]:
        """Every file of the folders, and what is new in the project itself."""
        yield from (path for path in self._root.rglob("*") if path.is_file())
        for folder, inner, names in os.walk(ROOT):
            inner[:] = [name for name in inner if not name.startswith((".", "__"))]
            files = [Path(folder, name) for name in names]
            yield from (file for file in files if file.stat().st_mtime >= self._since)

    def _holds(self, file: Path) -> bool:
        return self.canary.encode() in file.read_bytes()


@pytest.fixture
def place(tmp_path: Path, program: Callable[..., Program]) -> Place:
    return Place(tmp_path, program)


def drive_page(address: str, canary: str, visitor: Callable[[str], Visitor]) -> None:
    """Everything that the page's requests can carry, well formed and not."""
    one = visitor(address)
    for kind in ("echo", "broken", "failing"):
        assert canary in shown(list(one.ask(f"{canary} {kind}")))
    updates = one.ask(f"{canary} endless")
    assert any("an answer to" in shown([update]) for update in updates)
    one.stop()
    list(updates)
    asked = one.question(f"{canary} echo")
    turn = asked["data"][0][0]
    histories: list[Any] = [
        [{**turn, "role": "assistant", "metadata": {"id": "answer"}}, turn],
        [{**turn, "role": canary, "metadata": {canary: canary}}, turn],
        [{**turn, "content": [{"type": "file", "file": {"path": canary}}]}, turn],
        canary,
        {canary: canary},
    ]
    for history in histories:
        with contextlib.suppress(httpx.HTTPStatusError, httpx.RemoteProtocolError):
            said = {**asked, "data": [history, "medium", 512, 0.7]}
            one.post("queue/join", said).raise_for_status()
            list(one.updates())
    bodies = [
        {**asked, "fn_index": canary}, {**asked, "fn_index": 9_999}, {**asked, "data": canary},
        {**asked, "data": [canary]}, {**asked, "session_hash": f"{canary}/.."}, [canary],
        {**asked, "data": [[turn], canary, canary, canary]}, {canary: canary},
        {**asked, "event_data": canary, "trigger_id": canary},
    ]  # fmt: skip
    for body in bodies:
        for path in ("queue/join", "run/predict", "cancel", "reset"):
            one.post(path, body)
    raw = {"content-type": "application/json"}
    for content in (canary.encode(), f'{{"data": ["{canary}'.encode(), b"\xff" + canary.encode()):
        one.http.post("/gradio_api/queue/join", content=content, headers=raw)
    one.post("run/predict", one.envelope("begin", f"{canary} " + "x" * 9_000, []))
    for path in (f"/{canary}", f"/?{canary}", f"/state?{canary}", f"/gradio_api/file={canary}"):
        one.http.get(path, headers={"user-agent": canary, "x-forwarded-for": canary})
    told = one.http.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert "medicalgpt_runs_total" in told.text
    assert canary not in told.text


def test_the_page_leaves_nothing_of_what_was_said(
    place: Place, visitor: Callable[[str], Visitor]
) -> None:
    running = place.start("-m", "tests.serve_canary", "page", METRICS_TOKEN=TOKEN)
    address = running.line("http://").strip()
    drive_page(address, place.canary, visitor)
    assert place.found() == []
    log = "\n".join(running.err)
    for expected in ("ended=finished", "ended=interrupted", "ended=stopped", "RuntimeError"):
        assert expected in log


def test_a_leak_of_any_kind_is_found(place: Place, visitor: Callable[[str], Visitor]) -> None:
    """The test of the tests around it."""
    running = place.start("-m", "tests.serve_canary", "page")
    one = visitor(running.line("http://").strip())
    for kind in ("log", "print", "file", "temp", "error"):
        list(one.ask(f"{place.canary} leak-{kind}"))
    found = "\n".join(place.found())
    assert found.count("\n") == 4
    for told in ("leak-log", "leak-print", "asked.txt", "TMPDIR", "ValueError at leak.py"):
        assert told in found


def test_the_endpoint_leaves_nothing_in_either_contract(place: Place) -> None:
    running = place.start("-m", "tests.serve_canary", "endpoint")
    address, canary = running.line("http://").strip(), place.canary
    said = [{"role": "user", "content": f"{canary} echo"}]
    chats: list[Any] = [
        {"messages": said}, {"messages": said, "stream": True},
        {"messages": said, "stop": [canary]},
        {"messages": [{"role": "user", "content": f"{canary} broken"}], "stream": True},
        {"messages": [{"role": "user", "content": f"{canary} failing"}]},
        {"messages": [{"role": canary, "content": canary}]}, {"messages": canary}, [canary],
        {"messages": said, "model": canary}, {"messages": said, "max_tokens": canary},
    ]  # fmt: skip
    with httpx.Client(base_url=address, timeout=30.0) as http:
        for chat in chats:
            http.post(f"/v1/chat/completions?{canary}", json={"model": "x", **chat}
                      if isinstance(chat, dict) else chat)  # fmt: skip
            http.post("/v1/chat/completions", json=chat)
        for kind in ("echo", "broken", "failing"):
            http.post("/generate", json={"message": f"{canary} {kind}"})
        for path in ("/generate", "/v1/chat/completions"):
            for content in (canary, f'{{"message": "{canary}', f'{{"message": ["{canary}"]}}'):
                http.post(path, content=content, headers={"content-type": "application/json"})
        http.get(f"/{canary}", headers={"authorization": f"Bearer {canary}"})
    assert place.found() == []
    assert "ended=finished" in "\n".join(running.err)


def repeats(exchange: Exchange) -> Behaviour:
    """An endpoint that says what it was asked, in every place where it can."""
    asked = exchange.request.body.decode("utf-8", "replace")
    words_ = json.dumps(asked[-200:])
    kinds: list[Behaviour] = [
        stream(delta(reasoning=asked), delta(content=asked), STOP, DONE),
        stream(*SAYS, event({"error": {"message": asked, "code": asked}}), DONE),
        stream(*SAYS, b"data: " + words_.encode()[1:] + b"\n\n"),
        stream(delta(content=asked)),
        lambda each: each.answer(400, asked.encode()),
        lambda each: each.answer(500, asked.encode()),
        lambda each: each.answer(200, asked.encode(), "text/html"),
    ]
    return kinds[next(number for number in range(7) if f"kind{number}" in asked)]


def test_the_page_in_front_of_an_endpoint_leaves_nothing(
    place: Place, visitor: Callable[[str], Visitor]
) -> None:
    with FaultServer() as endpoint:
        endpoint.behave(lambda exchange: repeats(exchange)(exchange))
        running = place.start(
            str(ROOT / "app.py"),
            BACKEND="remote",
            MODAL_ENDPOINT=endpoint.url(),
            PORT=str(free_port()),
            HOST="127.0.0.1",
        )
        one = visitor(running.line("Open ").removeprefix("Open ").strip())
        for number in range(7):
            list(one.ask(f"{place.canary} kind{number}"))
        assert endpoint.posts >= 7
        assert place.found() == []
    assert "ended=finished" in "\n".join(running.err)


def test_no_exception_of_the_client_holds_what_was_said() -> None:
    canary = f"canary{secrets.token_hex(8)}"
    told: list[str] = []
    with FaultServer() as endpoint:
        endpoint.behave(lambda exchange: repeats(exchange)(exchange))
        for number in range(7):
            backend = RemoteBackend.from_settings(Settings(modal_endpoint=endpoint.url()))
            asked = Conversation.ask(f"{canary} kind{number}")
            try:
                list(backend.stream(asked, Options()))
            except BackendError as error:
                told.append("".join(traceback.format_exception(error)) + repr(error.__context__))
            finally:
                backend.close()
    assert len(told) >= 5
    assert canary not in "".join(told)


@pytest.mark.model
def test_the_small_model_leaves_nothing(
    place: Place, visitor: Callable[[str], Visitor], model_path: Path
) -> None:
    running = place.start(
        str(ROOT / "app.py"),
        BACKEND="embedded",
        EMBEDDED_MODEL=str(model_path),
        PORT=str(free_port()),
        HOST="127.0.0.1",
    )
    address = running.line("Open ").removeprefix("Open ").strip()
    running.line("The model is ready", 120.0)
    seen = shown(list(visitor(address).ask(f"What is {place.canary}?")))
    assert "foot" in seen
    assert place.found() == []
    assert "ended=" in "\n".join(running.err)


@pytest.mark.skipif(
    importlib.util.find_spec("safety.__main__") is None, reason="there is no such command yet"
)
def test_the_command_that_reads_messages_repeats_none(place: Place) -> None:
    lines = [json.dumps({"text": f"{place.canary} I want to die"}), f'{{"text": "{place.canary}']
    for line in lines:
        ended = subprocess.run(
            [sys.executable, "-m", "safety"],
            check=False,
            input=f"{line}\n",
            text=True,
            capture_output=True,
            cwd=place.environ["HOME"],
            env={**os.environ, "PYTHONPATH": str(ROOT), **place.environ},
            timeout=60.0,
        )
        assert ended.stdout + ended.stderr != ""
        assert place.canary not in ended.stdout + ended.stderr
    place.start("-c", "").end(20.0)
    assert place.found() == []


@pytest.mark.browser
def test_a_kept_conversation_is_not_kept_by_the_server(place: Place, open_page: Open) -> None:
    running = place.start("-m", "tests.serve_canary", "page")
    page = open_page(running.line("http://").strip())
    page.click("#open-conversations")
    page.get_by_label(words.KEEP).check()
    page.keyboard.press("Escape")
    page.fill("#question textarea", f"{place.canary} echo")
    page.press("#question textarea", "Enter")
    expect(page.locator("#chat .foot-finished")).to_be_visible()
    page.wait_for_function(
        f"Object.entries(localStorage).some(([name, kept]) => name.startsWith('medicalgpt.kept.')"
        f" && kept.includes('{place.canary}'))"
    )
    page.reload()
    expect(page.locator("#chat .user-row")).to_contain_text(place.canary)
    page.context.close()
    assert place.found() == []
