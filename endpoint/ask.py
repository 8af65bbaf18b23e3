"""One question to a deployed endpoint, from a terminal: waited for, streamed, printed.

    python -m endpoint.ask https://<workspace>--medicalgpt-serve.modal.run "What is a stroke?"

Keys come from `MODAL_KEY` and `MODAL_SECRET`, as for the page, whose client this is.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from typing import TextIO

from backend.base import Backend
from backend.remote import RemoteBackend
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Waiting
from settings import read_settings

DIM, PLAIN, BACK = "\x1b[2m", "\x1b[0m", "\r\x1b[K"


def ask_and_print(question: str, url: str, out: TextIO = sys.stdout) -> bool:
    """Ask at `url`, the address without `/v1`; whether the answer came to its end.

    Raises `SettingsError`, `QuestionError` and `BackendError`.
    """
    keys = {name: os.environ.get(name, "") for name in ("MODAL_KEY", "MODAL_SECRET")}
    settings = read_settings({**keys, "MODAL_ENDPOINT": f"{url.rstrip('/')}/v1"})
    backend = RemoteBackend.from_settings(settings)
    with closing(backend):
        return print_reply(backend, question, out)


def print_reply(backend: Backend, question: str, out: TextIO) -> bool:
    """Print the reply to `question` as it comes, reasoning dim; whether it came to its end."""
    colour = out.isatty()
    shown: type[object] | None = None
    with closing(backend.stream(Conversation.ask(question), backend.info.defaults)) as stream:
        for event in stream:
            match event:
                case Waiting(stage, elapsed):
                    if colour and shown is None:
                        out.write(f"{BACK}{stage.value} {elapsed:.0f} s")
                case ReasoningDelta(text) | AnswerDelta(text):
                    if shown is not type(event):
                        dim = DIM if isinstance(event, ReasoningDelta) else ""
                        gap = "\n\n" if shown else ""
                        out.write((BACK + PLAIN if colour else "") + gap + (dim if colour else ""))
                        shown = type(event)
                    out.write(text)
                case Ended(reason):
                    out.write(f"{PLAIN if colour else ''}\n")
                    if reason is not EndReason.FINISHED:
                        out.write(f"(not finished: {reason.value})\n")
                    return reason is EndReason.FINISHED
            out.flush()
    return False


if __name__ == "__main__":
    sys.exit(0 if ask_and_print(sys.argv[2], sys.argv[1]) else 1)
