"""The page over each kind of backend, and what of a question reached the model behind it."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from backend.remote import RemoteBackend
from backend.scripted import ScriptedBackend
from settings import Secret, Settings
from tests.behaviours import good
from tests.conftest import serving, wait_until
from tests.faults import FaultServer
from tests.serve_scripted import Pattern, script

Messages = list[tuple[str, str]]
"""Role and text of each."""

KINDS = ("scripted", "openai", "legacy")
SECRETS = {
    "modal_key": Secret("keycanary-id"),
    "modal_secret": Secret("keycanary-secret"),
    "endpoint_api_key": Secret("keycanary-bearer"),
    "hf_token": Secret("hf_keycanary"),
}


@dataclass
class Upstream:
    """The page's address, and everything that was asked so far."""

    address: str
    asked: Callable[[], list[Messages]]
    bodies: Callable[[], list[bytes]]
    """What went over the wire; nothing where there is none."""


@contextmanager
def upstream(kind: str) -> Generator[Upstream]:
    """The page over a script, or over a real endpoint of either contract, which answers well."""
    with ExitStack() as ended:
        if kind == "scripted":
            backend = ScriptedBackend(script("slow", Pattern(rate=0, reasoning=2, answer=3)))
            address = ended.enter_context(serving(backend))
            yield Upstream(address, lambda: [_turns(each) for each, _ in backend.asked], list)
            return
        server = ended.enter_context(FaultServer(legacy=kind == "legacy"))
        server.behave(good)
        remote = RemoteBackend(Settings(modal_endpoint=server.url(), **SECRETS))
        ended.callback(remote.close)
        remote.wake()
        wait_until(lambda: type(remote.status()).__name__ == "Ready", 10.0)

        def bodies() -> list[bytes]:
            return [each.body for each in server.requests if each.method == "POST"]

        address = ended.enter_context(serving(remote))
        yield Upstream(address, lambda: [_messages(body) for body in bodies()], bodies)


def _turns(conversation: object) -> Messages:
    return [(turn.role.value, turn.text) for turn in conversation.turns]  # type: ignore[attr-defined]


def _messages(body: bytes) -> Messages:
    sent = json.loads(body)
    if "messages" not in sent:
        return [("user", sent["message"])]
    return [(each["role"], each["content"]) for each in sent["messages"]]
