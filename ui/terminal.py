"""`python app.py ask`: one question, answered in a terminal. Knows neither the page nor Gradio.

The answer is on stdout, alone; all else is on stderr: the notices of an emergency or a crisis
first, the disclaimer, the reasoning, and last what to think of the answer. Nothing of it is kept.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from enum import IntEnum
from functools import partial
from io import TextIOWrapper
from pathlib import Path

from backend import Opened, open_backend
from backend.base import Backend, BackendInfo, Effort, EventStream, Options
from chat.conversation import Conversation, QuestionError
from safety.finding import Finding
from safety.notices import fixed_reply
from safety.rules import RuleError
from settings import BACKENDS, Settings, SettingsError, read_settings
from ui import alarm, fields, panels
from ui.aside import Aside
from ui.fields import Ending, Fields
from ui.logs import configure_logging
from ui.run import PACE, Run, Snapshot
from ui.words import ENGLISH

STDIN = "-"


class Code(IntEnum):
    """The exit code; one above 128 is that and the number of a signal."""

    ANSWERED = 0
    """Finished, or out of room in the middle of the answer, which stderr says."""
    FAILED = 1
    BAD_USE = 2
    INTERRUPTED = 3
    WITHHELD = 4
    EMPTY = 5
    NOT_CONFIGURED = 6
    FIXED = 7
    """No model was asked: a fixed text stands where the answer would."""
    READER_GONE = 128 + signal.SIGPIPE


CODES: dict[Ending, Code] = {
    "finished": Code.ANSWERED,
    "length": Code.ANSWERED,
    "interrupted": Code.INTERRUPTED,
    "withheld": Code.WITHHELD,
    "empty": Code.EMPTY,
    "failed": Code.FAILED,
    "fixed": Code.FIXED,
    "refused": Code.BAD_USE,
}


def main(
    argv: Sequence[str],
    dotenv: Path | None = None,
    opening: Callable[[Settings], Opened] = open_backend,
) -> int:
    """Ask once. Returns a `Code`, or 128 and the number of the signal that stopped it."""
    flags = _flags().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    question = _question(flags.question)
    signals = _signals()
    aside = Aside(sys.stderr, reasoning=not flags.no_reasoning)
    try:
        finding = alarm.look([], question)
        # First of all: nothing that follows can come between a person and these.
        aside.warn(fields.told(ENGLISH, finding))
        settings = _settings(flags, os.environ, dotenv)
        configure_logging(max(settings.log_level, logging.WARNING))
        aside.reasoning &= settings.show_reasoning != "off"
        with closing(opening(settings).backend) as backend:
            options = _options(flags, backend.info)
            return Asking(backend, aside, signals, flags.json).ask(question, finding, options)
    except (SettingsError, RuleError) as error:
        aside.line(str(error))
        return Code.NOT_CONFIGURED
    except BrokenPipeError:
        _mute()
        return Code.READER_GONE


class Asking:
    """One question, on its way. `signals` gets the numbers of those that come."""

    def __init__(self, backend: Backend, aside: Aside, signals: list[int], as_json: bool) -> None:
        self._backend = backend
        self._aside = aside
        self._signals = signals
        self._json = as_json

    def ask(self, question: str, finding: Finding, options: Options) -> int:
        """Have it answered, unless it cannot be asked; the exit code."""
        info = self._backend.info
        try:
            conversation = Conversation.ask(question)
        except QuestionError as fault:
            return self._end(fields.unasked(ENGLISH, info, finding, [], ENGLISH.cannot_ask(fault)))
        asked = [panels.question(conversation.question)]
        if text := fixed_reply(finding, info.unreliable):
            self._answer(text)
            return self._end(fields.fixed(ENGLISH, info, finding, asked, text))
        snapshot = self._follow(partial(self._backend.stream, conversation, options))
        info, now = self._backend.info, time.monotonic()
        said = fields.of(ENGLISH, snapshot, now, info, finding, asked, self._aside.reasoning)
        return self._end(said, str(snapshot.error or ""))

    def _follow(self, stream: partial[EventStream]) -> Snapshot:
        """Print what comes, to the end."""
        run, shown = Run(stream).start(), 0
        try:
            while True:
                ended = run.join(PACE)
                if self._signals:
                    run.cancel()
                snapshot = run.snapshot
                if not self._json:
                    self._aside.follow(snapshot)
                answer = snapshot.screened.answer
                self._answer(fields.plain(answer[shown:]))
                shown = len(answer)
                if ended:
                    return snapshot
        finally:
            run.cancel()
            run.join(2.0)

    def _answer(self, text: str) -> None:
        if text and not self._json:
            self._aside.close()
            _out(text)

    def _end(self, said: Fields, for_owner: str = "") -> int:
        if self._json:
            _out(json.dumps(said, ensure_ascii=False) + "\n")
        elif said["answer"] or said["partial"]:
            _out("\n")
        self._aside.close()
        self._aside.part()
        figures = said["figures"]
        for sentence in (said["note"], for_owner, said["caution"], said["caveat"]):
            self._aside.line(sentence)
        self._aside.line(
            ENGLISH.figures(
                figures["first_token_seconds"],
                figures["tokens_per_second"],
                figures["tokens"],
                figures["seconds"],
            ),
            dim=True,
        )
        if said["ending"] == "stopped" and self._signals:
            return 128 + self._signals[0]
        return CODES[said["ending"] or "interrupted"]


def _flags() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(
        prog="app.py ask",
        description="Ask one question. The answer is on stdout, all else on stderr.",
        epilog="Exit codes: 0 answered, or out of room (stderr says so); 1 failed; 2 no question, "
        "or a wrong flag; 3 cut off; 4 withheld; 5 no answer; 6 not set up; 7 no model was asked; "
        "130 stopped.",
    )
    flags.add_argument("question", nargs="+", help=f"what to ask, or {STDIN} to read it from stdin")
    flags.add_argument("--backend", choices=BACKENDS, help="what answers (BACKEND)")
    flags.add_argument("--effort", choices=[each.value for each in Effort])
    flags.add_argument("--max-tokens", type=_tokens, help="reasoning and answer together")
    flags.add_argument("--temperature", type=_temperature)
    flags.add_argument("--no-reasoning", action="store_true", help="leave the reasoning out")
    flags.add_argument("--json", action="store_true", help="one object on stdout, at the end")
    return flags


def _tokens(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _temperature(text: str) -> float:
    with suppress(ValueError):
        if math.isfinite(number := float(text)):
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is not a number")


def _question(given: list[str]) -> str:
    if given == [STDIN]:
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    # A shell's bytes that are no UTF-8 come as halves of surrogate pairs.
    return " ".join(given).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _settings(flags: argparse.Namespace, environ: Mapping[str, str], file: Path | None) -> Settings:
    return read_settings({**environ, "BACKEND": flags.backend or environ.get("BACKEND", "")}, file)


def _options(flags: argparse.Namespace, info: BackendInfo) -> Options:
    wanted = info.defaults
    if flags.effort is not None:
        wanted = replace(wanted, effort=Effort(flags.effort))
    if flags.max_tokens is not None:
        wanted = replace(wanted, max_new_tokens=flags.max_tokens)
    if flags.temperature is not None:
        wanted = replace(wanted, temperature=flags.temperature)
    return wanted.within(info)


def _signals() -> list[int]:
    """Gets the numbers of those that ask for an end: only marked, so that it ends in order."""
    came: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: came.append(number))
    return came


def _out(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _mute() -> None:
    """What is left in the buffers has no reader: written at the exit, it would be an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
