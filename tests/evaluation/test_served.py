"""An endpoint before it is asked: asleep, without /health, elsewhere, with a list that is none."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from evaluation import served
from evaluation.served import EndpointError, Served, chosen, models

CARDS = [
    {"id": "tuned", "parent": "plain", "revision": "1+2", "unreliable": True},
    {"id": "plain", "object": "model"},
]
Answers = Callable[[str], tuple[int, object]]


@contextmanager
def listening(answers: Answers) -> Iterator[tuple[str, list[str]]]:
    """An address ending in /v1, and the paths that were asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, content = answers(self.path)
            body = json.dumps(content).encode()
            self.send_response(status)
            if status == 303:
                self.send_header("Location", "/stolen")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def listen() -> Iterator[Callable[[Answers], tuple[str, list[str]]]]:
    with ExitStack() as stack:
        yield lambda answers: stack.enter_context(listening(answers))


def test_one_that_sleeps_is_waited_for_and_said_to_be_once(listen) -> None:
    waits = [503, 503, 200]
    said: list[str] = []
    base, asked = listen(
        lambda path: (waits.pop(0), {}) if path == "/health" else (200, {"data": CARDS})
    )
    assert models(base, said.append) == [
        Served("tuned", "1+2", "plain", True),
        Served("plain", "", None, False),
    ]
    assert asked == ["/health"] * 3 + ["/v1/models"]
    assert said == ["waiting for the endpoint to wake"]


def test_one_without_health_is_asked_for_its_models(listen) -> None:
    base, _ = listen(lambda path: (404, {}) if path == "/health" else (200, {"data": CARDS}))
    assert [each.id for each in models(base)] == ["tuned", "plain"]


def test_one_that_does_not_wake_in_time_is_given_up(listen, monkeypatch) -> None:
    monkeypatch.setattr(served, "WAKE_SECONDS", 1.0)
    base, _ = listen(lambda path: (503, {}))
    with pytest.raises(EndpointError, match=r"not awake \(status 503\)"):
        models(base, lambda text: None)


@pytest.mark.parametrize("content", [[], {"data": [{}]}, {"data": [1]}, {"models": []}, "no"])
def test_a_list_that_is_none_is_told(listen, content: object) -> None:
    base, _ = listen(lambda path: (200, content))
    with pytest.raises(EndpointError, match=r"list of models is not OpenAI's"):
        models(base)


def test_no_redirect_is_followed_with_the_key(listen, monkeypatch) -> None:
    monkeypatch.setenv("ENDPOINT_API_KEY", "secret")
    base, asked = listen(lambda path: (200, {}) if path == "/health" else (303, {}))
    with pytest.raises(EndpointError, match="status 303"):
        models(base)
    assert "/stolen" not in asked


def test_a_model_is_chosen_by_its_name_by_being_first_or_all_are() -> None:
    both = [Served("a", "", None, False), Served("b", "", "a", False)]
    assert chosen(both, None) == both[:1]
    assert chosen(both, "all") == both
    assert chosen(both, "b,a") == both[::-1]
    with pytest.raises(EndpointError, match="serves a, b, and no c"):
        chosen(both, "a,c")
    with pytest.raises(EndpointError, match="serves no model"):
        chosen([], None)
