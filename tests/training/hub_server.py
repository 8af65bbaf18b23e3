"""The part of the Hugging Face hub that a push needs, on a socket of this machine.

Files of a commit come as the hub takes them: large ones by Git LFS's batch interface, small ones in
the commit itself. What arrived is in `files`, by repository; `asked` has every request's line.
"""

from __future__ import annotations

import base64
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_test"  # noqa: S105


class Hub:
    def __init__(self) -> None:
        self.address = ""
        self.asked: list[str] = []
        self.private: dict[str, bool] = {}
        self.read_only: set[str] = set()
        self.files: dict[str, dict[str, bytes]] = defaultdict(dict)
        self.stored: dict[str, bytes] = {}
        """Large files by their sha256, before the commit that names them."""
        self.commits = 0

    def answer(self, path: str, body: bytes, token: str) -> tuple[int, Any]:
        if path.startswith("/lfs/"):
            self.stored[path.removeprefix("/lfs/")] = body
            return 200, {}
        if token != f"Bearer {TOKEN}":
            return 401, {"error": "Invalid username or password."}
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        name = "/".join(path.removeprefix("/api/models").split("/")[1:3]).removesuffix(".git")
        if name in self.read_only:
            return 403, {"error": "Forbidden"}
        if path.endswith("/preupload/main"):
            files = [file["path"] for file in json.loads(body)["files"]]
            return 200, {"files": [{"path": file, **_mode(file)} for file in files]}
        if path.endswith("/info/lfs/objects/batch"):
            return 200, {"transfer": "basic", "objects": list(map(self._upload, _oids(body)))}
        if path.endswith("/commit/main"):
            self._commit(name, body)
            url = f"{self.address}/{name}/commit/{self.commits:040x}"
            return 200, {"commitUrl": url, "commitOid": f"{self.commits:040x}"}
        return 200, {}

    def _create(self, asked: dict[str, Any]) -> tuple[int, Any]:
        name = f"{asked['organization']}/{asked['name']}"
        url = {"url": f"{self.address}/{name}"}
        if name in self.private:
            return 409, url
        self.private[name] = asked["visibility"] == "private"
        return 200, url

    def _upload(self, oid: dict[str, Any]) -> dict[str, Any]:
        return {**oid, "actions": {"upload": {"href": f"{self.address}/lfs/{oid['oid']}"}}}

    def _commit(self, name: str, body: bytes) -> None:
        self.commits += 1
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                self.files[name][value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                self.files[name][value["path"]] = self.stored[value["oid"]]


def _mode(file: str) -> dict[str, Any]:
    large = file.endswith(".safetensors")
    return {"uploadMode": "lfs" if large else "regular", "shouldIgnore": False}


def _oids(body: bytes) -> list[dict[str, Any]]:
    return [{"oid": each["oid"], "size": each["size"]} for each in json.loads(body)["objects"]]


@contextmanager
def serving() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.asked.append(f"{self.command} {self.path}")
            status, reply = hub.answer(self.path, body, self.headers.get("Authorization", ""))
            content = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
