"""Many visitors without browsers: each makes the requests that its page makes while it asks.

The client is as bare as can be, for it shares the machine with the server that is measured.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from benchmarks.server import OURS
from benchmarks.source import ENDED

STATE_EVERY = 1.0
"""Seconds between two looks at `/state` of a page of ours that is being answered."""
STATE_LATER = 20.0
"""And of one that only stands open."""


class BadAnswer(Exception):
    """A server did not answer as its page expects."""


class Connection:
    """One HTTP connection that is kept open; one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    @asynccontextmanager
    async def to(cls, address: str) -> AsyncGenerator[Self, None]:
        parts = urlsplit(address)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**22)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()

    async def get(self, path: str) -> bytes:
        return await self._whole(f"GET {path}", b"")

    async def post(self, path: str, body: object) -> bytes:
        return await self._whole(f"POST {path}", json.dumps(body).encode())

    async def events(self, path: str) -> AsyncGenerator[bytes, None]:
        """The lines of an event stream that carry data, until it ends."""
        await self._begin(f"GET {path}", b"")
        async for line in self._reader:
            if line.startswith(b"data: "):
                yield line

    async def _whole(self, request: str, body: bytes) -> bytes:
        length = await self._begin(request, body)
        return await self._reader.readexactly(length)

    async def _begin(self, request: str, body: bytes) -> int:
        """Send, and read the head of the answer. Gives the length of its body."""
        head = f"{request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        content = "Content-Type: application/json\r\n\r\n"
        self._writer.write((head + content).encode() + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        if " 200 " not in f"{lines[0]} ":
            raise BadAnswer(f"{request}: {lines[0]}")
        lengths = [line.split(":")[1] for line in lines if line.startswith("content-length:")]
        return int(lengths[0]) if lengths else 0


@dataclass
class Answer:
    """When things came, as readings of `time.monotonic()`."""

    asked: float
    updates: list[float] = field(default_factory=list[float])
    text: str = ""
    """The last update, as it came."""

    @property
    def gaps(self) -> list[float]:
        return [b - a for a, b in zip(self.updates, self.updates[1:], strict=False)]


class Page:
    """What a page knows of its server: its functions, by name."""

    def __init__(self, which: str, address: str, config: dict[str, Any]) -> None:
        self.which, self.address = which, address
        self._ids = {each["api_name"]: each["id"] for each in config["dependencies"]}

    @classmethod
    async def load(cls, which: str, address: str) -> Page:
        async with Connection.to(address) as http:
            await http.get("/")
            return cls(which, address, json.loads(await http.get("/config")))

    async def stay_open(self) -> None:
        """What a page does that nobody uses. Until it is cancelled."""
        aside = [self._heartbeat(secrets.token_hex(6))]
        if self.which == OURS:
            aside.append(self._watch_state(STATE_LATER))
        await asyncio.gather(*aside)

    async def ask(self, text: str, ended: re.Pattern[str] = ENDED, length: int = 1_024) -> Answer:
        """One question of a new visitor, with all that its page asks for meanwhile.

        `ended` is in the last update of a whole reply; `length` is asked of ours.
        """
        session = secrets.token_hex(6)
        aside = [asyncio.create_task(self._heartbeat(session))]
        if self.which == OURS:
            aside.append(asyncio.create_task(self._watch_state(STATE_EVERY)))
        try:
            async with Connection.to(self.address) as http:
                asked = time.monotonic()
                for name, data in self._before(text):
                    await http.post("/gradio_api/run/predict", self._call(name, data, session))
                name, data = self._answer(text, length)
                await http.post("/gradio_api/queue/join", self._call(name, data, session))
            return await self._read(session, Answer(asked), ended)
        finally:
            for task in aside:
                task.cancel()
            await asyncio.gather(*aside, return_exceptions=True)

    def _before(self, text: str) -> list[tuple[str, list[Any]]]:
        if self.which == OURS:
            return [("begin", [text, []])]
        return [("_clear_and_save_textbox", [text]), ("_append_message_to_history", [None, []])]

    def _answer(self, text: str, length: int) -> tuple[str, list[Any]]:
        if self.which != OURS:
            return "_submit_fn", [None, None]
        content = [{"type": "text", "text": text}]
        turn = {"role": "user", "content": content, "metadata": {"id": "question"}}
        return "answer", [[turn], "medium", length, 0.7]

    def _call(self, name: str, data: list[Any], session: str) -> dict[str, Any]:
        call = {"data": data, "fn_index": self._ids[name], "session_hash": session}
        return {**call, "event_data": None, "trigger_id": None}

    async def _read(self, session: str, answer: Answer, ended: re.Pattern[str]) -> Answer:
        async with Connection.to(self.address) as http:
            path = f"/gradio_api/queue/data?session_hash={session}"
            async with aclosing(http.events(path)) as events:
                async for line in events:
                    if b'"process_generating"' in line or b'"process_completed"' in line:
                        answer.updates.append(time.monotonic())
                        answer.text = line.decode()
                    if b'"close_stream"' in line and ended.search(answer.text):
                        return answer
        raise BadAnswer("a reply did not come to its end")

    async def _heartbeat(self, session: str) -> None:
        async with Connection.to(self.address) as http:
            async for _ in http.events(f"/gradio_api/heartbeat/{session}"):
                pass

    async def _watch_state(self, every: float) -> None:
        async with Connection.to(self.address) as http:
            while True:
                await http.get("/state")
                await asyncio.sleep(every)


def ask_in_turn(which: str, address: str, texts: Iterable[str]) -> list[Answer]:
    """Questions one after the other, each read to its end."""

    async def ask() -> list[Answer]:
        page = await Page.load(which, address)
        return [await page.ask(text) for text in texts]

    return asyncio.run(ask())
