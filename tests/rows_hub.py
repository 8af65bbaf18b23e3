"""The part of the Hugging Face hub that reading a data set needs, on a socket of this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def rows_hub(name: str, revision: str, files: Mapping[str, bytes]) -> Iterator[str]:
    """Its address. It knows the data set `name`, of these `files`, at `revision` and no other."""
    api = f"/api/datasets/{name}"

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            content = self.content(self.path.partition("?")[0])
            self.send_response(404 if content is None else 200)
            self.send_header("ETag", f'"{hash(content)}"')
            self.send_header("X-Repo-Commit", revision)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if content is not None and self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = answer

        def content(self, path: str) -> bytes | None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            listed = [
                {"type": "file", "path": each, "size": len(data), "oid": "0" * 40}
                for each, data in files.items()
            ]
            if path == f"{api}/revision/{revision}":
                siblings = [{"rfilename": each} for each in files]
                return json.dumps({"id": name, "sha": revision, "siblings": siblings}).encode()
            if path in (f"{api}/tree/{revision}", f"{api}/paths-info/{revision}"):
                return json.dumps(listed).encode()
            return files.get(path.removeprefix(f"/datasets/{name}/resolve/{revision}/"))

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
