"""The model that inspect-ai asks: any endpoint of the OpenAI contract, with what ours adds to it.

Of a reply it keeps what the endpoint says in `safety` (whether a notice stood above the reply, and
whether a model was asked at all), and the commit that asked. Keys come from the environment and
are in no log: ENDPOINT_API_KEY, MODAL_KEY and MODAL_SECRET for the endpoint, JUDGE_API_KEY for a
judge. No redirect is followed, as the keys would go along.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterable, AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ContentReasoning,
    GenerateConfig,
    ModelAPI,
    ModelCall,
    ModelOutput,
    modelapi,
)
from inspect_ai.model._providers.openai_compatible import (  # pyright: ignore[reportMissingTypeStubs]
    OpenAICompatibleAPI,
)
from inspect_ai.tool import ToolChoice, ToolInfo
from openai import DefaultAsyncHttpxClient
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from chat.dialects import TextReader
from chat.events import AnswerDelta, EndReason, ReasoningDelta
from evaluation.form import CUT, WITHHELD, Reply

ENDPOINT, JUDGE = "endpoint", "judge"
NO_KEY = "none"
SECONDS = 900.0
"""For each piece of a reply to come."""
HERE = Path(__file__).resolve().parent.parent
ENDED = {"stop": "finished", "max_tokens": CUT, "content_filter": WITHHELD, "model_length": CUT}


def headers() -> dict[str, str]:
    """What goes to the endpoint beside the bearer token: Modal's two, where both are set."""
    names = {"Modal-Key": "MODAL_KEY", "Modal-Secret": "MODAL_SECRET"}
    found = {name: os.environ.get(variable, "") for name, variable in names.items()}
    return found if all(found.values()) else {}


def key(service: str = ENDPOINT) -> str:
    """The bearer token for `service`, `NO_KEY` where none is set."""
    variable = "JUDGE_API_KEY" if service == JUDGE else "ENDPOINT_API_KEY"
    return os.environ.get(variable) or NO_KEY


class EndpointAPI(OpenAICompatibleAPI):
    """Streams, so that an endpoint notices who leaves, and no proxy's limit cuts a long reply."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        service: str = ENDPOINT,
    ) -> None:
        self._service = service
        super().__init__(
            model_name=model_name,
            base_url=base_url,
            api_key=key(service),
            config=config or GenerateConfig(),
            service=service,
            stream=True,
            client_timeout=SECONDS,
            max_retries=0,  # inspect-ai tries again; the client's own would multiply with those
        )

    def _create_http_client(self) -> DefaultAsyncHttpxClient:
        given = headers() if self._service == ENDPOINT else {}
        return DefaultAsyncHttpxClient(headers=given, follow_redirects=False, timeout=SECONDS)

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput | tuple[ModelOutput | Exception, ModelCall]:
        told = await super().generate(input, tools, tool_choice, config)
        if isinstance(told, tuple):
            output, call = told
            if isinstance(output, ModelOutput):
                safety = (call.response or {}).get("safety")
                output.metadata = {"safety": safety, "commit": commit()}
        return told

    async def stream_completion(self, stream: AsyncIterable[ChatCompletionChunk]) -> ChatCompletion:
        found: dict[str, Any] = {}

        async def looked_at() -> AsyncIterator[ChatCompletionChunk]:
            async for chunk in stream:
                if safety := (chunk.model_extra or {}).get("safety"):
                    found["safety"] = _short(safety)
                yield chunk

        whole = await super().stream_completion(looked_at())
        return whole.model_copy(update=found)


def _short(safety: dict[str, Any]) -> dict[str, Any]:
    """The notice's words and numbers are always the same: whether there was one is enough."""
    kept = {name: safety.get(name) for name in ("level", "emergency", "rules", "asked")}
    return {**kept, "notice": bool(safety.get("notice"))}


@modelapi(name=ENDPOINT)
def endpoint() -> type[ModelAPI]:
    """`endpoint/<model id>`, as inspect-ai's registry has it."""
    return EndpointAPI


def reply_of(output: ModelOutput) -> Reply:
    """Reasoning and answer of one reply, apart.

    What an endpoint left in the answer's text in one of the dialects of `chat/` is read as the page
    reads it: a trace, whole or cut, is never an answer.
    """
    if output.empty:
        return Reply("", "", "unknown")
    content = output.message.content
    parts = [] if isinstance(content, str) else content
    reasoning = "".join(part.reasoning for part in parts if isinstance(part, ContentReasoning))
    reader, answer = TextReader(), ""
    for event in [*reader.feed(output.completion), *reader.finish(EndReason.FINISHED)]:
        if isinstance(event, ReasoningDelta):
            reasoning += event.text
        elif isinstance(event, AnswerDelta):
            answer += event.text
    tokens = output.usage.output_tokens if output.usage else None
    return Reply(reasoning, answer, ENDED.get(output.stop_reason, "unknown"), tokens)


@cache
def commit() -> str:
    """Of this code, with a plus where files differ from it, results and their pages aside."""
    asked = (
        ["rev-parse", "--short=12", "HEAD"],
        ["status", "--porcelain", "--untracked-files=no", "--", ".", ":!evaluation/results",
         ":!docs", ":!benchmarks/RESULTS.md"],
    )  # fmt: skip
    try:
        head, changed = (
            subprocess.run(
                ["git", *words], cwd=HERE, capture_output=True, text=True, check=True
            ).stdout.strip()
            for words in asked
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if changed else "")
