"""The remote backend against a real socket: whom it asks, when, and how it lets go."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from backend.base import (
    Asleep,
    BackendError,
    EventStream,
    Failed,
    NotReady,
    Option,
    Options,
    Ready,
    Refused,
    TooLong,
    TooSlow,
    Unreachable,
    Waking,
)
from backend.policy import Policy
from backend.remote import RemoteBackend, shown_name
from chat.conversation import SYSTEM_PROMPT, Conversation, Role, Turn
from chat.events import (
    AnswerDelta,
    Ended,
    EndReason,
    Event,
    ReasoningDelta,
    Shortened,
    Stage,
    Waiting,
)
from settings import Secret, Settings
from tests import behaviours as do
from tests.behaviours import SAYS_HALF, THINKS, WHOLE
from tests.conftest import wait_until
from tests.faults import Behaviour, Exchange, FaultServer, alive

ASKED = Conversation.ask("What is asthma?")
SECONDS = Policy().scaled(1 / 20)
KEYS = {
    "modal_key": Secret("key"),
    "modal_secret": Secret("secret"),
    "endpoint_api_key": Secret("token"),
}


@contextmanager
def asking(
    server: FaultServer, policy: Policy = SECONDS, **settings: object
) -> Iterator[RemoteBackend]:
    backend = RemoteBackend(Settings(modal_endpoint=server.url(), **settings), policy)  # pyright: ignore[reportArgumentType]
    with closing(backend):
        yield backend


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as made:
        made.behave(do.stream(*WHOLE))
        yield made
        assert not made.problems


def stall(exchange: Exchange) -> None:
    exchange.stall(20.0)


def sleeping(exchange: Exchange) -> None:
    exchange.answer(503, b"")


def answer(backend: RemoteBackend) -> str:
    events = list(backend.stream(ASKED, Options()))
    assert events[-1] == Ended(EndReason.FINISHED)
    return "".join(event.text for event in events if isinstance(event, AnswerDelta)).strip()


def until(stream: EventStream, true: Callable[[Event], bool]) -> None:
    for event in stream:
        if true(event):
            return
    raise AssertionError("it never came to that")


def stage(wanted: Stage) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Waiting) and event.stage is wanted


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith(("ask", "wake"))]


def test_it_contacts_nobody_before_the_first_question(server: FaultServer) -> None:
    with asking(server) as backend:
        assert backend.status() == Asleep()
        assert (backend.info.name, backend.info.adapter) == ("remote", "")
        time.sleep(0.1)
    assert server.requests == []


def test_a_question_is_asked_once_after_a_sign_of_life(server: FaultServer) -> None:
    with asking(server) as backend:
        assert answer(backend) == do.ANSWER
        assert backend.status() == Ready()
        assert backend.info.model == "gpt-oss"
    with asking(server, adapter_id="owner/adapter", adapter_revision="abc") as named:
        assert (named.info.revision, named.info.adapter) == ("abc", "owner/adapter@abc")
    asked = [(request.method, request.path) for request in server.requests]
    assert asked == [
        ("GET", "/health"),
        ("GET", "/v1/models"),
        ("POST", "/v1/chat/completions"),
    ]
    assert json.loads(server.requests[-1].body)["model"] == "gpt-oss"


def test_the_next_questions_need_neither_a_sign_nor_a_connection(server: FaultServer) -> None:
    with asking(server) as backend:
        for _ in range(4):
            answer(backend)
        assert server.open_connections == 1
    assert len(server.requests) == 2 + 4
    assert len(server.connections) == 1


def test_after_a_while_it_asks_again_whether_the_endpoint_is_awake(server: FaultServer) -> None:
    with asking(server, Policy(awake=0.05)) as backend:
        answer(backend)
        time.sleep(0.1)
        assert backend.status() == Asleep()
        answer(backend)
    assert [request.path for request in server.requests].count("/health") == 2


def test_every_request_carries_the_keys_and_asks_for_plain_bytes(server: FaultServer) -> None:
    with asking(server, **KEYS) as backend:
        answer(backend)
    for request in server.requests:
        sent = request.headers
        assert (sent["modal-key"], sent["modal-secret"]) == ("key", "secret")
        assert sent["authorization"] == "Bearer token"
        assert sent["accept-encoding"] == "identity"
        assert "cookie" not in sent


def test_credentials_of_a_netrc_file_are_not_sent(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with asking(server) as backend:
        answer(backend)
    assert all("authorization" not in request.headers for request in server.requests)


def test_while_it_sleeps_seconds_are_counted_and_nothing_is_posted(server: FaultServer) -> None:
    server.wake_up(sleeping, sleeping, sleeping, alive)
    waits: list[Waiting] = []
    with asking(server, Policy(wake_pause=0.3)) as backend:
        for event in backend.stream(ASKED, Options()):
            if isinstance(event, Waiting) and event.stage is Stage.WAKING:
                assert server.posts == 0
                assert isinstance(backend.status(), Waking)
                waits.append(event)
    assert len(waits) >= 2
    assert waits[-1].elapsed > waits[0].elapsed
    assert server.posts == 1


def test_all_who_wait_share_one_search(server: FaultServer) -> None:
    server.wake_up(sleeping, sleeping, alive)
    answers: list[str] = []
    with asking(server, Policy(wake_pause=0.3)) as backend:
        people = [
            threading.Thread(target=lambda: answers.append(answer(backend))) for _ in range(8)
        ]
        for one in people:
            one.start()
        for one in people:
            one.join(10.0)
    assert answers == [do.ANSWER] * 8
    assert [request.path for request in server.requests].count("/health") == 3


def test_who_stops_waiting_does_not_stop_the_others_and_the_last_ends_the_search(
    server: FaultServer,
) -> None:
    server.wake_up(sleeping)
    with asking(server, Policy(wake_pause=0.1)) as backend:
        first, second = (backend.stream(ASKED, Options()) for _ in range(2))
        until(first, stage(Stage.WAKING))
        until(second, stage(Stage.WAKING))
        first.close()
        assert isinstance(backend.status(), Waking)
        until(second, stage(Stage.WAKING))
        second.close()
        wait_until(lambda: not threads(), 1.0)
        assert backend.status() == Asleep()
        server.wake_up(alive)
        assert answer(backend) == do.ANSWER


def test_wake_looks_for_it_without_a_question_and_goes_on_when_nobody_waits(
    server: FaultServer,
) -> None:
    server.wake_up(sleeping, sleeping, alive)
    with asking(server, Policy(wake_pause=0.2)) as backend:
        began = time.monotonic()
        backend.wake()
        backend.wake()
        assert time.monotonic() - began < 0.1
        impatient = backend.stream(ASKED, Options())
        next(impatient)
        impatient.close()
        wait_until(lambda: backend.status() == Ready(), 5.0)
        backend.wake()
    assert server.posts == 0
    assert [request.path for request in server.requests].count("/health") == 3


def test_an_endpoint_that_cannot_be_reached_says_so_until_it_can(server: FaultServer) -> None:
    with asking(server) as backend:
        server.refuse()
        with pytest.raises(Unreachable):
            list(backend.stream(ASKED, Options()))
        assert isinstance(backend.status(), Failed)
        server.open()
        assert answer(backend) == do.ANSWER
        assert backend.status() == Ready()


def test_refused_keys_are_not_tried_again(server: FaultServer) -> None:
    server.wake_up(do.whole({}, status=401))
    with asking(server, **KEYS) as backend:
        for _ in range(3):
            with pytest.raises(Refused):
                list(backend.stream(ASKED, Options()))
        assert isinstance(backend.status(), Failed)
        backend.wake()
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_question_that_was_taken_is_never_posted_again(server: FaultServer, status: int) -> None:
    server.behave(do.whole(b"", status=303, Location="/result/1"), do.whole({}, status=status))
    with asking(server) as backend, pytest.raises(BackendError):
        list(backend.stream(ASKED, Options()))
    assert server.posts == 1


def test_an_endpoint_that_comes_back_with_another_model_is_asked_for_that(
    server: FaultServer,
) -> None:
    with asking(server) as backend:
        answer(backend)
        server.behave(do.whole({}, status=404))
        with pytest.raises(Refused):
            list(backend.stream(ASKED, Options()))
        card = {"data": [{"id": "another"}]}
        server.wake_up(do.whole(card))
        server.behave(do.stream(*WHOLE))
        answer(backend)
    assert json.loads(server.requests[-1].body)["model"] == "another"


def test_a_healthy_sign_of_life_does_not_make_up_for_failing_questions(
    server: FaultServer,
) -> None:
    server.behave(do.whole({}, status=500))
    with asking(server, Policy(backoff=0.0)) as backend:
        for _ in range(12):
            with pytest.raises(Unreachable):
                list(backend.stream(ASKED, Options()))
    assert server.posts < 8


def test_a_sign_of_life_that_drips_does_not_hold_visitors_for_ever(server: FaultServer) -> None:
    def drip(exchange: Exchange) -> None:
        exchange.begin("application/json", chunked=False)
        for _ in range(200):
            exchange.piece(b" ")
            exchange.stall(0.05)

    server.wake_up(alive, drip)
    with asking(server, Policy(wake=0.5, headers=0.5)) as backend:
        began = time.monotonic()
        with pytest.raises(TooSlow):
            list(backend.stream(ASKED, Options()))
        assert time.monotonic() - began < 3.0


STATES: dict[str, tuple[Behaviour, Behaviour, Callable[[Event], bool]]] = {
    "asleep": (sleeping, stall, stage(Stage.WAKING)),
    "silent sign of life": (stall, stall, stage(Stage.WAKING)),
    "silent": (alive, stall, stage(Stage.WAKING)),
    "before any text": (alive, do.stream(stall), stage(Stage.READING)),
    "thinking": (alive, do.stream(THINKS, stall), lambda e: isinstance(e, ReasoningDelta)),
    "answering": (
        alive,
        do.stream(THINKS, *SAYS_HALF, stall),
        lambda event: isinstance(event, AnswerDelta),
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_closing_lets_go_of_everything_within_a_second(server: FaultServer, state: str) -> None:
    life, question, reached = STATES[state]
    server.wake_up(life)
    server.behave(question)
    with asking(server) as backend:
        stream = backend.stream(ASKED, Options())
        until(stream, reached)
        began = time.monotonic()
        stream.close()
        wait_until(lambda: not threads() and not server.in_use, 1.0)
        assert time.monotonic() - began < 1.0


def test_closing_while_it_connects_lets_go_within_a_second(server: FaultServer) -> None:
    server.blackhole()
    with asking(server, Policy()) as backend:
        stream = backend.stream(ASKED, Options())
        until(stream, stage(Stage.CONNECTING))
        time.sleep(0.3)
        stream.close()
        wait_until(lambda: not threads(), 1.0)


def test_closing_while_a_name_is_looked_up_lets_go_within_a_second(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The one part that cannot be real here: a name server that does not answer.
    answered = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *given, **named: answered.wait(5.0))
    with asking(server, Policy()) as backend:
        stream = backend.stream(ASKED, Options())
        until(stream, stage(Stage.CONNECTING))
        stream.close()
        wait_until(lambda: not threads(), 1.0)
    answered.set()


@pytest.mark.parametrize("life", [alive, sleeping], ids=["streaming", "waking"])
def test_closing_the_backend_ends_its_streams(server: FaultServer, life: Behaviour) -> None:
    server.wake_up(life)
    server.behave(do.stream(THINKS, stall))
    with asking(server) as backend:
        stream = backend.stream(ASKED, Options())
        wanted = stage(Stage.WAKING)
        until(stream, lambda event: isinstance(event, ReasoningDelta) or wanted(event))
        began = time.monotonic()
        backend.close()
        with pytest.raises(BackendError):
            list(stream)
        assert time.monotonic() - began < 1.5
        with pytest.raises(NotReady):
            list(backend.stream(ASKED, Options()))
        assert not threads()


def test_what_the_endpoint_tells_of_its_model_is_what_the_page_may_offer(
    server: FaultServer,
) -> None:
    card = {"id": "/srv/models/tiny.gguf", "max_model_len": 2_000, "unreliable": True}

    def tell(exchange: Exchange) -> None:
        exchange.answer(200, json.dumps({"data": [card]}).encode())

    server.wake_up(tell)
    with asking(server) as backend:
        answer(backend)
        info = backend.info
    assert (info.model, info.context_window, info.unreliable) == ("tiny.gguf", 2_000, True)
    assert info.max_new_tokens == 1_000  # the rest is for the question
    assert info.honours == frozenset(Option)
    assert json.loads(server.requests[-1].body)["model"] == "/srv/models/tiny.gguf"


QUESTIONS = 10
LONG = Conversation(
    tuple(
        Turn((Role.USER, Role.ASSISTANT)[n % 2], f"{n} " + "four " * 400)
        for n in range(2 * QUESTIONS - 1)
    )
)
"""500 tokens to a turn, as we estimate."""
TOO_LONG = do.status(400, {"error": {"code": "context_length_exceeded"}})


def asked_of(server: FaultServer) -> list[int]:
    """How many messages each question came with, the system prompt not counted."""
    bodies = [json.loads(each.body) for each in server.requests if each.method == "POST"]
    assert all(body["messages"][0]["content"] == SYSTEM_PROMPT for body in bodies)
    assert all(body["messages"][-1]["content"] == LONG.question for body in bodies)
    return [len(body["messages"]) - 1 for body in bodies]


@pytest.mark.parametrize(("window", "posted"), [(4_096, [5]), (None, [19, 9, 3])])
def test_a_conversation_without_room_is_posted_shorter_until_it_is_taken(
    server: FaultServer, window: int | None, posted: list[int]
) -> None:
    card = {"id": "tiny", **({"max_model_len": window} if window else {})}
    server.wake_up(lambda exchange: exchange.answer(200, json.dumps({"data": [card]}).encode()))
    refusals = [TOO_LONG] * (len(posted) - 1)
    server.behave(*refusals, do.stream(*WHOLE))
    with asking(server) as backend:
        events = list(backend.stream(LONG, Options(max_new_tokens=1_024, shorten=True)))
    assert asked_of(server) == posted
    left_out = [event.questions for event in events if isinstance(event, Shortened)]
    assert left_out == [QUESTIONS - (each + 1) // 2 for each in posted if each < 19]
    assert isinstance(events[-1], Ended)


def test_a_conversation_that_is_refused_to_its_last_question_is_too_long(
    server: FaultServer,
) -> None:
    server.behave(TOO_LONG)
    with asking(server) as backend:
        with pytest.raises(TooLong):
            list(backend.stream(LONG, Options(shorten=True)))
        assert asked_of(server)[-1] == 1
        assert len(asked_of(server)) < 6
        server.requests.clear()
        with pytest.raises(TooLong):
            list(backend.stream(LONG, Options()))
        assert asked_of(server) == [19], "unasked, nothing is left out"


BOTH = [{"id": "base"}, {"id": "adapter", "parent": "base"}]


@pytest.mark.parametrize(
    ("wanted", "listed", "model", "base"),
    [
        (None, BOTH, "adapter", "base"),
        ("adapter", BOTH, "adapter", "base"),
        ("base", BOTH, "base", None),
        ("elsewhere", BOTH, "elsewhere", None),
        (None, [{"id": "adapter", "parent": "/srv/models/base"}], "adapter", None),
        (None, [{"id": "merged", "parent": "merged"}, {"id": "other"}], "merged", None),
        (None, [{"id": "odd", "parent": ["odd"]}], "odd", None),
    ],
)
def test_an_adapter_can_be_compared_where_its_base_is_listed_too(
    server: FaultServer, wanted: str | None, listed: list[object], model: str, base: str | None
) -> None:
    server.wake_up(do.whole({"data": listed}))
    with asking(server, modal_model=wanted) as backend:
        answer(backend)
        assert (backend.info.model, backend.info.base) == (model, base)
        if base is not None:
            list(backend.stream(ASKED, Options(base=True)))
    assert json.loads(server.requests[-1].body)["model"] == (base or model)


def test_a_base_that_is_no_longer_listed_is_not_answered_for_by_the_adapter(
    server: FaultServer,
) -> None:
    server.wake_up(do.whole({"data": [{"id": "adapter", "parent": "base"}]}))
    with asking(server) as backend, pytest.raises(Refused):
        list(backend.stream(ASKED, Options(base=True)))
    assert server.posts == 0


def test_the_legacy_contract_offers_no_options_and_is_chosen_by_the_address() -> None:
    with FaultServer(legacy=True) as server:
        server.behave(do.says("Thinking:\nWeigh it.\n\nFinal:\nRest."))
        with asking(server) as backend:
            assert backend.info.honours == frozenset()
            assert answer(backend) == "Rest."
        assert [request.method for request in server.requests] == ["GET", "POST"]
        assert json.loads(server.requests[-1].body) == {"message": "What is asthma?"}


def test_the_contract_may_be_named_where_the_address_says_another(server: FaultServer) -> None:
    address = server.url().removesuffix("/v1")
    backend = RemoteBackend(Settings(modal_endpoint=address, endpoint_contract="openai"))
    with closing(backend):
        assert answer(backend) == do.ANSWER


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("openai/gpt-oss-20b", "openai/gpt-oss-20b"),
        ("/srv/weights/a.gguf", "a.gguf"),
        ("C:\\models\\a.gguf", "a.gguf"),
        ("x" * 500, "x" * 80),
        ("a\nb\x00", "ab"),
    ],
)
def test_a_models_name_shows_no_path_and_stays_short(model: str, shown: str) -> None:
    assert shown_name(model) == shown
