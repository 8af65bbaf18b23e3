"""A conversation and a reply as harmony: what a model that speaks it reads, and what it writes.

Knows no tokenizer. Markers and text are kept apart as `Marker` and `Text`, so that whoever turns
them into token ids gives an id to the one and never to the other: nothing that a person typed can
become a control token. Training and generation read the same prompt from here.

Source: the harmony format's guide (openai/harmony, docs/format.md). The line with the current
date is left out, so that one question is one prompt on any day.
"""

from __future__ import annotations

from dataclasses import dataclass

from chat.conversation import SYSTEM_PROMPT, Conversation, Role
from chat.typed_markers import neutralise

SYSTEM = (
    "You are ChatGPT, a large language model trained by OpenAI.\nKnowledge cutoff: 2024-06\n\n"
    "Reasoning: {effort}\n\n"
    "# Valid channels: analysis, commentary, final. Channel must be included for every message."
)
"""gpt-oss was trained with these lines; they are the format's, and no words of ours."""


@dataclass(frozen=True, slots=True)
class Marker:
    """One control token, by its name: `<|start|>`."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """Ordinary text: no part of it may become a control token."""

    text: str


Part = Marker | Text

START, CHANNEL, MESSAGE = Marker("<|start|>"), Marker("<|channel|>"), Marker("<|message|>")
END, RETURN = Marker("<|end|>"), Marker("<|return|>")


def prompt(conversation: Conversation, effort: str) -> list[Part]:
    """Everything before the reply. `effort` is low, medium or high.

    Earlier answers stand in it as `final` messages; their reasoning is never among them.
    """
    parts = _message("system", SYSTEM.format(effort=effort))
    parts += _message("developer", f"# Instructions\n\n{SYSTEM_PROMPT}")
    for turn in conversation.turns:
        text = neutralise(turn.text)
        if turn.role is Role.USER:
            parts += _message("user", text)
        else:
            parts += [START, Text("assistant"), *channel("final", text), END]
    return [*parts, START, Text("assistant")]


def reply(reasoning: str, answer: str) -> list[Part]:
    """What the model is to write after `prompt`, to its end. Without reasoning, the answer only."""
    parts = [*channel("analysis", reasoning), END, START, Text("assistant")] if reasoning else []
    return [*parts, *channel("final", answer), RETURN]


def channel(name: str, text: str) -> list[Part]:
    """A message's header from its channel on, and its text, without its end."""
    return [CHANNEL, Text(name), MESSAGE, Text(text)]


def _message(role: str, text: str) -> list[Part]:
    return [START, Text(role), MESSAGE, Text(text), END]
