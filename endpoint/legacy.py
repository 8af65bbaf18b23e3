"""POST /generate: the contract of the endpoint that was there before, whole replies only.

`{"message": text}` is answered with `{"response": "Thinking:\\n…\\n\\nFinal:\\n…"}`. The contract
has no word for a reply that did not finish, so that such a one is a failure here: what stands
under `Final:` is always a whole answer. That is also why it gets all the room there is. A reply
that is withheld is an `error` that says so.
"""

from __future__ import annotations

import re
from dataclasses import replace

from starlette.requests import Request

from backend.base import BackendError, Busy, NotReady, TooLong
from chat.conversation import Conversation, EmptyQuestion, QuestionTooLong, Role, Turn, question
from chat.events import EndReason
from chat.reply import Reply
from endpoint.answer import Answer
from endpoint.asking import Asking, gather
from endpoint.body import read_body, read_object
from endpoint.openai_messages import MAX_CHARS
from endpoint.refusal import Refusal, bad_request, refusal_of
from endpoint.stop import Stops
from safety.watch import WITHHELD

FAILED = "Internal model error. Check logs."

_LABEL = re.compile(r"\b(final|thinking):", re.IGNORECASE)


class Generate:
    """One request: read, asked, told."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def __call__(self, request: Request, answer: Answer) -> None:
        """Raises `Refusal` and `Gone`."""
        body = await read_body(request)
        try:
            conversation = read_message(body)
        except Refusal as refusal:
            return await answer.json({"error": refusal.message})
        try:
            reply = await self._reply(request, conversation, answer)
        except BackendError as error:
            answer.ended = type(error).__name__
            return await _fail(error, answer)
        answer.ended = reply.end.value if reply.end else "none"
        if reply.end is EndReason.WITHHELD:
            return await answer.json({"error": WITHHELD})
        if not reply.complete:
            raise Refusal(500, FAILED)
        await answer.json({"response": response(reply)})

    async def _reply(self, request: Request, conversation: Conversation, answer: Answer) -> Reply:
        info = self._asking.backend.info
        options = replace(info.defaults, max_new_tokens=info.max_new_tokens)
        async with self._asking.reply(request, conversation, options, answer) as replying:
            return await gather(replying, Stops(()))


async def _fail(error: BackendError, answer: Answer) -> None:
    """What its sender can change is a bad request; what passes by itself keeps its status."""
    refusal = refusal_of(error)
    match error:
        case TooLong():
            await answer.json({"error": refusal.message})
        case Busy() | NotReady():
            raise refusal
        case _:
            raise Refusal(500, FAILED)


def read_message(body: bytes) -> Conversation:
    """The question in a request. Raises `Refusal`."""
    message = read_object(body).get("message")
    if not isinstance(message, str):
        raise bad_request("message must be a text.")
    try:
        return Conversation((Turn(Role.USER, question(message, MAX_CHARS)),))
    except EmptyQuestion:
        raise bad_request("message is empty.") from None
    except QuestionTooLong:
        raise bad_request(f"message holds more than {MAX_CHARS} characters.") from None


def response(reply: Reply) -> str:
    """A finished reply as one text. Labels inside of it are broken, so that they move no split."""
    reasoning, answer = (
        _LABEL.sub(r"\1 :", text.strip()) for text in (reply.reasoning, reply.answer)
    )
    final = f"Final:\n{answer}"
    return f"Thinking:\n{reasoning}\n\n{final}" if reasoning else final
