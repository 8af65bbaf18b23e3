"""vLLM as a child process: started, waited for, put to sleep for a snapshot, watched."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Sequence

import httpx

STEP_SECONDS = 0.5
HEALTH_SECONDS = 5.0
SLEEP_SECONDS = 300.0
STOP_SECONDS = 10.0


class VllmProcess:
    """The server that `command` starts, reached at `address` on this machine."""

    def __init__(self, command: Sequence[str], address: str) -> None:
        self._address = address
        self._stopping = False
        self._process = subprocess.Popen(command)

    def wait_until_ready(self, seconds: float) -> None:
        """Returns once it would answer. Raises `RuntimeError` where it ends or takes longer."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._process.poll() is not None:
                code = self._process.returncode
                raise RuntimeError(f"The model server ended with {code} while starting; see above.")
            if self._healthy():
                return
            time.sleep(STEP_SECONDS)
        raise RuntimeError(f"The model server was not ready after {seconds:.0f} s.")

    def sleep(self) -> None:
        """Put the weights into memory. Raises `httpx.HTTPError`; so does `wake`."""
        self._post("/sleep?level=1")

    def wake(self) -> None:
        self._post("/wake_up")

    def when_it_ends(self, tell: Callable[[], object]) -> None:
        """Call `tell`, in a thread, once it has ended without having been stopped."""

        def watch() -> None:
            self._process.wait()
            if not self._stopping:
                tell()

        threading.Thread(target=watch, name="model server", daemon=True).start()

    def stop(self) -> None:
        self._stopping = True
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _healthy(self) -> bool:
        try:
            found = httpx.get(f"{self._address}/health", timeout=HEALTH_SECONDS, trust_env=False)
        except httpx.HTTPError:
            return False
        return found.status_code == 200

    def _post(self, path: str) -> None:
        httpx.post(
            f"{self._address}{path}", timeout=SLEEP_SECONDS, trust_env=False
        ).raise_for_status()
