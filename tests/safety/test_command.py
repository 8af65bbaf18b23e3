"""`python -m safety`, as somebody who measures it runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO

from safety.__main__ import main
from tests.conftest import ROOT


def run(given: bytes) -> tuple[int, list[dict[str, object]], str]:
    command = [sys.executable, "-m", "safety"]
    ended = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, check=False)
    answers = [json.loads(line) for line in ended.stdout.decode("utf-8").splitlines()]
    return ended.returncode, answers, ended.stderr.decode("utf-8")


def test_each_line_is_answered_in_order() -> None:
    said = ["my chest is crushing and my arm is numb", "I want to kill myself", "Is rice healthy?"]
    code, answers, errors = run("".join(json.dumps({"text": t}) + "\n" for t in said).encode())
    assert (code, errors) == (0, "")
    assert [answer["level"] for answer in answers] == ["emergency", "crisis", "none"]
    assert answers[0]["rules"]
    assert answers[2] == {"level": "none", "rules": []}


def test_a_line_that_cannot_be_read_keeps_its_place_and_gets_one_sentence() -> None:
    lines = [b'{"text": "I want to die"}', b"not json canary", b"[1]", b'{"text": 5}', b"\xff\xfe"]
    lines += [b"[" * 100_000, b'{"text": "hello"}']
    code, answers, errors = run(b"\n".join(lines) + b"\n")
    assert code == 1
    assert [answer["level"] for answer in answers] == ["crisis", *[None] * 5, "none"]
    for answer in answers[1:-1]:
        assert str(answer["error"]).endswith(".")
        assert answer["rules"] == []
    assert "canary" not in json.dumps(answers) + errors


def test_a_byte_order_mark_windows_lines_and_blank_ones_do_no_harm() -> None:
    code, answers, _ = run(b'\xef\xbb\xbf{"text": "I want to die"}\r\n\r\n{"text": "hello"}\r\n')
    assert code == 0
    assert [answer["level"] for answer in answers] == ["crisis", "none"]


def test_a_conversation_is_read_as_one() -> None:
    told = {"texts": ["I have a pain in my chest.", "It goes into my left arm now."]}
    _, answers, _ = run(json.dumps(told).encode())
    assert answers[0]["level"] == "emergency"


def test_it_answers_line_by_line_so_that_the_input_may_be_endless() -> None:
    out = StringIO()
    written: list[int] = []

    def lines() -> Iterator[bytes]:
        for _ in range(3):
            written.append(len(out.getvalue()))
            yield b'{"text": "hello"}\n'

    assert main(lines(), out) == 0
    assert written[0] < written[1] < written[2]
