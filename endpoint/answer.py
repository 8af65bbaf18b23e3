"""The answer to one request as it is sent, and what the log may say of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.types import Send

ALWAYS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class Answer:
    """Sends JSON at once, or a stream in pieces. `ref` names it to the client and in the log."""

    def __init__(self, send: Send, ref: str) -> None:
        self._send = send
        self.ref = ref
        self.status: int | None = None
        """None while nothing was sent, so that any status is still possible."""
        self.ended = "none"
        """How the reply ended, in a word of ours, for the log."""
        self.safety: dict[str, Any] = {}
        """What was found in the conversation, for the reply: empty where nothing was."""

    async def json(
        self, body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """The whole answer, a refusal too. To be called once, instead of `stream`."""
        if self.safety:
            body = {**body, "safety": self.safety}
        data = json.dumps(body).encode()
        own = {"content-type": "application/json", "content-length": str(len(data))}
        await self._start(status, {**own, **(headers or {})})
        await self._send({"type": "http.response.body", "body": data})

    async def stream(self) -> None:
        """Begin an event stream; `write` fills it, `end` ends it."""
        # A proxy that gathers a stream would hide the model's pace.
        headers = {"content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no"}
        await self._start(200, headers)

    async def write(self, data: bytes) -> None:
        if data:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    async def _start(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        named = {**ALWAYS, "x-request-id": self.ref, **headers}
        pairs = [(name.encode(), value.encode()) for name, value in named.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})
