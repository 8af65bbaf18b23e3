"""Asks an endpoint through inspect-ai's own client, as an evaluation does; prints what it read.

    python -m tests.endpoint.harness http://127.0.0.1:8000 SmolLM2-135M-Instruct "What is a stroke?"

Whole, streamed, and a second question after the first reply, reasoning sent back with it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageSystem,
    ChatMessageUser,
    ContentReasoning,
    GenerateConfig,
    ModelOutput,
    get_model,
)

CONFIG = GenerateConfig(
    max_tokens=64, seed=7, temperature=0.3, top_p=0.9, reasoning_effort="low", max_retries=0
)


def read(output: ModelOutput) -> dict[str, Any]:
    content = output.message.content
    parts = [] if isinstance(content, str) else content
    usage = output.usage
    return {
        "reasoning": "".join(p.reasoning for p in parts if isinstance(p, ContentReasoning)),
        "answer": output.completion,
        "stop": output.stop_reason,
        "output_tokens": usage and usage.output_tokens,
        "reasoning_tokens": usage and usage.reasoning_tokens,
    }


async def main(address: str, name: str, question: str) -> None:
    def model(stream: bool) -> Any:
        where = {"base_url": f"{address}/v1", "api_key": "none", "stream": stream}
        return get_model(f"openai-api/medicalgpt/{name}", memoize=False, **where)

    said: list[ChatMessage] = [
        ChatMessageSystem(content="Answer in one sentence."),
        ChatMessageUser(content=question),
    ]
    first = await model(False).generate(said, config=CONFIG)
    streamed = await model(True).generate(said, config=CONFIG)
    more: list[ChatMessage] = [*said, first.message, ChatMessageUser(content="And then?")]
    second = await model(False).generate(more, config=CONFIG)
    print(json.dumps([read(output) for output in (first, streamed, second)]))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
