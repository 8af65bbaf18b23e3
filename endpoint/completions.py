"""POST /v1/chat/completions: OpenAI's contract, streamed and whole."""

from __future__ import annotations

from starlette.requests import Request

from backend.base import BackendError
from chat.events import Ended, Event
from endpoint.answer import Answer
from endpoint.asking import Asking, gather
from endpoint.body import read_body, read_object
from endpoint.fixed import Fixed
from endpoint.openai_reply import DONE, KEEP_ALIVE, Chunks, whole
from endpoint.openai_request import read_request
from endpoint.refusal import refusal_of
from endpoint.replying import Replying
from endpoint.stop import Stops
from endpoint.watched import Watched

HOLD_SECONDS = 4.0
"""For which the status code is held back, so that a failure can still be told by it. Less than the
5 s after which clients take a silent endpoint for one that is starting up."""
ALARM_SECONDS = 0.2
"""The same where a red flag was found: its notice comes first."""
SILENCE_SECONDS = 10.0
"""Between two comments that keep a silent stream's connection."""


class ChatCompletions:
    """One request: read, asked, told."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def __call__(self, request: Request, answer: Answer) -> None:
        """Raises `Refusal`, `Gone`, and `BackendError` where nothing was sent yet."""
        info = self._asking.backend.info
        asked = read_request(read_object(await read_body(request)), info)
        asking = self._asking.reply(request, asked.conversation, asked.options, answer)
        async with asking as replying:
            # A text of ours is told to its end.
            stops = Stops(() if isinstance(replying, Fixed) else asked.stops)
            if asked.stream:
                chunks = Chunks(answer.ref, asked.model, asked.include_usage)
                await _stream(replying, stops, chunks, answer)
            else:
                reply = await gather(replying, stops)
                answer.ended = reply.end.value if reply.end else "none"
                await answer.json(whole(reply, answer.ref, asked.model))


async def _stream(replying: Replying | Fixed, stops: Stops, chunks: Chunks, answer: Answer) -> None:
    event = await replying.next(ALARM_SECONDS if answer.safety else HOLD_SECONDS)
    await answer.stream()
    await answer.write(chunks.opening(answer.safety))
    try:
        await _tell(event, replying, stops, chunks, answer)
    except BackendError as error:
        answer.ended = type(error).__name__
        await answer.write(chunks.failed(refusal_of(error)))
    await answer.write(DONE)
    await answer.end()


async def _tell(
    event: Event | None, replying: Replying | Fixed, stops: Stops, chunks: Chunks, answer: Answer
) -> None:
    """Send `event` and what comes after it, to the end."""
    watched = Watched()
    while True:
        if event is None:
            await answer.write(KEEP_ALIVE)
        else:
            for told in [told for passed in watched.take(event) for told in stops.take(passed)]:
                await answer.write(chunks.told(told))
                if isinstance(told, Ended):
                    answer.ended = told.reason.value
                    return
        event = await replying.next(SILENCE_SECONDS)
