"""Asking the backend for one client, and stopping it as soon as that client is gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.requests import Request

from backend.base import Backend, Options
from chat.conversation import Conversation
from chat.events import EndReason
from chat.reply import Reply
from endpoint.replying import Gone, Replies, Replying
from endpoint.stop import Stops
from endpoint.watched import Watched

LOOK_SECONDS = 10.0


class Asking:
    """A backend, and the replies that it is writing."""

    def __init__(self, backend: Backend, replies: Replies) -> None:
        self.backend = backend
        self._replies = replies

    @asynccontextmanager
    async def reply(
        self, request: Request, conversation: Conversation, options: Options
    ) -> AsyncGenerator[Replying, None]:
        """A reply to `request`, whose body was read. It is stopped when the block is left.

        Raises `Busy`.
        """
        replying = self._replies.start(lambda: self.backend.stream(conversation, options))
        watcher = asyncio.create_task(_watch(request, replying))
        try:
            yield replying
        finally:
            watcher.cancel()
            replying.cancel(Gone())


async def _watch(request: Request, replying: Replying) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    replying.cancel(Gone())


async def gather(replying: Replying, stops: Stops) -> Reply:
    """The whole reply, without a text where that is withheld.

    Raises `BackendError` where it broke off, and `Gone`.
    """
    reply, watched = Reply(started=time.monotonic()), Watched()
    while reply.end is None:
        event = await replying.next(LOOK_SECONDS)
        if event is not None:
            for passed in watched.take(event):
                for told in stops.take(passed):
                    reply = reply.apply(told, time.monotonic())
    return reply.withheld(time.monotonic()) if reply.end is EndReason.WITHHELD else reply
