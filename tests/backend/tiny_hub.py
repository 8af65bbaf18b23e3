"""A model hub on this machine, over a real socket: one repository, one commit, some files."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"
REPO = "someone/gpt-oss-tiny"


class _Hub(http.server.ThreadingHTTPServer):
    daemon_threads = True
    folder: Path
    asked: list[str]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Hub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path, folder = self.path.partition("?")[0], self.server.folder
        parts = path.strip("/").split("/")
        self.server.asked.append(path)
        if path.startswith(f"/api/models/{REPO}/tree/"):
            tree = [
                {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": COMMIT}
                for file in folder.iterdir()
            ]
            self._send(200, json.dumps(tree).encode(), body, "")
        elif path.startswith(f"/api/models/{REPO}"):
            known = parts[-1] in (COMMIT, "main") or parts[-2] != "revision"
            files = [{"rfilename": file.name} for file in folder.iterdir()]
            about = {"id": REPO, "sha": COMMIT, "siblings": files, "private": False}
            self._send(200 if known else 404, json.dumps(about).encode(), body, "RevisionNotFound")
        elif path.startswith(f"/{REPO}/resolve/") and parts[3] in (COMMIT, "main"):
            file = folder / parts[-1]
            found = file.read_bytes() if file.is_file() else b""
            self._send(200 if file.is_file() else 404, found, body, "EntryNotFound")
        else:
            known = path.startswith(f"/{REPO}/")
            self._send(404, b"", body, "RevisionNotFound" if known else "RepoNotFound")

    def _send(self, status: int, data: bytes, body: bool, error: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{len(data)}-{hash(data)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        if status != 200:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def hub_of(folder: Path) -> Iterator[_Hub]:
    with _Hub(("127.0.0.1", 0), _Handler) as server:
        server.folder, server.asked = folder, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
