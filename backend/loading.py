"""The model on its way into memory: found, fetched, loaded, by a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from backend import adapter_file
from backend.base import BackendError, Failed, NotReady, Ready, Status, Waking
from backend.cancelled import Cancelled
from backend.fetching import Fetching
from backend.gguf_header import Header, read_header
from backend.llama import Llama
from backend.model_file import ModelFile, obtain
from backend.model_info import context_of, speaks_harmony
from chat.events import Stage
from settings import Settings

log = logging.getLogger("medicalgpt.model")

CLOSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that can be asked. `context` is in tokens, for one conversation."""

    llama: Llama
    file: ModelFile
    adapter: ModelFile | None
    header: Header
    context: int


class Loading:
    """Begins when made. After a failure, `retry` begins again. Safe for several threads."""

    def __init__(self, settings: Settings, slots: int) -> None:
        self._settings = settings
        self._slots = slots
        self._change = threading.Condition()
        self._closed = threading.Event()
        self._loaded: Loaded | None = None
        self._status: Status = Waking(time.monotonic(), Stage.LOADING)
        self._thread = self._begin()

    def status(self) -> Status:
        return self._status

    @property
    def loaded(self) -> Loaded | None:
        return self._loaded

    def retry(self) -> None:
        """Begin again if the last try failed; else nothing."""
        with self._change:
            if isinstance(self._status, Failed) and not self._closed.is_set():
                self._status = Waking(time.monotonic(), Stage.LOADING)
                self._thread = self._begin()

    def wait(self, seconds: float) -> Loaded | None:
        """The model as soon as it is there, None after `seconds`. Raises what made it fail."""
        with self._change:
            self._change.wait_for(lambda: not isinstance(self._status, Waking), seconds)
            if isinstance(self._status, Failed):
                raise NotReady(str(self._status.error))
            return self._loaded

    def close(self) -> None:
        """End a fetch, free the model. A load under way frees itself when it is done."""
        self._closed.set()
        self._thread.join(CLOSE_SECONDS)
        with self._change:
            loaded, self._loaded = self._loaded, None
            self._set(Failed(NotReady("The backend was closed.")))
        if loaded is not None:
            loaded.llama.close()

    def _begin(self) -> threading.Thread:
        thread = threading.Thread(target=self._load, name="load-model", daemon=True)
        thread.start()
        return thread

    def _load(self) -> None:
        try:
            loaded = self._make()
        except Cancelled:
            return
        except BackendError as error:
            self._fail(error)
        except Exception as error:
            log.error("loading the model failed inside: %s", type(error).__name__)
            self._fail(NotReady("The model could not be loaded, by an error of our own."))
        else:
            with self._change:
                if not self._closed.is_set():
                    self._loaded = loaded
                    self._set(Ready())
                    return
            loaded.llama.close()

    def _make(self) -> Loaded:
        adapter = adapter_file.chosen(self._settings)
        file = obtain(self._settings, Fetching(self._fetching, self._closed))
        adapter = adapter or adapter_file.shipped(self._settings, file)
        header = read_header(file.path)
        with self._change:
            self._set(Waking(time.monotonic(), Stage.LOADING))
        context = context_of(header)
        llama = Llama(
            file.path,
            adapter=adapter and adapter.path,
            context=context,
            slots=self._slots,
            special=speaks_harmony(header),
        )
        return Loaded(llama, file, adapter, header, context)

    def _fetching(self, share: float | None) -> None:
        with self._change:
            match self._status:
                case Waking(began, Stage.FETCHING):
                    since = began
                case _:
                    since = time.monotonic()
            self._set(Waking(since, Stage.FETCHING, share))

    def _fail(self, error: BackendError) -> None:
        with self._change:
            self._set(Failed(error))

    def _set(self, status: Status) -> None:
        """To be called with the lock held. Once closed, nothing but the close is told."""
        if not self._closed.is_set() or isinstance(status, Failed):
            self._status = status
        self._change.notify_all()
