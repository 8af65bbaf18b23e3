"""The plain alternative: a bare `gr.ChatInterface` that yields the text so far at every token.

Its own limits are lifted as far as it goes, so that what is compared is not a default. Nothing
of `ui` is imported here.

    python -m benchmarks.plain --rate=50
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import gradio as gr

from backend.base import Options
from benchmarks.server import free_port
from benchmarks.source import read_pattern, source
from chat.conversation import Conversation
from chat.events import AnswerDelta, ReasoningDelta


def main(argv: Sequence[str] | None = None) -> int:
    backend = source(read_pattern(argv))

    def respond(message: str, history: list[object]) -> Iterator[str]:
        text = ""
        for event in backend.stream(Conversation.from_untrusted([], message), Options()):
            if isinstance(event, ReasoningDelta | AnswerDelta):
                text += event.text
                yield text

    page = gr.ChatInterface(respond, concurrency_limit=None)
    _, address, _ = page.launch(
        server_name="127.0.0.1", server_port=free_port(), max_threads=400, quiet=True,
        prevent_thread_lock=True,
    )  # fmt: skip
    print(address.rstrip("/"), flush=True)
    page.block_thread()
    return 0


if __name__ == "__main__":
    sys.exit(main())
