"""What takes long and is needed by every question, made by a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from backend.base import BackendError, Failed, NotReady, Ready, Status, Waking
from backend.cancelled import Cancelled
from chat.events import Stage

log = logging.getLogger("medicalgpt.model")

CLOSE_SECONDS = 1.0

T = TypeVar("T")


class Background(ABC, Generic[T]):
    """`_make` begins when `begin` is called. After a failure, `retry` begins again.

    Knows no model. Safe for several threads.
    """

    def __init__(self) -> None:
        self.closed = threading.Event()
        self._change = threading.Condition()
        self._made: T | None = None
        self._status: Status = Waking(time.monotonic(), Stage.LOADING)
        self._thread = threading.Thread(target=self._run, name="load-model", daemon=True)

    @abstractmethod
    def _make(self) -> T:
        """Raises `BackendError`, and `Cancelled` once `closed` is set. Calls `_tell` meanwhile."""

    @abstractmethod
    def _free(self, made: T) -> None: ...

    def begin(self) -> None:
        self._thread.start()

    def status(self) -> Status:
        return self._status

    @property
    def loaded(self) -> T | None:
        return self._made

    def retry(self) -> None:
        """Begin again if the last try failed; else nothing."""
        with self._change:
            if isinstance(self._status, Failed) and not self.closed.is_set():
                self._status = Waking(time.monotonic(), Stage.LOADING)
                self._thread = threading.Thread(target=self._run, name="load-model", daemon=True)
                self._thread.start()

    def wait(self, seconds: float) -> T | None:
        """What was made as soon as it is there, None after `seconds`. Raises what made it fail."""
        with self._change:
            self._change.wait_for(lambda: not isinstance(self._status, Waking), seconds)
            if isinstance(self._status, Failed):
                raise NotReady(str(self._status.error))
            return self._made

    def close(self) -> None:
        """End what can be ended, free the rest. What is under way frees itself when it is done."""
        self.closed.set()
        self._thread.join(CLOSE_SECONDS)
        with self._change:
            made, self._made = self._made, None
            self._set(Failed(NotReady("The backend was closed.")))
        if made is not None:
            self._free(made)

    def _tell(self, stage: Stage, share: float | None = None) -> None:
        """How far it is; the seconds of a stage are counted from its first telling."""
        with self._change:
            match self._status:
                case Waking(began, before) if before is stage:
                    since = began
                case _:
                    since = time.monotonic()
            self._set(Waking(since, stage, share))

    def _run(self) -> None:
        try:
            made = self._make()
        except Cancelled:
            return
        except BackendError as error:
            self._fail(error)
        except Exception as error:
            log.error("loading the model failed inside: %s", type(error).__name__)
            self._fail(NotReady("The model could not be loaded, by an error of our own."))
        else:
            with self._change:
                if not self.closed.is_set():
                    self._made = made
                    self._set(Ready())
                    return
            self._free(made)

    def _fail(self, error: BackendError) -> None:
        with self._change:
            self._set(Failed(error))

    def _set(self, status: Status) -> None:
        """To be called with the lock held. Once closed, nothing but the close is told."""
        if not self.closed.is_set() or isinstance(status, Failed):
            self._status = status
        self._change.notify_all()
