"""What a request asks of the backend, and every refusal by its field's name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from backend.base import Effort, Option, Options
from backend.scripted import ScriptedBackend
from chat.conversation import SYSTEM_PROMPT, Role
from endpoint.openai_messages import MAX_CHARS
from endpoint.openai_request import LAST_SEED, Asked, read_request
from endpoint.refusal import Refusal

INFO = ScriptedBackend(lambda *given: []).info
SAID = "what nobody may repeat"


def user(content: Any, **rest: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **rest}


def read(**fields: Any) -> Asked:
    return read_request({"messages": [user("What is a stroke?")], **fields}, INFO)


def turns(*messages: dict[str, Any]) -> list[tuple[Role, str]]:
    asked = read(messages=list(messages))
    return [(turn.role, turn.text) for turn in asked.conversation.turns]


def refused(**fields: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(**fields)
    assert SAID not in str(caught.value.body)
    return caught.value


def test_what_is_not_given_is_as_the_backend_has_it() -> None:
    asked = read()
    assert asked.options == INFO.defaults
    assert (asked.stops, asked.stream, asked.include_usage) == ((), False, False)


def test_what_is_given_reaches_the_backend() -> None:
    asked = read(
        model=INFO.model, max_tokens=100, temperature=0, top_p=0.5, seed=LAST_SEED,
        reasoning_effort="high", stop=["a", "b"], stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
    )  # fmt: skip
    assert asked.options == Options(Effort.HIGH, 100, 0.0, 0.5, LAST_SEED)
    assert (asked.stops, asked.stream, asked.include_usage) == (("a", "b"), True, True)
    assert read(max_completion_tokens=99).options.max_new_tokens == 99
    assert read(stop="END").stops == ("END",)


@pytest.mark.parametrize(
    "fields",
    [
        {"user": "u", "metadata": {"a": "b"}, "store": True, "service_tier": "auto"},
        {"safety_identifier": "s", "prompt_cache_key": "k", "parallel_tool_calls": True},
        {"n": 1, "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}},
        {"logprobs": False, "top_logprobs": 0, "tools": [], "tool_choice": "none"},
        {"functions": [], "function_call": "auto", "response_format": {"type": "text"}},
        {"modalities": ["text"], "verbosity": "medium"},
        dict.fromkeys(("n", "tools", "stop", "seed", "max_tokens", "stream", "audio", "model")),
    ],
)
def test_what_asks_for_nothing_changes_nothing(fields: dict[str, Any]) -> None:
    assert read(**fields) == read()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2), ("n", True), ("tools", [{"type": "function"}]), ("tool_choice", "required"),
        ("functions", [{}]), ("function_call", {"name": SAID}), ("logprobs", True),
        ("top_logprobs", 3), ("response_format", {"type": "json_object"}),
        ("response_format", {"type": "json_schema", "json_schema": {}}),
        ("logit_bias", {"50256": -100}), ("frequency_penalty", 0.1), ("presence_penalty", -1),
        ("modalities", ["text", "audio"]), ("audio", {"voice": SAID}), ("verbosity", "low"),
        ("prediction", {"content": SAID}), ("web_search_options", {}),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_by_name(name: str, value: object) -> None:
    refusal = refused(**{name: value})
    assert (refusal.status, refusal.param, refusal.code) == (400, name, "unsupported_parameter")
    assert name in refusal.message


@pytest.mark.parametrize("name", ["top_k", "guided_json", "repetition_penalty", "chat_template"])
def test_an_unknown_field_is_refused_by_name(name: str) -> None:
    refusal = refused(**{name: 1})
    assert (refusal.status, refusal.param, refusal.code) == (400, name, "unknown_parameter")


def test_an_unknown_field_whose_name_is_a_text_is_not_repeated() -> None:
    refusal = refused(**{SAID: 1})
    assert (refusal.param, refusal.code) == (None, "unknown_parameter")


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("max_tokens", {"max_tokens": 63}),
        ("max_tokens", {"max_tokens": 100.5}),
        ("max_tokens", {"max_tokens": True}),
        ("max_tokens", {"max_tokens": 100, "max_completion_tokens": 101}),
        ("max_completion_tokens", {"max_completion_tokens": 0}),
        ("temperature", {"temperature": 2.1}),
        ("temperature", {"temperature": "0"}),
        ("top_p", {"top_p": 0}),
        ("seed", {"seed": -1}),
        ("seed", {"seed": LAST_SEED + 1}),
        ("reasoning_effort", {"reasoning_effort": "none"}),
        ("reasoning_effort", {"reasoning_effort": ["low"]}),
        ("stop", {"stop": ["a"] * 5}),
        ("stop", {"stop": ""}),
        ("stop", {"stop": [1]}),
        ("stop", {"stop": {"a": 1}}),
        ("stop", {"stop": "x" * 201}),
        ("stream", {"stream": "yes"}),
        ("stream_options", {"stream_options": {"include_usage": True}}),
        ("stream_options", {"stream": True, "stream_options": []}),
        ("stream_options.include_usage",
         {"stream": True, "stream_options": {"include_usage": 1}}),
        ("stream_options.every", {"stream": True, "stream_options": {"every": 1}}),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name(param: str, fields: dict[str, Any]) -> None:
    refusal = refused(**fields)
    assert (refusal.status, refusal.param) == (400, param)


@pytest.mark.parametrize(
    ("name", "value", "option"),
    [
        ("max_tokens", 100, Option.MAX_NEW_TOKENS),
        ("max_completion_tokens", 100, Option.MAX_NEW_TOKENS),
        ("temperature", 0.5, Option.TEMPERATURE),
        ("top_p", 0.5, Option.TOP_P),
        ("seed", 1, Option.SEED),
        ("reasoning_effort", "low", Option.EFFORT),
    ],
)
def test_what_this_backend_does_not_honour_is_refused_by_name(
    name: str, value: object, option: Option
) -> None:
    fields = {"messages": [user("What?")], name: value}
    read_request(fields, replace(INFO, honours=frozenset({option})))
    with pytest.raises(Refusal) as caught:
        read_request(fields, replace(INFO, honours=INFO.honours - {option}))
    assert (caught.value.param, caught.value.code) == (name, "unsupported_parameter")


def test_another_model_is_not_found() -> None:
    refusal = refused(model=SAID)
    assert (refusal.status, refusal.param, refusal.code) == (404, "model", "model_not_found")


def test_the_servers_own_system_prompt_is_dropped_and_any_other_is_the_users_words() -> None:
    ours = {"role": "system", "content": SYSTEM_PROMPT}
    theirs = {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]}
    assert turns(ours, user("What?")) == [(Role.USER, "What?")]
    assert turns(theirs, user("What?")) == [(Role.USER, "Be brief.\n\nWhat?")]
    assert turns(ours, theirs, user("What?")) == [(Role.USER, "Be brief.\n\nWhat?")]


def test_neighbours_of_one_role_are_joined_and_reasoning_is_dropped() -> None:
    said = {
        "role": "assistant", "content": "That.", "refusal": None, "tool_calls": [],
        "reasoning": "hm", "reasoning_content": "hm", "annotations": [],
    }  # fmt: skip
    assert turns(user("One."), user("Two."), said, said, user("Three.")) == [
        (Role.USER, "One.\n\nTwo."),
        (Role.ASSISTANT, "That.\n\nThat."),
        (Role.USER, "Three."),
    ]


def test_parts_of_text_are_one_text_without_control_characters() -> None:
    parts = [{"type": "text", "text": "a\x00b"}, {"type": "text", "text": "c\r\nd"}]
    assert turns(user(parts)) == [(Role.USER, "ab\nc\nd")]


@pytest.mark.parametrize(
    ("param", "messages"),
    [
        ("messages", None),
        ("messages", []),
        ("messages", "What?"),
        ("messages", [{"role": "assistant", "content": SAID}]),
        ("messages", [{"role": "assistant", "content": SAID}, user("What?")]),
        ("messages", [user("What?"), {"role": "system", "content": SYSTEM_PROMPT}]),
        ("messages", [user("x" * MAX_CHARS), {"role": "system", "content": "y"}, user("z")]),
        ("messages", [user("x" * (MAX_CHARS + 1))]),
        ("messages[0]", ["What?"]),
        ("messages[0].role", [{"role": "tool", "content": SAID}]),
        ("messages[0].role", [{"role": ["user"], "content": SAID}]),
        ("messages[0].role", [{"content": SAID}]),
        ("messages[1].content", [user("What?"), user(None)]),
        ("messages[0].content", [user(" \u200b\n")]),
        ("messages[0].content", [user([])]),
        ("messages[0].content[0]", [user([SAID])]),
        ("messages[0].content[0].type", [user([{"type": "image_url", "image_url": {}}])]),
        ("messages[0].content[1].type",
         [user([{"type": "text", "text": "a"}, {"type": "input_audio", "input_audio": {}}])]),
        ("messages[0].content[0].text", [user([{"type": "text", "text": 1}])]),
        ("messages[0].content[0].cache", [user([{"type": "text", "text": "a", "cache": 1}])]),
        ("messages[0].name", [user("What?", name=SAID)]),
        ("messages[0].tool_calls", [user("What?", tool_calls=[{}])]),
        ("messages[0].weight", [user("What?", weight=1)]),
    ],
)  # fmt: skip
def test_messages_are_refused_by_their_place(param: str, messages: object) -> None:
    refusal = refused(messages=messages)
    assert (refusal.status, refusal.param) == (400, param)
