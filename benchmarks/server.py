"""A server in a process of its own, being measured."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.quota import Quota
from benchmarks.source import Pattern

ROOT = Path(__file__).parent.parent
OURS, PLAIN = "ours", "plain"


class ServerFailed(Exception):
    """It ended before it served; the text is what it said last."""


class Server:
    """A python process that serves. `arguments` as for `python`; closed by `close`.

    `quota` limits it from its first moment, `environ` stands over this process's environment.
    """

    def __init__(
        self, *arguments: str, quota: Quota | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115, closed by `close`
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "GRADIO_ANALYTICS_ENABLED": "False",
                "PYTHONUNBUFFERED": "1",
                **(environ or {}),
            },
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )
        if quota is not None:
            quota.take(self._process.pid)
        self._measured = psutil.Process(self._process.pid)

    def address(self) -> str:
        """The first line of its output that is one. Waits for it."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("http"):
                return line.strip()
        raise ServerFailed(self.said())

    def said(self) -> str:
        """The end of its stderr."""
        self._said.seek(0)
        return self._said.read()[-2_000:]

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def cpu(self) -> float:
        """Seconds of CPU so far, user and system, of all its threads."""
        # The process's own clock, in nanoseconds (clock_getcpuclockid(3) makes the number this
        # way): what psutil reads counts hundredths, too coarse for the cost of being idle.
        return time.clock_gettime((~self._process.pid << 3) | 2)

    def idle(self, seconds: float) -> float:
        """Seconds of CPU per second while nothing is asked of it."""
        before, began = self.cpu(), time.monotonic()
        time.sleep(seconds)
        return (self.cpu() - before) / (time.monotonic() - began)

    def rss(self) -> float:
        """Resident memory in MB (10^6 bytes)."""
        return self._measured.memory_info().rss / 1e6

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._said.close()


def free_port() -> int:
    """One that nobody listens on now, for programs that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    which: str, pattern: Pattern, quota: Quota | None = None
) -> Generator[tuple[Server, str], None, None]:
    """`OURS` or `PLAIN` with its source at `pattern`, and its address."""
    server = Server("-m", f"benchmarks.{which}", *pattern.flags(), quota=quota)
    try:
        yield server, server.address()
    finally:
        server.close()
