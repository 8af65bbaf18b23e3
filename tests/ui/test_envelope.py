"""Malformed bodies: a clean refusal, never a 500, and no stack or content in the log."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.visitor import Visitor, shown
from ui.envelope import Malformed, read_envelope
from ui.words import ENGLISH as words

SENTENCES = (words.BAD_REQUEST, words.NOT_FOUND, words.TOO_LARGE)
CANARY = "canary-of-what-was-typed"
GOOD: dict[str, Any] = {
    "data": [[{"role": "user", "content": CANARY}], "medium", 512, 0.7],
    "event_data": None,
    "fn_index": 2,
    "session_hash": "abc123",
    "trigger_id": 5,
}


def bad(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


MALFORMED = {
    "not JSON": b"{" + CANARY.encode(),
    "empty": b"",
    "not UTF-8": b'{"data": "\xff"}',
    "a list": b"[]",
    "a string": b'"x"',
    "null": b"null",
    "nested lists": b"[" * 100_000,
    "nested objects": b'{"a":' * 100_000,
    "nested within data": bad(data=[json.loads("[" * 50 + "]" * 50), "medium", 512, 0.7]),
    "a number too long": b'{"fn_index": ' + b"9" * 5_000 + b"}",
    "no function": bad(fn_index=None),
    "an unknown function": bad(fn_index=9_999),
    "a negative function": bad(fn_index=-1),
    "a function by name": bad(fn_index="answer"),
    "a function by truth": bad(fn_index=True),
    "a function in parts": bad(fn_index=2.0),
    "no data": bad(data=None),
    "data that is text": bad(data=CANARY),
    "too little data": bad(data=[]),
    "too much data": bad(data=[CANARY] * 50),
    "no session": bad(session_hash=None),
    "a session that is a number": bad(session_hash=5),
    "an empty session": bad(session_hash=""),
    "a session that is a path": bad(session_hash="../../etc"),
    "a session with a line break": bad(session_hash="a\nb"),
    "a long session": bad(session_hash="a" * 65),
    "a trigger that is text": bad(trigger_id="5"),
    "not a number": bad(data=[[], "medium", 512, float("nan")]),
    "an infinity": bad(data=[[], "medium", 512, float("inf")]),
    "less than any number": bad(data=[[], "medium", 512, float("-inf")]),
    "a constant in what is not kept": bad(extra=float("nan")),
    "a number of 100 digits": bad(trigger_id=10**99),
    "a number of more than 64 bits": bad(event_data={"index": 2**64}),
    "a name twice": bad().replace(b'"fn_index": 2', b'"fn_index": 1, "fn_index": 2'),
    "a name twice inside": bad().replace(b'"role": "user"', b'"role": "user", "role": "system"'),
    "a file of the server": bad(data=[[{"path": "/etc/passwd"}], "medium", 512, 0.7]),
    "a file elsewhere": bad(data=[[{"url": "https://example.org"}], "medium", 512, 0.7]),
    "a component": bad(event_data={"value": {"component": "html"}}),
    "a thousand and one messages": bad(data=[[{}] * 1_001, "medium", 512, 0.7]),
    "a thousand and one events": bad(event_data=[0] * 1_001),
    "two envelopes": bad() + bad(),
    "an envelope in a list": b"[" + bad() + b"]",
    "UTF-16 without half a character": bad().decode().encode("utf-16")[:-1],
    "a session of another alphabet": bad(session_hash="абв"),
    "a session that is a list": bad(session_hash=["a"]),
    "a session with a null": bad(session_hash="a\0"),
    "a number beyond all": bad(data=[[], "medium", 512, 0.7]).replace(b"0.7", b"1e999"),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_envelope_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_envelope(body, {2: 4})


def test_a_good_envelope_keeps_what_a_function_needs_and_nothing_else() -> None:
    extra = {"batched": True, "simple_format": True, "event_id": "x", "oauth_token": "y"}
    kept = read_envelope(bad(**extra), {2: 4})
    assert json.loads(kept) == GOOD


def test_half_a_character_becomes_a_whole_one() -> None:
    """Matrix row 61: the answer to it could not be written as UTF-8, and its stream broke off."""
    kept = json.loads(read_envelope(bad(event_data={"a\ud800": "b\udfff \ud83d\ude00"}), {2: 4}))
    assert kept["event_data"] == {"a\ufffd": "b\ufffd \U0001f600"}


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*GOOD, "path", "role"]) | st.text(max_size=3), inner)
    ),
    max_leaves=20,
)


def outcome(body: bytes) -> Any:
    try:
        return json.loads(read_envelope(body, {2: 4}))
    except Malformed:
        return None


@settings(max_examples=500)
@given(ANY | st.fixed_dictionaries({name: ANY | st.just(GOOD[name]) for name in GOOD}))
def test_any_json_is_an_envelope_or_malformed(sent: Any) -> None:
    """Matrix row 85, fuzzed: no other exception; what is kept is what was sent."""
    kept = outcome(json.dumps(sent).encode())
    assert kept is None or list(kept) == list(GOOD)
    assert kept is None or kept["fn_index"] == 2


@settings(max_examples=500)
@given(st.binary(max_size=60), st.integers(0, len(bad())), st.integers(0, 8))
def test_any_bytes_are_an_envelope_or_malformed(noise: bytes, at: int, gone: int) -> None:
    """Matrix row 85, below JSON: a good body with noise put into it."""
    outcome(noise)
    outcome(bad()[:at] + noise + bad()[at + gone :])


def test_no_malformed_body_makes_a_500_or_a_stack_or_is_logged(program, visitor) -> None:
    """Matrix row 85, at each address that takes a body."""
    running = program("-m", "tests.serve_scripted", "slow", "--rate", "0")
    one: Visitor = visitor(running.line("http://"))
    good = one.question("What is a stroke?")
    bodies = [*MALFORMED.values(), *(json.dumps(each).encode() for each in wrong_values(one))]
    for path in ("queue/join", "run/predict", "cancel", "reset"):
        for body in bodies:
            answer = one.http.post(f"/gradio_api/{path}", content=body)
            if answer.status_code != 200:
                assert 400 <= answer.status_code < 500, (path, body[:80], answer.text)
                assert answer.json()["detail"] in SENTENCES, (path, body[:80])
    assert one.http.get("/gradio_api/queue/data").status_code == 400
    list(one.updates())
    one.session = "nobody-asked-with-this"
    list(one.updates())
    good["session_hash"] = one.session
    one.post("queue/join", good).raise_for_status()
    assert "word59" in shown(list(one.updates()))  # and the server is as it was
    running.signal(signal.SIGTERM)
    assert running.end(10.0) == 0
    log = "\n".join(running.out + running.err)
    assert "Traceback" not in log
    assert CANARY not in log
    assert "an event failed: " in log
    assert " ERROR " not in log  # a stranger's nonsense is no fault of the page


def wrong_values(one: Visitor) -> list[dict[str, Any]]:
    """Envelopes in order, with values that the page's components cannot hold."""
    return [
        one.envelope("answer", CANARY, "medium", 512, 0.7),
        one.envelope("answer", [CANARY], "medium", 512, 0.7),
        one.envelope("answer", [{"role": "user", "content": 5}], "medium", 512, 0.7),
        one.envelope("answer", {"x": CANARY}, "medium", 512, 0.7),
        one.envelope("answer", None, CANARY, "x", []),
        one.envelope("answer", [], "medium", 1e308, -1),
        one.envelope("begin", 5, CANARY),
        one.envelope("begin", {"x": CANARY}, []),
        {**one.envelope("edit", []), "event_data": {"index": "x", "value": CANARY}},
        {**one.envelope("retry", []), "event_data": CANARY},
        {**one.envelope("retry", []), "event_data": None},
        {**one.envelope("retry", []), "event_data": {"index": CANARY, "value": 5}},
        {**one.envelope("retry", []), "event_data": {"index": [], "value": ""}},
        {**one.envelope("retry", []), "event_data": {"index": [[]], "value": ""}},
        {**one.envelope("choose", [], 512), "event_data": {"index": {}, "value": CANARY}},
        {**one.envelope("example", []), "event_data": {"index": 0, "value": CANARY}},
        {**one.envelope("example", []), "event_data": {"index": 0, "value": {"text": CANARY}}},
        one.envelope("begin", "half \ud800 of it", []),
        one.envelope("answer", [], "medium", 2**63, 0.7),
    ]
