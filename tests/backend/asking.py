"""Asking an embedded backend, and looking into it, for tests."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from backend.base import Options
from backend.embedded import EmbeddedBackend
from backend.llama import Llama
from backend.watcher import Watcher
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, Event, ReasoningDelta

RAAS = "Explain how the renin-angiotensin-aldosterone system regulates blood pressure."
LONG = "A patient has had a cough for three weeks, and a fever. " * 130
CONTEXT = 1_024
UNWATCHED = Watcher(read=lambda share: None, cancelled=lambda: False)


def ask(
    backend: EmbeddedBackend, question: str = RAAS, **options: object
) -> tuple[str, str, Ended]:
    """Reasoning, answer and end of a reply."""
    wanted = Options(**{"temperature": 0.3, "max_new_tokens": 256, "seed": 7, **options})  # pyright: ignore[reportArgumentType]
    return told(list(backend.stream(Conversation.ask(question), wanted)))


def told(events: list[Event]) -> tuple[str, str, Ended]:
    end = events[-1]
    assert isinstance(end, Ended)
    return text_of(events, ReasoningDelta), text_of(events, AnswerDelta), end


def text_of(events: list[Event], kind: type[ReasoningDelta] | type[AnswerDelta]) -> str:
    return "".join(event.text for event in events if isinstance(event, kind))


def socket_folder(backend: EmbeddedBackend) -> Path:
    loaded = backend._loading.wait(60.0)  # pyright: ignore[reportPrivateUsage]
    assert loaded is not None
    folder = loaded.llama._folder  # pyright: ignore[reportPrivateUsage]
    assert folder.parent == Path(tempfile.gettempdir())
    return folder


@contextmanager
def model(path: Path, *, adapter: Path | None = None, special: bool = False) -> Generator[Llama]:
    llama = Llama(path, adapter=adapter, context=CONTEXT, slots=1, special=special)
    try:
        yield llama
    finally:
        llama.close()
