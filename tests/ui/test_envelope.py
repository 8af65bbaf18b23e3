"""Malformed bodies: a clean refusal, never a 500, and no stack or content in the log."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.visitor import Visitor, shown
from ui import words
from ui.envelope import Malformed, read_envelope

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


def test_no_malformed_body_makes_a_500_or_a_stack_or_is_logged(program, visitor) -> None:
    running = program("-m", "tests.serve_scripted", "slow", "--rate", "0")
    one: Visitor = visitor(running.line("http://"))
    good = one.question("What is a stroke?")
    bodies = [*MALFORMED.values(), *(json.dumps(each).encode() for each in wrong_values(one))]
    for path in ("queue/join", "run/predict", "cancel", "reset"):
        for body in bodies:
            answer = one.http.post(f"/gradio_api/{path}", content=body)
            if answer.status_code != 200:
                assert 400 <= answer.status_code < 500, (path, body[:80], answer.text)
                assert answer.json()["detail"] in (words.BAD_REQUEST, words.NOT_FOUND), path
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
    ]
