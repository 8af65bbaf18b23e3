"""Serves the page or the endpoint over a backend that repeats what it is asked, and breaks with it.

    python -m tests.serve_canary page|endpoint

What a question holds decides: `broken` raises an exception of Python's with the question in its
text, `failing` one of the backend's, `endless` never ends, `leak-…` does on purpose what nothing of
ours may do, for the test of the test; all else is answered. Each exception that is raised in our
code is looked at: `CANARY` in the environment names what may be in none of them. Libraries raise
some that hold what was posted; that nobody prints them is what the search of all output shows.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from backend.base import Interrupted, Options
from backend.scripted import WHY, Pause, ScriptedBackend, Step
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta
from endpoint.server import Endpoint
from settings import read_settings
from tests.conftest import ROOT
from ui.listening import listen
from ui.logs import configure_logging
from ui.serve import Server
from ui.server import create_app

CANARY = os.environ["CANARY"]
# Whose exceptions are not the product's: a venv may lie inside the project's own folder.
OTHERS = {"tests", "scripted.py", "site-packages"}
seen: list[BaseException] = []


def trace(frame: FrameType, event: str, given: Any) -> Callable[..., Any]:
    """Print where in our code an exception with the canary in its text is raised."""
    frame.f_trace_lines = False
    # A generator's end carries its value; it is no fault, and nobody prints it.
    if event == "exception" and given[0] is not StopIteration:
        kind, error = given[0].__name__, given[1]
        with contextlib.suppress(Exception):
            told = CANARY in f"{error} {getattr(error, 'args', '')!r}"
            if told and not any(error is each for each in seen):
                seen.append(error)
                file = Path(frame.f_code.co_filename)
                if file.is_relative_to(ROOT) and not set(file.parts) & OTHERS:
                    print(
                        f"exception with text: {kind} at {file.name}:{frame.f_lineno}", flush=True
                    )
    return trace


def play(conversation: Conversation, options: Options) -> Iterator[Step]:
    asked = conversation.question
    give_away(asked)
    yield ReasoningDelta(f"reasoning about {asked}")
    if "broken" in asked:
        raise RuntimeError(asked)
    yield AnswerDelta(f"an answer to {asked}")
    if "failing" in asked:
        yield Interrupted(asked)
    if "endless" in asked:
        yield Pause(60.0)
    yield Ended(EndReason.FINISHED)


def give_away(asked: str) -> None:
    match asked.rpartition("leak-")[2]:
        case "log":
            logging.getLogger("medicalgpt.run").debug("asked %s", asked)
        case "print":
            print(asked, flush=True)
        case "file":
            Path("asked.txt").write_text(asked)
        case "temp":
            with tempfile.NamedTemporaryFile("w", delete=False) as file:
                file.write(asked)
        case "error":
            code = compile("int(asked)", ROOT / "ui" / "leak.py", "exec")
            with contextlib.suppress(ValueError):
                exec(code, {"asked": asked})  # noqa: S102
        case _:
            pass


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=("page", "endpoint"))
    page = parser.parse_args().part == "page"
    settings = read_settings(os.environ)
    configure_logging(settings.log_level)
    backend = ScriptedBackend(play)
    service = create_app(backend, WHY, settings) if page else Endpoint(backend)
    listener = listen("127.0.0.1", 0)
    server = Server(service, 0.0)

    def announce() -> None:
        while not server.started:
            time.sleep(0.05)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)

    threading.Thread(target=announce, daemon=True).start()
    threading.settrace(trace)
    sys.settrace(trace)
    server.run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
