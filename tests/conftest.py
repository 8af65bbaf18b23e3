"""The real server, on real sockets, for every test that needs one."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pytest

from backend.base import Backend
from backend.scripted import WHY
from settings import Settings
from tests.visitor import Visitor
from ui.listening import listen
from ui.serve import Server
from ui.server import create_app

ROOT = Path(__file__).parent.parent

Serve = Callable[..., str]


@contextmanager
def serving(backend: Backend, **settings: Any) -> Iterator[str]:
    """The app around `backend` on a free port of this machine; gives its address."""
    asked = Settings(**{"drain_seconds": 0.0, **settings})
    listener = listen("127.0.0.1", 0)
    with ThreadPoolExecutor(1) as aside:  # a browser test's thread has a loop of its own
        app = aside.submit(create_app, backend, WHY, asked).result()
    server = Server(app, asked.drain_seconds)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        wait_until(lambda: server.started, 20.0)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.stop()
        thread.join(15.0)
        assert not thread.is_alive()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(backend, **settings)` gives the address of the app, stopped after the test."""
    with ExitStack() as running:
        yield lambda backend, **settings: running.enter_context(serving(backend, **settings))


@pytest.fixture
def visitor() -> Iterator[Callable[[str], Visitor]]:
    """`visitor(address)` opens a page; it is closed after the test."""
    opened: list[Visitor] = []

    def visit(address: str) -> Visitor:
        opened.append(Visitor(address))
        return opened[-1]

    yield visit
    for each in opened:
        each.close()


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real tokenizer of gpt-oss; building it takes seconds."""
    pytest.importorskip("transformers")
    from tests.gpt_oss_tokenizer import build_tokenizer

    return build_tokenizer(tmp_path_factory.mktemp("tokenizer"))


class Program:
    """A program of ours in a process of its own, its output read as it comes."""

    def __init__(self, *arguments: str, cwd: Path = ROOT, **environ: str) -> None:
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("GRADIO_", "BACKEND"))}
        self.process = subprocess.Popen(
            [sys.executable, "-u", *arguments],
            cwd=cwd,
            env={**plain, "PYTHONPATH": str(ROOT), **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    def line(self, having: str, seconds: float = 40.0) -> str:
        """The next line of stdout or stderr with `having` in it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with suppress(queue.Empty):
                line = self._lines.get(timeout=0.1)
                if having in line:
                    return line
                continue
            if self.process.poll() is not None:
                break
        raise AssertionError(f"no line with {having!r} in: {self.out + self.err}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, seconds: float) -> int:
        """The exit code, once it has ended and all of its output is read."""
        code = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(5.0)
        return code

    def _read(self, stream: IO[str], lines: list[str]) -> None:
        with stream:
            for line in stream:
                lines.append(line.rstrip("\n"))
                self._lines.put(lines[-1])


@pytest.fixture
def program() -> Iterator[Callable[..., Program]]:
    """`program(*arguments, cwd=, **environ)` runs python with them; killed after the test."""
    started: list[Program] = []

    def start(*arguments: str, cwd: Path = ROOT, **environ: str) -> Program:
        started.append(Program(*arguments, cwd=cwd, **environ))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.end(10.0)


def wait_until(true: Callable[[], bool], seconds: float) -> None:
    """Fail where it does not become true in time."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
