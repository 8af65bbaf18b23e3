"""The legacy contract in front of a model that is elsewhere, for clients that already use it.

    POST /   {"message": "<text>"} -> 200 {"response": "Thinking:\\n...\\n\\nFinal:\\n..."}
             200 {"error": "<text>"} for a bad request; 500 {"detail": "..."} where it failed
    GET /    405 once the model would answer

An ASGI app that holds no model, keeps nothing and logs nothing. A question is asked once; a client
that goes away cancels it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from chat.conversation import MAX_HISTORY_CHARS, SYSTEM_PROMPT
from chat.invisible import clean
from chat.typed_markers import neutralise
from endpoint.allowed import MOST_TOKENS, Refusal, json_object
from endpoint.gateway import BODY_SECONDS, read_body, while_there
from safety.watch import WITHHELD, withheld

FAILED = {"detail": "Internal model error. Check logs."}
ASK_SECONDS = 550.0
_LABEL = re.compile(r"\b(final|thinking):", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """One finished reply."""

    reasoning: str
    text: str


class AskFailed(Exception):
    """There is no answer. The reason is in the model's own log."""


Ask = Callable[[str], Awaitable[Answer]]
"""A question, once. Raises `AskFailed`, or `Refusal` where it can never be answered. Cancelling it
ends the work."""
Awake = Callable[[], Awaitable[None]]
"""Returns once a question would be answered; raises `AskFailed`. It wakes what sleeps."""


def response_text(answer: Answer) -> str:
    """`answer` as the contract has it. Labels inside it are broken, so that they move no split."""
    reasoning, text = (_LABEL.sub(r"\1 :", part) for part in (answer.reasoning, answer.text))
    final = f"Final:\n{text.strip()}"
    return f"Thinking:\n{reasoning.strip()}\n\n{final}" if reasoning.strip() else final


def create_legacy(ask: Ask, awake: Awake) -> Starlette:
    """The app that puts its questions to `ask`."""
    return Starlette(routes=[Route("/", _Legacy(ask, awake), methods=["GET", "POST"])])


class _Legacy:
    def __init__(self, ask: Ask, awake: Awake) -> None:
        self._ask, self._awake = ask, awake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            message = await _message(scope, receive)
        except ClientDisconnect:
            return
        except Refusal as refusal:
            await _bad(refusal)(scope, receive, send)
            return

        async def reply() -> None:
            if message is None:
                answer = await self._told_awake()
            else:
                answer = await self._answered(message)
            await answer(scope, receive, send)

        await while_there(receive, reply())

    async def _told_awake(self) -> JSONResponse:
        try:
            await self._awake()
        except AskFailed:
            return JSONResponse(FAILED, 503, {"Retry-After": "5"})
        return JSONResponse({"detail": "Method Not Allowed"}, 405, {"Allow": "POST"})

    async def _answered(self, message: str) -> JSONResponse:
        try:
            answer = await self._ask(message)
            if withheld(answer.reasoning, answer.text):
                return JSONResponse({"error": WITHHELD})
            return JSONResponse({"response": response_text(answer)})
        except Refusal as refusal:
            return _bad(refusal)
        except AskFailed:
            return JSONResponse(FAILED, 500)


def _bad(refusal: Refusal) -> JSONResponse:
    return JSONResponse({"error": str(refusal)})  # the contract has no other form for it


async def ask_server(upstream: str, model: str, message: str) -> Answer:
    """Ask `message` at the OpenAI-compatible server `upstream`, for `Ask`."""
    turns = [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": message}]
    body = {"model": model, "messages": turns, "max_completion_tokens": MOST_TOKENS}
    try:
        async with httpx.AsyncClient(timeout=ASK_SECONDS, trust_env=False) as client:
            answer = await client.post(f"{upstream}/v1/chat/completions", json=body)
        if answer.status_code in (400, 413):
            raise Refusal(400, "The model does not take this message; it may be too long.")
        answer.raise_for_status()
        choice = answer.json()["choices"][0]
        said = choice["message"]
        reasoning = said.get("reasoning") or said.get("reasoning_content") or ""
        if choice["finish_reason"] != "stop" or not (said["content"] or "").strip():
            raise AskFailed("unfinished")  # the contract has no word for it
        return Answer(reasoning, said["content"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError, IndexError) as error:
        # Without its cause, which may hold what was said.
        raise AskFailed(type(error).__name__) from None


async def _message(scope: Scope, receive: Receive) -> str | None:
    """What is asked; None for a GET. Raises `Refusal` and `ClientDisconnect`."""
    if scope["method"] != "POST":
        return None
    try:
        async with asyncio.timeout(BODY_SECONDS):
            asked = json_object(await read_body(Request(scope, receive)))
    except TimeoutError:
        raise Refusal(408, "The body took too long.") from None
    given = asked.get("message")
    if not isinstance(given, str) or not (message := clean(given).strip()):
        raise Refusal(400, "'message' must be a text that is not empty.")
    if len(message) > MAX_HISTORY_CHARS:
        raise Refusal(400, f"'message' has more than {MAX_HISTORY_CHARS} characters.")
    return neutralise(message)
