"""A file being fetched by a child process, which can be ended at any moment."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Callable

from backend.cancelled import Cancelled

log = logging.getLogger("medicalgpt.model")

POLL = 0.1
"""Seconds between two looks at the child, and at whether it is still wanted."""


class Fetching:
    """Who looks on: `progress` is given the share done, 0 to 1, or None where it is not known.

    Setting `cancelled` ends whatever is fetched, with `Cancelled`.
    """

    def __init__(
        self, progress: Callable[[float | None], None], cancelled: threading.Event
    ) -> None:
        self._progress = progress
        self.cancelled = cancelled
        self._logged = 0

    def pause(self) -> None:
        """Wait a moment for something else. Raises `Cancelled`."""
        if self.cancelled.wait(POLL):
            raise Cancelled

    def report(self, share: float | None) -> None:
        self._progress(share)
        tenth = int((share or 0) * 10)
        if tenth > self._logged:
            self._logged = tenth
            log.info("fetching the model: %d %%", tenth * 10)

    def follow(self, child: subprocess.Popen[bytes], share: Callable[[], float | None]) -> int:
        """The exit code of `child`, which leads a session of its own; till then `share` is told.

        Raises `Cancelled`; the child and its children have ended in any case.
        """

        def end() -> None:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()

        # Ctrl-C in the terminal does not reach another session, and a forced exit closes nothing.
        atexit.register(end)
        try:
            while child.poll() is None:
                self.report(share())
                self.pause()
            return child.returncode
        finally:
            end()
            atexit.unregister(end)
