"""The embedded model on its way into memory: found, fetched, loaded."""

from __future__ import annotations

from dataclasses import dataclass

from backend import adapter_file
from backend.background import Background
from backend.fetching import Fetching
from backend.gguf_header import Header, read_header
from backend.llama import Llama
from backend.model_file import ModelFile, obtain
from backend.model_info import context_of, speaks_harmony
from chat.events import Stage
from settings import Settings


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that can be asked. `context` is in tokens, for one conversation."""

    llama: Llama
    file: ModelFile
    adapter: ModelFile | None
    header: Header
    context: int


class Loading(Background[Loaded]):
    """Begins when made. After a failure, `retry` begins again. Safe for several threads."""

    def __init__(self, settings: Settings, slots: int) -> None:
        super().__init__()
        self._settings = settings
        self._slots = slots
        self.begin()

    def _make(self) -> Loaded:
        adapter = adapter_file.chosen(self._settings)
        file = obtain(
            self._settings,
            Fetching(lambda share: self._tell(Stage.FETCHING, share), self.closed),
        )
        adapter = adapter or adapter_file.shipped(self._settings, file)
        header = read_header(file.path)
        self._tell(Stage.LOADING)
        context = context_of(header)
        llama = Llama(
            file.path,
            adapter=adapter and adapter.path,
            context=context,
            slots=self._slots,
            special=speaks_harmony(header),
        )
        return Loaded(llama, file, adapter, header, context)

    def _free(self, made: Loaded) -> None:
        made.llama.close()
