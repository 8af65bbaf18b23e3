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
from endpoint.answer import Answer
from endpoint.fixed import Fixed, safety_field
from endpoint.replying import Gone, Replies, Replying
from endpoint.stop import Stops
from endpoint.watched import Watched
from safety import red_flags
from safety.finding import Level
from safety.notices import fixed_reply

LOOK_SECONDS = 10.0


class Asking:
    """A backend, and the replies that it is writing."""

    def __init__(self, backend: Backend, replies: Replies) -> None:
        self.backend = backend
        self._replies = replies

    @asynccontextmanager
    async def reply(
        self, request: Request, conversation: Conversation, options: Options, answer: Answer
    ) -> AsyncGenerator[Replying | Fixed, None]:
        """A reply to `request`, whose body was read. It is stopped when the block is left.

        What is found in the conversation goes into `answer`, whatever becomes of the reply. In a
        crisis, and in an emergency where the model is not to be trusted, the backend is not asked.
        Raises `Busy`.
        """
        # In a thread: the longest conversations take longer than others may be kept waiting.
        finding = await asyncio.to_thread(red_flags.assess, conversation)
        text = fixed_reply(finding, self.backend.info.unreliable)
        if finding.level is not Level.NONE:
            answer.safety = safety_field(finding, asked=text is None)
        if text is not None:
            yield Fixed(text)
            return
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


async def gather(replying: Replying | Fixed, stops: Stops) -> Reply:
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
