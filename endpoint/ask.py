"""One question to a deployed endpoint, from a terminal: waited for, streamed, printed.

    python -m endpoint.ask https://<workspace>--medicalgpt-serve.modal.run "What is a stroke?"

Keys come from `MODAL_KEY` and `MODAL_SECRET`, as for the page, whose client this is.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import TextIO

from backend.base import Backend, BackendError
from backend.remote import RemoteBackend
from chat.conversation import Conversation, QuestionError
from chat.events import AnswerDelta, Ended, EndReason, ReasoningDelta, Shortened, Waiting
from settings import SettingsError, read_settings

DIM, PLAIN, BACK = "\x1b[2m", "\x1b[0m", "\r\x1b[K"
_MOVES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a model may write to move a terminal's cursor, or to turn its text around."""


def ask_and_print(question: str, url: str, out: TextIO = sys.stdout) -> bool:
    """Ask at `url`, its address with or without `/v1`; whether the answer came to its end.

    Raises `SettingsError`, `QuestionError` and `BackendError`.
    """
    keys = {name: os.environ.get(name, "") for name in ("MODAL_KEY", "MODAL_SECRET")}
    base = url.rstrip("/").removesuffix("/v1")
    settings = read_settings({**keys, "MODAL_ENDPOINT": f"{base}/v1"})
    backend = RemoteBackend.from_settings(settings)
    with closing(backend):
        return print_reply(backend, question, out)


def print_reply(backend: Backend, question: str, out: TextIO) -> bool:
    """Print the reply to `question` as it comes; whether it came to its end.

    Reasoning is dim on a terminal; elsewhere a line before each part says which it is.
    """
    colour = out.isatty()
    shown: type[object] | None = None
    with closing(backend.stream(Conversation.ask(question), backend.info.defaults)) as stream:
        for event in stream:
            match event:
                case Waiting(stage, elapsed):
                    if colour and shown is None:
                        out.write(f"{BACK}{stage.value} {elapsed:.0f} s")
                case Shortened():
                    pass  # it is one question
                case ReasoningDelta(text) | AnswerDelta(text):
                    if shown is not type(event):
                        out.write(_head(type(event), colour=colour, first=shown is None))
                        shown = type(event)
                    out.write(_MOVES.sub("", text))
                case Ended(reason):
                    out.write(f"{PLAIN if colour else ''}\n")
                    if reason is not EndReason.FINISHED:
                        out.write(f"(not finished: {reason.value})\n")
                    return reason is EndReason.FINISHED
            out.flush()
    return False


def _head(part: type[object], *, colour: bool, first: bool) -> str:
    reasoning = part is ReasoningDelta
    gap = "" if first else "\n\n"
    if colour:
        return f"{BACK}{PLAIN}{gap}{DIM if reasoning else ''}"
    return f"{gap}{'Reasoning:' if reasoning else 'Answer:'}\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 a finished answer, 1 another, 2 it could not be asked."""
    flags = argparse.ArgumentParser(prog="python -m endpoint.ask", description="Ask once.")
    flags.add_argument("url", help="the endpoint's https address, with or without /v1")
    flags.add_argument("question")
    given = flags.parse_args(argv)
    try:
        return 0 if ask_and_print(given.question, given.url) else 1
    except (SettingsError, BackendError) as error:
        print(error, file=sys.stderr)
    except QuestionError:
        print("The question is empty or too long.", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
