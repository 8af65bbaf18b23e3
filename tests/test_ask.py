"""One question in a terminal: a process of its own, its two outputs, and how it ends."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from backend import Opened
from tests.ask_scripted import scripted
from tests.backend.conftest import model_path
from tests.conftest import ROOT, Program
from ui.aside import CLEAR, DIM, PLAIN, Aside
from ui.terminal import main
from ui.words import ENGLISH as words

__all__ = ["model_path"]

ESCAPE = "\x1b"


@dataclass
class Ran:
    """How it went."""

    code: int
    out: str
    err: str


Ask = Callable[..., Ran]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """`ask(script, *arguments, stdin=, **environ)` runs it here, its outputs no terminals."""
    monkeypatch.setattr("ui.terminal.configure_logging", lambda level: None)  # the tests' own stays
    before = [(each, signal.getsignal(each)) for each in (signal.SIGINT, signal.SIGTERM)]

    def run(name: str, *arguments: str, stdin: str = "", **environ: str) -> Ran:
        monkeypatch.setattr("ui.terminal.os.environ", {**os.environ, **environ})
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        try:
            code = main(list(arguments), opening=lambda settings: Opened(scripted(name), ""))
        except SystemExit as ended:  # argparse's
            code = int(str(ended.code))
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    yield run
    for number, handler in before:
        signal.signal(number, handler)


def test_the_answer_is_on_stdout_alone_and_all_else_beside_it(ask: Ask) -> None:
    ran = ask("brief", "What", "is", "a", "stroke?")
    assert ran.code == 0
    # Plain text: what disarms markup in a page is gone, and what moves a cursor too.
    assert ran.out == "An ]0;titleanswer: <b>500 mg</b> twice daily.\n"
    assert ESCAPE not in ran.err
    told = [words.DISCLAIMER, words.REASONING, "A trace.[2J", words.CAUTION, "first token after"]
    places = [ran.err.index(each) for each in told]
    assert places == sorted(places)
    assert ran.err.count(words.DISCLAIMER) == 1
    silent = ask("brief", "-", "--no-reasoning", stdin="What is a stroke?\n")
    assert (silent.code, silent.out) == (0, ran.out)
    assert "trace" not in silent.err
    assert "trace" not in ask("brief", "x", SHOW_REASONING="off").err


@pytest.mark.parametrize(
    ("script", "code", "answer", "note"),
    [
        ("slow", 0, "word0 word1 word2 word3 word4 \n", ""),
        ("full", 0, "Half\n", words.CUT),
        ("fail", 1, "", words.DOWN),
        ("cut", 3, "word0 word1 word2 word3 word4 \n", words.CUT),
        ("lethal", 4, "", words.WITHHELD),
        ("length", 5, "", words.NO_ROOM_LEFT),
        ("nothing", 5, "", words.NONE),
    ],
)
def test_each_ending_has_its_code_and_what_is_not_whole_its_mark(
    script: str, code: int, answer: str, note: str, ask: Ask
) -> None:
    ran = ask(script, "What is a stroke?")
    assert (ran.code, ran.out) == (code, answer)
    assert note.partition("{")[0] in ran.err
    assert "thought" not in ran.out
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "environ", "code", "told"),
    [
        ((" ",), {}, 2, words.EMPTY),
        (("x" * 9_000,), {}, 2, "9000 of 8000"),
        (("x", "--max-tokens", "0"), {}, 2, "--max-tokens"),
        (("x", "--temperature", "nan"), {}, 2, "--temperature"),
        (("x", "--backend", "cloud"), {}, 2, "--backend"),
        ((), {}, 2, "question"),
        (("x",), {"BACKEND": "remote", "MODAL_ENDPOINT": ""}, 6, "MODAL_ENDPOINT"),
    ],
)
def test_what_cannot_be_asked_says_why_and_has_a_code_of_its_own(
    arguments: tuple[str, ...], environ: dict[str, str], code: int, told: str, ask: Ask
) -> None:
    ran = ask("slow", *arguments, **environ)
    assert (ran.code, ran.out) == (code, "")
    assert told in ran.err
    assert "Traceback" not in ran.err


def test_a_red_flag_is_told_before_all_else_and_in_a_crisis_no_model_is_asked(ask: Ask) -> None:
    ran = ask("brief", "My father has crushing chest pain and sweats")
    assert ran.code == 0
    assert ran.err.startswith("This may be an emergency\n")
    assert "\n  112  Europe\n" in ran.err.partition("A trace.")[0]
    crisis = ask("brief", "I want to kill myself")
    assert crisis.code == 7
    assert crisis.err.startswith("Please talk to somebody now\n")
    assert "so none was asked" in crisis.out
    # Nothing that is wrong with the settings stands before it.
    broken = ask("brief", "I want to kill myself", BACKEND="cloud")
    assert broken.code == 6
    assert broken.err.startswith("Please talk to somebody now\n")


def test_json_is_one_object_with_the_fields_of_the_page_s_function(ask: Ask) -> None:
    ran = ask("brief", "What is a stroke?", "--json")
    said = json.loads(ran.out)
    assert (ran.code, ran.out.count("\n")) == (0, 1)
    assert (said["ending"], said["partial"], said["reasoning"]) == ("finished", "", "A trace.[2J")
    assert said["answer"].endswith("twice daily.")
    assert "trace" not in ran.err
    cut = json.loads(ask("cut", "x", "--json", "--no-reasoning").out)
    assert (cut["ending"], cut["answer"], cut["reasoning"]) == ("interrupted", "", "")
    assert cut["partial"].startswith("word0")
    assert json.loads(ask("slow", "", "--json").out)["note"] == words.EMPTY
    assert json.loads(ask("slow", "I want to kill myself", "--json").out)["notices"]


def test_it_streams_and_ctrl_c_ends_it_in_order_and_marks_what_is_there(program) -> None:
    running: Program = program("-m", "tests.ask_scripted", "endless", "What is a stroke?")
    running.line("word")
    running.signal(signal.SIGINT)
    began = time.monotonic()
    assert running.end(10.0) == 130
    assert time.monotonic() - began < 6.0  # python's own end among it
    assert set(running.out) <= {"word", ""}
    assert words.STOPPED in running.err
    assert "Traceback" not in "\n".join(running.err)


def test_a_reader_that_goes_away_ends_it_without_a_word() -> None:
    line = f"{sys.executable} -m tests.ask_scripted endless x | head -n 1; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(
        ["bash", "-c", line], check=False, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stdout) == (141, "word\n")
    assert "Error" not in ran.stderr


def test_in_a_terminal_reasoning_is_dim_and_a_wait_is_one_line_that_is_written_over() -> None:
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.ask_scripted", "brief", "x"],
        cwd=ROOT,
        env=os.environ | {"TERM": "xterm", "NO_COLOR": ""},
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while piece := os.read(ours, 4096):
            seen += piece
    os.close(ours)
    out, _ = running.communicate(timeout=60)
    shown = seen.decode()
    assert f"{DIM}A " in shown
    assert f"{CLEAR}{DIM}Loading the model" in shown
    assert ESCAPE.encode() not in out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colour_is_used_where_none_is_wanted(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with_, without = Terminal(), Terminal()
    Aside(with_, reasoning=True).line("A line.", dim=True)
    monkeypatch.setenv(name, value)
    Aside(without, reasoning=True).line("A line.", dim=True)
    assert (with_.getvalue(), without.getvalue()) == (f"{DIM}A line.{PLAIN}\n", "A line.\n")


def test_it_needs_no_page() -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "app.py", "ask", ""],
        check=False,
        cwd=ROOT,
        env=os.environ | {"BACKEND": "embedded"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 2
    loaded = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines() if "|" in line}
    assert "ui.terminal" in loaded
    assert not {name.partition(".")[0] for name in loaded} & {"gradio", "fastapi", "uvicorn"}
    assert words.EMPTY in ran.stderr


@pytest.mark.model
def test_the_small_model_answers_in_a_terminal(model_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "app.py", "ask", "What is asthma?", "--backend=embedded", "--json",
         "--max-tokens=160", "--effort=low"],
        check=False,
        cwd=ROOT,
        env=os.environ | {"EMBEDDED_MODEL": str(model_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    said = json.loads(ran.stdout)
    assert ran.returncode == 0, ran.stderr
    assert said["ending"] in ("finished", "length")
    assert said["answer"] or said["partial"]
    assert said["reasoning"]
    assert said["model"].startswith("SmolLM2-135M")
