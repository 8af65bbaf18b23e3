"""What a terminal shows beside the answer: on stderr, dim where that is a terminal that can."""

from __future__ import annotations

import os
import time
from typing import TextIO

from chat.reply import Phase
from ui import fields
from ui.fields import Told
from ui.run import Snapshot
from ui.words import ENGLISH

DIM, PLAIN, CLEAR = "\x1b[2m", "\x1b[0m", "\r\x1b[K"


class Aside:
    """One question's. `reasoning` is whether the trace is shown."""

    def __init__(self, stream: TextIO, reasoning: bool) -> None:
        self._stream = stream
        self.reasoning = reasoning
        self._live = stream.isatty() and os.environ.get("TERM") != "dumb"
        dims = self._live and not os.environ.get("NO_COLOR")
        self._dim, self._plain = (DIM, PLAIN) if dims else ("", "")
        self._shown = 0
        self._waits = False
        self._writes = False

    def warn(self, notices: list[Told]) -> None:
        """The notices, and the disclaimer: once, above everything."""
        for notice in notices:
            numbers = "".join(f"\n  {e['number']}  {e['name']}" for e in notice["numbers"])
            self.line(f"{notice['heading']}\n{notice['text']}{numbers}\n")
        self.line(ENGLISH.DISCLAIMER, dim=True)

    def line(self, text: str, dim: bool = False) -> None:
        """A line, or nothing for nothing."""
        if text:
            self._write(f"{self._dim}{text}{self._plain}\n" if dim else f"{text}\n")

    def follow(self, snapshot: Snapshot) -> None:
        """The reasoning as it grows, or what goes on, in one line that is written over."""
        text, reply = snapshot.screened.reasoning, snapshot.reply
        if self.reasoning and len(text) > self._shown:
            head = "" if self._shown else f"{self._over()}{ENGLISH.REASONING}\n"
            self._write(f"{head}{self._dim}{fields.plain(text[self._shown :])}{self._plain}")
            self._shown, self._writes = len(text), True
        elif self._live and not self._shown and reply.phase in (Phase.WAITING, Phase.THINKING):
            self._write(
                f"{CLEAR}{self._dim}{fields.going(ENGLISH, reply, time.monotonic())}{self._plain}"
            )
            self._waits = True

    def close(self) -> None:
        """What comes next stands on a line of its own."""
        self._write(self._over() + ("\n\n" if self._writes else ""))
        self._writes = False

    def part(self) -> None:
        """Apart from an answer that is in sight too."""
        if self._live:
            self._write("\n")

    def _over(self) -> str:
        waits, self._waits = self._waits, False
        return CLEAR if waits else ""

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
