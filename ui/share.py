"""A public address for this server through Gradio's tunnel, on the owner's word."""

from __future__ import annotations

import contextlib
import logging
import secrets
import subprocess
import threading
from collections.abc import Callable

from gradio import networking, tunneling

log = logging.getLogger("medicalgpt.share")

OPENED = (
    "Public address: {url}\n"
    "Anybody who has it can ask this model and see this page, through Gradio's relay, until "
    "this program ends. Nothing else of this machine is exposed."
)
FAILED = (
    "No public address: Gradio's relay or its tunnel program could not be reached. The page "
    "works on this machine; start again with --share once there is a connection."
)


class Tunnel:
    """Opens in a thread of its own, so that the page needs not wait for it.

    The first use downloads Gradio's tunnel program, which Gradio checks by its sha256.
    """

    def __init__(self, host: str, port: int, tell: Callable[[str], None]) -> None:
        self._host = host
        self._port = port
        self._tell = tell
        self._closed = False
        self._thread = threading.Thread(target=self._open, name="share", daemon=True)

    def start(self) -> None:
        """Returns at once; `tell` gets the address, or one sentence that there is none."""
        self._thread.start()

    def close(self) -> None:
        """End the tunnel."""
        self._closed = True
        for tunnel in tunneling.CURRENT_TUNNELS:
            process: subprocess.Popen[bytes] | None = tunnel.proc
            if process is not None:
                tunnel.proc = None  # Gradio would end it once more at exit, and print so
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(1.0)

    def _open(self) -> None:
        try:
            url = networking.setup_tunnel(
                self._host, self._port, secrets.token_urlsafe(32), None, None
            )
        except Exception as error:
            log.debug("tunnel: %s", type(error).__name__)
            if not self._closed:
                self._tell(FAILED)
            return
        if self._closed:
            self.close()
        else:
            self._tell(OPENED.format(url=url))
