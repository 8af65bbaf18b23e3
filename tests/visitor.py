"""A visitor without a browser: the page's own requests over a real socket.

    python -m tests.visitor ADDRESS N TEXT

asks as N visitors at once, prints `streaming` when a token has reached each, and at the end how
many saw TEXT: `ended N`.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
from collections.abc import Iterator
from typing import Any

import httpx


class Visitor:
    """One open page. Knows the page's functions by name, from its `/config`.

    With a `token` (`ui.resuming`) an answer can be picked up again; two pages never have the same,
    but for one that was loaded again.
    """

    def __init__(self, address: str) -> None:
        self.session = secrets.token_hex(6)
        self.token = ""
        self.http = httpx.Client(base_url=address, timeout=60.0, trust_env=False)
        config = self.http.get("/config").json()
        self.functions = {each["api_name"]: each for each in config["dependencies"]}

    def envelope(self, name: str, *data: Any) -> dict[str, Any]:
        """What the page posts to have its function `name` run."""
        function = self.functions[name]
        return {
            "data": list(data),
            "event_data": None,
            "fn_index": function["id"],
            "trigger_id": None,
            "session_hash": self.session,
        }

    def question(self, text: str) -> dict[str, Any]:
        """What the page posts to have `text` answered."""
        turn = {"role": "user", "metadata": {"id": "question"}, "options": None}
        turn["content"] = [{"type": "text", "text": text}]
        return self.envelope("answer", [turn], "medium", 512, 0.7)

    def post(self, path: str, body: Any) -> httpx.Response:
        # In ASCII: half a surrogate pair can be said in JSON, and not in UTF-8.
        headers = {"content-type": "application/json"}
        if self.token:
            headers["x-medicalgpt-token"] = self.token
        return self.http.post(
            f"/gradio_api/{path}", content=json.dumps(body).encode(), headers=headers
        )

    def ask(self, text: str) -> Iterator[dict[str, Any]]:
        """Post a question; then the page's updates as they come, to the end of the stream."""
        self.post("queue/join", self.question(text)).raise_for_status()
        return self.updates()

    def resume(self) -> Iterator[dict[str, Any]]:
        """Pick up the answer whose token this page has, to a question that it remembers."""
        self.session += "-1"  # as the page does: of the old name a connection may linger
        turn = self.question("What is a stroke?")["data"][0]
        self.post("queue/join", self.envelope("resume", turn)).raise_for_status()
        return self.updates()

    def gone(self) -> httpx.Response:
        """What a page says when it is closed."""
        return self.http.post("/gone", content=self.token)

    def updates(self) -> Iterator[dict[str, Any]]:
        query = {"session_hash": self.session}
        with self.http.stream("GET", "/gradio_api/queue/data", params=query) as stream:
            rest = b""
            for piece in stream.iter_bytes():  # httpx's lines end at U+2028 too, an event's do not
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    if line.startswith(b"data: "):
                        yield json.loads(line.removeprefix(b"data: "))

    def stop(self) -> None:
        self.post("run/predict", self.envelope("stop")).raise_for_status()

    def close(self) -> None:
        self.http.close()


def shown(updates: list[dict[str, Any]]) -> str:
    """Everything that reached the page, as one text to look for words in."""
    return json.dumps([each.get("output") for each in updates], ensure_ascii=False)


def crowd(address: str, size: int, last: str) -> int:
    """How many of `size` visitors who ask at once see `last` at the end of `slow`'s answer."""
    people = [Visitor(address) for _ in range(size)]
    streaming = threading.Barrier(size, lambda: print("streaming", flush=True))
    ended: list[bool] = []

    def ask(one: Visitor) -> None:
        updates = one.ask("What is a stroke?")
        next(update for update in updates if "thought0" in shown([update]))
        streaming.wait(60.0)
        ended.append(last in shown(list(updates)))
        one.close()

    threads = [threading.Thread(target=ask, args=(one,), daemon=True) for one in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120.0)
    return sum(ended)


if __name__ == "__main__":
    print("ended", crowd(sys.argv[1], int(sys.argv[2]), sys.argv[3]), flush=True)
