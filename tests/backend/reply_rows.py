"""The acceptance matrix, rows 26 to 56: streams that break, bodies that are no reply, and texts."""

from __future__ import annotations

import json
from typing import Any

from backend.policy import Policy
from tests import behaviours as do
from tests.backend.row import ANSWER, Row, does, legacy, streams
from tests.backend.scene import SCALE
from tests.behaviours import DONE, ROLE, SAYS, SAYS_HALF, STOP, THINKS, WHOLE, delta, event
from tests.exchange import Exchange
from tests.faults import Behaviour

# --- 26 to 37: a stream that breaks ------------------------------------------------------------

BEGUN = (ROLE, THINKS, *SAYS_HALF)
SOON_RESET = do.after(0.3, do.reset)
"""What a reset overtakes is lost to the other side, so that it must have read first."""
FAILED = event({"error": {"message": do.SECRET, "type": "HarmonyError", "code": 500}})
TOO_LONG = {"error": {"message": f"maximum context length is 4096 tokens. {do.SECRET}",
                      "code": "context_length_exceeded"}}  # fmt: skip


def half_a_head(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Ty")
    exchange.stall(0.1)
    exchange.reset()


BREAKS = [
    streams(26, "stall in the answer", "CUT", *BEGUN, do.never, seconds=32),
    streams(26, "stall in the reasoning", "CUT", ROLE, THINKS, do.never, seconds=32, answer=""),
    streams(27, "comments, no data", "SLOW", do.comments(5 * SCALE), seconds=125,
            not_before=100 * SCALE),
    streams(27, "comments after half an answer", "CUT", *BEGUN, do.comments(5 * SCALE), seconds=125,
            not_before=100 * SCALE),
    Row(28, "reset before headers, then good", "B", ANSWER, 20, 2, does(do.reset, do.good)),
    Row(28, "reset before headers, always", "B", "DOWN", 20, 2, does(do.reset)),
    Row(28, "reset in the head, always", "B", "DOWN", 20, 2, does(half_a_head), fewer=True),
    Row(28, "FIN before headers, then good", "B", ANSWER, 20, 2, does(do.hang_up, do.good)),
    streams(29, "reset in the reasoning", "CUT", ROLE, THINKS, SOON_RESET, answer=""),
    streams(30, "reset in the answer", "CUT", *BEGUN, SOON_RESET),
    streams(31, "ends without [DONE], chunked", "CUT", *BEGUN),
    streams(31, "FIN, not chunked", "CUT", *BEGUN, chunked=False),
    streams(31, "FIN, chunked", "CUT", *BEGUN, do.hang_up),
    streams(31, "FIN inside an event", "CUT", *BEGUN, SAYS[3][:-9], chunked=False),
    streams(32, "finish_reason, then FIN", ANSWER, ROLE, *SAYS, STOP, chunked=False),
    streams(32, "finish_reason, then FIN, chunked", ANSWER, ROLE, *SAYS, STOP, do.hang_up),
    streams(32, "finish_reason, then reset", ANSWER, ROLE, *SAYS, STOP, SOON_RESET),
    streams(33, "[DONE] at once", "NONE", DONE),
    streams(33, "a role, then [DONE]", "NONE", ROLE, DONE),
    streams(33, "stop at once", "NONE", ROLE, STOP, DONE),
    streams(34, "all text in reasoning", "NONE", ROLE, THINKS, STOP, DONE,
            reasoning=do.THOUGHT.strip()),
    streams(35, "finish_reason length", "CUT", *BEGUN, delta("length"), DONE),
    streams(35, "finish_reason length in the reasoning", "NO_ROOM_LEFT", ROLE, THINKS,
            delta("length"), DONE),
    streams(36, "error first", "DOWN", FAILED, DONE),
    streams(36, "error first, as text", "DOWN", event({"error": do.SECRET})),
    streams(36, "error first, context length", "CTX", event(TOO_LONG), DONE),
    streams(37, "error in the answer, then [DONE]", "CUT", *BEGUN, FAILED, DONE),
    streams(37, "error in the answer, all in one piece", "CUT", b"".join([*BEGUN, FAILED, DONE])),
    streams(37, "error in the reasoning, then [DONE]", "CUT", ROLE, THINKS, FAILED, DONE,
            answer=""),
]  # fmt: skip

# --- 38 to 52: bodies that are no reply --------------------------------------------------------


def longer_than_sent(exchange: Exchange) -> None:
    body = json.dumps({"response": f"Final:\n{do.ANSWER}"}).encode()
    exchange.head(200, "application/json", Content_Length=str(len(body) + 100))
    exchange.send(body)
    exchange.hang_up()


def bad_utf8(legacy: bool) -> Behaviour:
    text = "Fever \xa4 and cough."
    if legacy:
        body = json.dumps({"response": f"Final:\n{text}"}, ensure_ascii=False).encode()
        return do.whole(body.replace("\xa4".encode(), b"\xff"))
    said = delta(content=text).replace(b"\\u00a4", b"\xff")
    return do.stream(ROLE, said, STOP, DONE)


HTML = f"<!doctype html><title>Sign in</title><script>{do.SECRET}</script>".encode()
COMPLETION = {"object": "chat.completion", "choices": [{
    "index": 0, "finish_reason": "stop",
    "message": {"role": "assistant", "reasoning": do.THOUGHT, "content": do.ANSWER}}]}  # fmt: skip
NESTED = b"[" * 100_000
CR_ONLY = b"\xef\xbb\xbf" + b"".join(WHOLE).replace(b"\n", b"\r")
MULTI_LINE = [
    part.replace(b'"choices": ', b'"choices":\ndata:').replace(
        b"data: {", b"retry: 1\nx: y\ndata:{"
    )
    for part in WHOLE
]

BODIES = [
    legacy(38, "200, error", "DOWN", {"error": do.SECRET}),
    *(legacy(39, f"200, response is {name}", "BAD", body) for name, body in {
        "missing": {}, "null": {"response": None}, "a number": {"response": 7},
        "a list": {"response": [do.SECRET]}, "a dict": {"response": {"text": do.SECRET}},
    }.items()),
    legacy(39, "200, response is empty", "NONE", {"response": ""}),
    legacy(39, "200, a list", "BAD", [do.SECRET]),
    legacy(40, "both response and error", "DOWN",
           {"response": f"Final:\n{do.ANSWER}", "error": do.SECRET}, hidden="Inhaled"),
    legacy(41, "truncated JSON", "BAD", b'{"response": "Final:\\nInhaled ster'),
    Row(41, "Content-Length too large", "L", "BAD", 3, 1, does(longer_than_sent),
        hidden="Inhaled"),
    streams(42, "one truncated data line", "CUT", *BEGUN, SAYS[3][:-30] + b"\n\n", *SAYS[4:], STOP,
            DONE),
    streams(42, "one data line that is no JSON", "CUT", *BEGUN, event("upstreamcanary"), *SAYS[3:],
            STOP, DONE),
    streams(42, "one truncated data line, all in one piece", "CUT",
            b"".join([*BEGUN, SAYS[3][:-30] + b"\n\n", *SAYS[4:], STOP, DONE])),
    Row(43, "invalid UTF-8", "S", ANSWER, 3, 1, does(bad_utf8(False)),
        answer="Fever \ufffd and cough."),
    Row(43, "invalid UTF-8", "L", ANSWER, 3, 1, does(bad_utf8(True)),
        answer="Fever \ufffd and cough."),
    streams(45, "BOM, CR only", ANSWER, CR_ONLY),
    streams(45, "lines of data, no space, unknown fields, retry", ANSWER, *MULTI_LINE),
    Row(46, "200 text/html", "B", "BAD", 3, 1, does(do.whole(HTML, "text/html")),
        hidden="Sign in"),
    Row(47, "200 application/json, a completion", "S", ANSWER, 3, 1, does(do.whole(COMPLETION)),
        reasoning=do.THOUGHT.strip()),
    *(Row(47, f"200 application/json, {name}", "S", "BAD", 3, 1, does(do.whole(body)))
      for name, body in {"no completion": {"text": do.SECRET}, "a list": [do.SECRET],
                         "no JSON": b"upstreamcanary"}.items()),
    Row(48, "no Content-Type", "S", ANSWER, 3, 1, does(do.stream(*WHOLE, kind=""))),
    Row(48, "text/plain", "S", "BAD", 3, 1, does(do.stream(*WHOLE, kind="text/plain")),
        hidden="Inhaled"),
    streams(52, "100,000 [", "BAD", event(NESTED.decode()), DONE),
    streams(52, "100,000 [ after half an answer", "CUT", *BEGUN, event(NESTED.decode()), *SAYS[3:],
            STOP, DONE),
    legacy(52, "100,000 [", "BAD", NESTED),
    legacy(52, "100,000 [ as response", "BAD", b'{"response": ' + NESTED),
]  # fmt: skip

# --- 53 to 56: what the model says -------------------------------------------------------------


HARMONY = (
    "<|channel|>analysis<|message|>Night wheeze.<|end|>"
    "<|start|>assistant<|channel|>final<|message|>Rest.<|return|>"
)


def said(number: int, fault: str, shown: str, text: str, reasoning: str, answer: str,
         hidden: str) -> list[Row]:  # fmt: skip
    """A model's own text, in both contracts; in the stream its pieces are 5 characters long."""
    pieces = [delta(content=text[i : i + 5]) for i in range(0, len(text), 5)]
    more: dict[str, Any] = {"answer": answer, "reasoning": reasoning, "hidden": hidden}
    return [
        streams(number, fault, shown, ROLE, *pieces, STOP, DONE, **more),
        Row(number, fault, "L", shown, 3, 1, does(do.says(text)), **more),
    ]


def labels(fault: str, shown: str, text: str, reasoning: str, answer: str) -> Row:
    return legacy(55, fault, shown, {"response": text}, reasoning=reasoning, answer=answer)


NUMBERED = [part for n, each in enumerate(SAYS) for part in [b"id: %d\n" % n + each] * 2]
OTHER = delta(index=1, content="secondchoice ")
BOTH = event({**do.CHUNK, "choices": [
    {"index": 1, "delta": {"content": "secondchoice "}, "finish_reason": None},
    {"index": 0, "delta": {"content": "Inhaled "}, "finish_reason": None},
]})  # fmt: skip
NO_CHOICES = event({**do.CHUNK, "choices": [], "usage": {"completion_tokens": 12}})
THOUGHT = do.THOUGHT.strip()
TRACE = "Night wheeze."

MODEL = [
    streams(53, "each event twice, same id", ANSWER, ROLE, *NUMBERED, STOP, DONE),
    streams(53, "the role again and again", ANSWER, *(ROLE + each for each in SAYS), STOP, DONE),
    streams(53, "two choices", ANSWER, ROLE, BOTH, OTHER, *SAYS[1:], delta("stop", 1), STOP, DONE,
            hidden="secondchoice"),
    streams(53, "no choices, and usage between", ANSWER, NO_CHOICES, ROLE, *SAYS, NO_CHOICES, STOP,
            NO_CHOICES, DONE),
    *(streams(54, " and ".join(fields), ANSWER, ROLE, delta(**dict.fromkeys(fields, do.THOUGHT)),
        *SAYS, STOP, DONE, reasoning=THOUGHT)
      for fields in (["reasoning"], ["reasoning_content"], ["reasoning", "reasoning_content"])),
    labels("no label", "NONE", "Rest and drink.", "Rest and drink.", ""),
    labels("two Final:", ANSWER, f"Thinking:\n{TRACE}\n\nFinal:\nPerhaps.\n\nFinal:\nRest.",
           f"{TRACE}\n\nFinal:\nPerhaps.", "Rest."),
    labels("lower case", ANSWER, f"thinking:\n{TRACE}\n\nfinal:\nRest.", TRACE, "Rest."),
    labels("Final: inside the thinking", ANSWER,
           "Thinking:\nThe Final: word.\n\nFinal:\nRest.", "The Final: word.", "Rest."),
    labels("CRLF", ANSWER, f"Thinking:\r\n{TRACE}\r\n\r\nFinal:\r\nRest.", TRACE, "Rest."),
    labels("only Thinking:", "NONE", f"Thinking:\n{TRACE}", TRACE, ""),
    labels("only Final:", ANSWER, "Final:\nRest.", "", "Rest."),
    *said(56, "raw harmony", ANSWER, HARMONY, TRACE, "Rest.", "<|"),
    *said(56, "<think>", ANSWER, f"<think>{TRACE}</think>Rest.", TRACE, "Rest.", "think>"),
    streams(56, "markers in the reasoning", ANSWER, ROLE,
            *(delta(reasoning=each) for each in ("Night<|cha", "nnel|>wheeze.<|end|>")), *SAYS,
            STOP, DONE, reasoning="Night wheeze."),
]  # fmt: skip

# --- 49 to 51: too much; alone, because the memory of the process is measured ------------------

MB = 1_000_000
LINE = do.endless(b"x" * 65_536, 100 * MB)
WORDS = "word " * 200


def bomb(size: int) -> Behaviour:
    return do.either(do.bomb(size, "text/event-stream"), do.bomb(size, "application/json"))


TOO_MUCH = [
    streams(49, "a line of 100 MB", "BAD", b"data: ", LINE, seconds=5),
    streams(49, "a line of 100 MB after half an answer", "CUT", *BEGUN, b"data: ", LINE, seconds=5),
    Row(49, "JSON of 100 MB", "L", "BAD", 5, 1, does(do.stream(b'{"response": "', LINE,
        kind="application/json"))),
    Row(51, "gzip, 10 MB", "B", "BAD", 5, 1, does(bomb(10 * MB))),
    Row(51, "gzip, 10 GB", "B", "BAD", 5, 1, does(bomb(10_000 * MB))),
]  # fmt: skip
ENDLESS = streams(
    50,
    "tokens without end",
    "CUT",
    ROLE,
    do.endless(delta(content=WORDS), 1000 * MB),
    seconds=300,
    answer="word",
    up_to=Policy().reply_bytes,
)
