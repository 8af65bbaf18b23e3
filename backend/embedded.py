"""llama.cpp in this process: the backend that needs nothing but this machine.

Listens on no port (see `backend/llama.py`). The model is found or fetched and loaded by a thread
that begins at once; a question asked meanwhile waits for it.
"""

from __future__ import annotations

from collections.abc import Callable

from backend.base import BackendInfo, Options
from backend.cancelled import Cancelled
from backend.in_process import InProcess
from backend.loading import Loaded, Loading
from backend.model_info import describe, expected, speaks_harmony
from backend.stages import PLAIN, TRAINED, Writing
from backend.watcher import Watcher
from backend.work import Write
from chat.conversation import Conversation
from chat.events import Event
from settings import Settings

SLOTS = 2
"""Conversations answered at once. On two cores 1, 2, 3 and 4 give 120, 97, 96 and 116 tokens/s
together: more than one is for fairness, not for speed, and each takes 71 MB."""


class EmbeddedBackend(InProcess[Loaded]):
    """Answers with a GGUF model on this machine's CPU.

    One seed gives one text as long as nobody else is being answered: llama.cpp computes those
    who are together, and sums in another order then.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._expected = expected(settings)
        super().__init__(Loading(settings, SLOTS), SLOTS)

    @classmethod
    def from_settings(cls, settings: Settings) -> EmbeddedBackend:
        """Returns at once; `status()` tells how far the model is."""
        return cls(settings)

    @property
    def info(self) -> BackendInfo:
        """Expected before the model is loaded, and what its file says from then on."""
        loaded = self._loading.loaded
        return (
            self._expected
            if loaded is None
            else describe(loaded.file, loaded.header, loaded.adapter)
        )

    def _writing(self, loaded: Loaded, slot: int, asked: Conversation, options: Options) -> Write:
        style = PLAIN if loaded.adapter is None or options.base else TRAINED

        def write(emit: Callable[[Event], None], watcher: Watcher) -> None:
            writing = Writing(loaded.llama, slot, loaded.context, emit, watcher)
            try:
                if asked.begun:
                    harmony = speaks_harmony(loaded.header)
                    writing.go_on(asked, options, None if harmony else style)
                elif speaks_harmony(loaded.header):
                    writing.one_pass(asked, options)
                else:
                    writing.two_stages(asked, options, style)
            except Cancelled:
                writing.interrupt()

        return write
