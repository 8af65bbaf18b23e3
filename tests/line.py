"""The network between a browser and the server, which a test may cut, silence and mend.

Every byte passes through it, as through a proxy or a phone's radio; what it does to a connection
both ends see on a real socket.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class Wire:
    """One connection."""

    def __init__(self, browser: socket.socket, server: socket.socket, lingers: bool) -> None:
        self.ends = (browser, server)
        self.said = b""
        """What the browser sent last."""
        self.passing = threading.Event()
        self.passing.set()
        self._lingers = lingers
        for way in ((browser, server), (server, browser)):
            threading.Thread(target=self._pass, args=way, daemon=True).start()

    def close(self) -> None:
        for each in self.ends:
            _close(each)

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while piece := one.recv(65_536):
                if one is self.ends[0]:
                    self.said = piece
                self.passing.wait()
                other.sendall(piece)
        if self.passing.is_set() and not (self._lingers and one is self.ends[0]):
            self.close()


class Line:
    """Listens on a port of its own, `address`, and passes everything on to the server's."""

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        self._server = (str(parts.hostname), int(parts.port or 80))
        self._open = True
        self.lingers = False
        """Whether the server's side stays open where the browser's is closed."""
        self._wires: list[Wire] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Every connection ends, on both sides, and until `mend` none can be made."""
        self._open = False
        self.drop()

    def mend(self) -> None:
        """Connections can be made again."""
        self._open = True

    def drop(self) -> None:
        """Every connection ends, as behind a proxy that has had enough; others can be made."""
        with self._lock:
            wires, self._wires = self._wires, []
        for wire in wires:
            wire.close()

    def silence(self, asking: bytes = b"") -> None:
        """Nothing passes any more on the connections there are, or on those that asked for this.

        As when a phone changes its network: no end is told anything. New ones can be made.
        """
        with self._lock:
            for wire in self._wires:
                if asking in wire.said:
                    wire.passing.clear()

    def close(self) -> None:
        self.cut()
        _close(self._listener)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                browser, _ = self._listener.accept()
                if self._open:
                    server = socket.create_connection(self._server)
                    with self._lock:
                        self._wires.append(Wire(browser, server, self.lingers))
                else:
                    _close(browser)


def _close(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
