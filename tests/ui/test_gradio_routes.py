"""Every address that the installed Gradio serves by itself, asked of the real server."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import gradio as gr
import httpx
import psutil
import pytest
from fastapi import FastAPI

from tests.conftest import Program
from tests.ui.test_guard import CLIMBING, CLOSED, get
from ui.routes import find
from ui.words import ENGLISH, LANGUAGES, Words

FILLED = {"path": "etc/passwd", "path_or_url": "/etc/passwd", "url_path": "https://example.org/x"}
OTHERS = ("9000", "../x", "x", "predict")


NOT_FOUND = [words.NOT_FOUND for words in LANGUAGES.values()]
PAGES = [("", ENGLISH), ("/tr", LANGUAGES["tr"])]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[psutil.Process, str]]:
    running = Program("-m", "tests.serve_scripted", "slow", "--rate", "0")
    yield psutil.Process(running.process.pid), running.line("http://").strip()
    running.process.kill()
    running.end(10.0)


def gradio_addresses() -> list[tuple[str, str]]:
    """Method and path of all that `mount_gradio_app` adds, its parameters in braces."""
    # Where no event loop runs, Gradio makes several and closes none.
    return asyncio.run(_gradio_addresses())


async def _gradio_addresses() -> list[tuple[str, str]]:
    with gr.Blocks(analytics_enabled=False) as page:
        gr.Textbox()
    parent = FastAPI()
    gr.mount_gradio_app(parent, page, path="/")
    found: list[tuple[str, str]] = []

    def look(routes: list[Any]) -> None:
        for route in routes:
            inside = getattr(route, "original_router", None) or getattr(route, "app", None)
            if hasattr(inside, "routes"):
                look(inside.routes)
            elif hasattr(route, "path"):
                methods = getattr(route, "methods", None) or {"GET"}
                found.extend((method, route.path) for method in sorted(methods))

    look(parent.routes)
    return found


def filled(path: str) -> list[str]:
    """`path` with things for its parameters that somebody might try."""
    if "{" not in path:
        return [path]
    named = re.sub(r"{(\w+)(?::\w+)?}", lambda m: FILLED.get(m[1], "{}"), path)
    return [named.replace("{}", other) for other in OTHERS]


@pytest.mark.parametrize(("prefix", "words"), PAGES)
def test_of_all_that_gradio_serves_only_what_the_page_needs_is_there(
    server: tuple[psutil.Process, str], prefix: str, words: Words
) -> None:
    """Matrix row 84, from the installed version's own list: a new one cannot open by itself."""
    _, address = server
    served = gradio_addresses()
    closed = [(m, path) for m, each in served for path in filled(each) if find(path) is None]
    assert len(served) > 60
    assert len({path for _, path in closed}) > 30
    with httpx.Client(base_url=address + prefix, trust_env=False) as http:
        for method, path in closed:
            answer = http.request(method, path.replace("../", "%2e%2e/"), timeout=5.0)
            assert answer.status_code == 404, (method, path)
            told = answer.json() if answer.content else {"detail": words.NOT_FOUND}
            assert told == {"detail": words.NOT_FOUND}, (method, path)


def test_what_is_left_of_gradio_is_this_and_no_more() -> None:
    """Matrix row 84, the other way round: what a later version adds to these shows here."""
    open_ = {path for _, each in gradio_addresses() for path in filled(each) if find(path)}
    assert {re.sub(r"/(?:9000|x|predict|etc/passwd)$", "/…", path) for path in open_} == {
        "/", "/config", "/theme.css", "/favicon.ico", "/robots.txt", "/manifest.json",
        "/assets/…", "/static/…", "/gradio_api/app_id", "/gradio_api/info",
        "/gradio_api/heartbeat/…", "/gradio_api/queue/data", "/gradio_api/queue/join",
        "/gradio_api/run/…", "/gradio_api/cancel", "/gradio_api/reset",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/tr", "/en", "/tr/"])
def test_what_the_server_has_once_the_page_of_a_language_has_not(
    server: tuple[psutil.Process, str], path: str
) -> None:
    assert get(server[1], f"/tr{path}")[0] == 404


def test_an_icon_of_any_size_costs_no_memory(server: tuple[psutil.Process, str]) -> None:
    """Matrix row 84: `/pwa_icon/9000` took 300 MB of a bare Gradio."""
    process, address = server
    assert get(address, "/pwa_icon/1")[0] == 404
    before = process.memory_info().rss
    for size in ("9000", "20000", "-1", "0", "9" * 50):
        assert get(address, f"/pwa_icon/{size}")[0] == 404
    assert process.memory_info().rss - before < 1_000_000


MORE_CLIMBING = [
    *CLIMBING,
    *(
        f"/{folder}/{up}{end}"
        for folder in ("assets", "static")
        for up in ("../" * 8, "..%2f" * 8, "%2e%2e%2f" * 8, "..%252f" * 8, "%252e%252e/" * 8,
                   "..\\" * 8, "..%5c" * 8, "%2e%2e%5c" * 8, "..%c0%af" * 8, "..;/" * 8, "/", "%2f")
        for end in ("etc/passwd", "etc/passwd%00.css")
    ),
    "/assets/C:/Windows/win.ini", "/assets/file:///etc/passwd", "/static/%00", "/static/a%0d%0ab",
    "/static/a%0a", "/assets/%ff%fe", "/assets/%e2%80%a5/etc/passwd", "/assets/x?/../../y/..",
    "/gradio_api/file=..%2f..%2fapp.py", "/GRADIO_API/queue/join/../../monitoring",
    "/%2fetc/passwd",
    "/static/" + "a/" * 2_000, "/config/..%2fmonitoring", "/config%00", "/config%0a", "/config.",
]  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "/tr", "/tr/en", "/%74r"])
@pytest.mark.parametrize("path", MORE_CLIMBING)
def test_no_spelling_of_a_path_leads_out_of_its_folder(
    server: tuple[psutil.Process, str], path: str, prefix: str
) -> None:
    """Matrix row 84's traversal set: encoded, twice, backslashes, null bytes, absolute."""
    status, answer = get(server[1], prefix + path)
    assert status == 404
    assert json.loads(answer[answer.index(b"{") :])["detail"] in NOT_FOUND
    assert b"root:" not in answer


def test_the_list_of_closed_addresses_is_long_enough() -> None:
    assert len(CLOSED) >= 30
