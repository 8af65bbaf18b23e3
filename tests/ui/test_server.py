"""The addresses around the page."""

from __future__ import annotations

import time

import httpx
import pytest

from backend.base import Asleep, Failed, Ready, Unreachable, Waking
from backend.scripted import ScriptedBackend
from chat.events import Stage
from tests.conftest import Program, Serve, wait_until
from tests.serve_scripted import Pattern, script
from tests.visitor import Visitor, shown
from ui.words import ENGLISH as words


def quick(**pattern: float) -> ScriptedBackend:
    return ScriptedBackend(script("slow", Pattern(rate=0, **pattern)))


def test_a_question_is_answered_over_the_page_s_own_requests(serve: Serve, visitor) -> None:
    backend = quick()
    updates = list(visitor(serve(backend)).ask("What is a stroke?"))
    assert "word59" in shown(updates)
    assert updates[-1]["msg"] == "close_stream"
    [(conversation, options)] = backend.asked
    assert conversation.question == "What is a stroke?"
    assert options.max_new_tokens == 512


def test_two_visitors_get_each_their_own_answer(serve: Serve, visitor) -> None:
    def echo(conversation, options):
        from chat.events import AnswerDelta, Ended, EndReason

        yield AnswerDelta(f"echo of {conversation.question}")
        yield Ended(EndReason.FINISHED)

    address = serve(ScriptedBackend(echo))
    one, two = visitor(address), visitor(address)
    first, second = one.ask("canary-one"), two.ask("canary-two")
    assert "echo of canary-one" in (seen := shown(list(first)))
    assert "canary-two" not in seen
    assert "echo of canary-two" in shown(list(second))


def test_healthz_never_asks_the_backend(serve: Serve) -> None:
    backend = quick()
    address = serve(backend)
    backend.status = None  # type: ignore[method-assign,assignment]
    answer = httpx.get(f"{address}/healthz")
    assert (answer.status_code, answer.text) == (200, "ok")


def test_readyz_says_whether_a_question_would_be_taken(serve: Serve) -> None:
    backend = quick()
    address = serve(backend)
    for state, code in (
        (Ready(), 200),
        (Asleep(), 200),
        (Waking(time.monotonic(), Stage.LOADING), 200),
        (Failed(Unreachable("secret-host refused")), 503),
    ):
        backend.state = state
        answer = httpx.get(f"{address}/readyz")
        assert answer.status_code == code
        assert "secret-host" not in answer.text


def test_state_is_a_kind_and_a_sentence_and_no_text_of_an_error(serve: Serve) -> None:
    backend = quick()
    address = serve(backend)
    backend.state = Failed(Unreachable("secret-host refused"))
    state = httpx.get(f"{address}/state").json()
    assert state["state"] == "failed"
    assert state["text"]
    assert "secret-host" not in str(state)


def test_the_disclaimer_has_a_page_of_its_own(serve: Serve) -> None:
    answer = httpx.get(f"{serve(quick())}/disclaimer")
    assert answer.headers["content-type"].startswith("text/html")
    assert words.DISCLAIMER_TITLE in answer.text


def test_health_is_quick_and_streams_go_on_while_fifty_people_are_answered(program) -> None:
    """Row 81: the GPU is down. Server and visitors are processes of their own, as in life, so
    that what is measured is the server's part."""
    pace = ("--rate", "20", "--reasoning", "20", "--answer", "300")
    address = program("-m", "tests.serve_scripted", "slow", *pace, "--down").line("http://")
    assert httpx.get(f"{address}/readyz").status_code == 503
    crowd: Program = program("-m", "tests.visitor", address, "50", "word299")
    crowd.line("streaming")
    took: list[float] = []
    with httpx.Client(base_url=address) as client:
        for _ in range(100):
            began = time.monotonic()
            assert client.get("/healthz").status_code == 200
            took.append(time.monotonic() - began)
            time.sleep(0.02)
    assert crowd.out == ["streaming"]  # nobody's answer had ended
    assert crowd.line("ended") == "ended 50"
    assert sorted(took)[98] < 0.1, sorted(took)[-5:]


@pytest.mark.parametrize("way", ["stop", "closed tab"])
def test_an_iterator_is_closed_within_a_second_of(way: str, serve: Serve, visitor) -> None:
    backend = ScriptedBackend(script("silent", Pattern()))
    one: Visitor = visitor(serve(backend))
    updates = one.ask("What is a stroke?")
    next(updates)
    wait_until(lambda: backend.open == 1, 5.0)
    began = time.monotonic()
    if way == "stop":
        one.stop()
    else:
        updates.close()
        one.close()
    wait_until(lambda: backend.open == 0, 5.0)
    assert time.monotonic() - began < 1.0
    if way == "stop":
        list(updates)


def test_opening_the_page_wakes_the_model_only_where_the_owner_wants_it(
    serve: Serve, visitor
) -> None:
    for wanted in (False, True):
        backend = quick()
        one: Visitor = visitor(serve(backend, wake_on_load=wanted))
        one.post("run/predict", one.envelope("opened")).raise_for_status()
        assert backend.woken == wanted


def test_a_failed_backend_gives_a_sentence_without_its_own_words(serve: Serve, visitor) -> None:
    backend = ScriptedBackend(lambda c, o: [Unreachable("https://secret-host/v1 refused")])
    seen = shown(list(visitor(serve(backend)).ask("What is a stroke?")))
    assert "secret-host" not in seen
    assert "cannot be reached" in seen


def test_a_shared_link_is_previewed_in_our_own_words(serve: Serve) -> None:
    head = httpx.get(serve(ScriptedBackend(lambda conversation, options: []))).text
    assert f'property="og:description" content="{words.DISCLAIMER}"' in head
    assert "og:image" not in head
    assert "twitter:" not in head
    assert 'content="Gradio"' not in head
