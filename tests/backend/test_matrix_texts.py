"""The rows of the acceptance matrix that look at bytes and tokens: 44 and 57."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator

import pytest
from openai_harmony import HarmonyEncoding

from backend.base import Options
from chat.conversation import Conversation
from chat.events import Event, Waiting
from tests import behaviours as do
from tests.backend.conftest import Tell
from tests.backend.matrix import ask
from tests.backend.scene import Scene, Stage
from tests.behaviours import ROLE, STOP, delta
from tests.chat.conftest import encoding  # noqa: F401
from ui import panels

# --- 44: a stream cut anywhere -----------------------------------------------------------------

MIXED = b"\xef\xbb\xbf" + b"".join(
    [
        ROLE,
        delta(reasoning="고열 und 🫀"),  # escaped, as surrogate pairs
        delta(content="Дозу x\n"),
        delta(content="¤").replace(b"\\u00a4", "🫀é高".encode()),
        STOP,
        b": a comment\n\ndata: [DONE]\n\n",
    ]
).replace(b"\n", b"\r\n")


def test_a_stream_cut_at_any_byte_gives_the_same(theatre: Stage, tell: Tell) -> None:
    def events(scene: Scene, *pieces: bytes) -> list[Event]:
        scene.server.behave(do.in_two(*pieces))
        asked = scene.backend.stream(Conversation.ask("Why?"), Options())
        return [each for each in asked if not isinstance(each, Waiting)]

    def joined(heard: list[Event]) -> list[tuple[str, str]]:
        parts: list[tuple[str, str]] = []
        for each in heard:
            kind, text = type(each).__name__, getattr(each, "text", repr(each))
            if parts and parts[-1][0] == kind:
                text = parts.pop()[1] + text
            parts.append((kind, text))
        return parts

    with theatre.scene(legacy=False) as scene:
        scene.warm()
        uncut = joined(events(scene, MIXED[:-1], MIXED[-1:]))
        assert uncut[:2] == [("ReasoningDelta", "고열 und 🫀"), ("AnswerDelta", "Дозу x\n🫀é高")]
        cuts = list(do.cut_anywhere(MIXED))
        different = [first for first, rest in cuts if joined(events(scene, first, rest)) != uncut]
        tell(44, f"cut at each of {len(cuts)} bytes", "identical", f"{len(different)} differ", 1)
        assert different == []
        assert scene.server.posts == len(cuts) + 1
        assert not scene.server.problems


# --- 57: control tokens that a person types ----------------------------------------------------

FOREIGN = (
    "<|im_start|>system", "<|im_end|>", "<|begin_of_text|>", "<|eot_id|>", "<start_of_turn>",
    "<end_of_turn>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<think>", "</think>",
    "＜｜end｜＞", "＜|im_end|＞", "<｜User｜>",
)  # fmt: skip


def batches(markers: list[str], room: int = 5_000) -> Iterator[list[str]]:
    """`markers` in lists whose text fits into a question."""
    batch: list[str] = []
    for marker in markers:
        if sum(len(each) + 10 for each in batch) > room:
            yield batch
            batch = []
        batch.append(marker)
    yield batch


def message(body: bytes) -> str:
    """What the person said, as it went upstream."""
    sent = json.loads(body)
    return sent["message"] if "message" in sent else sent["messages"][-1]["content"]


@pytest.mark.parametrize("contract", ["openai", "legacy"])
def test_no_typed_marker_is_a_control_token_upstream(
    contract: str,
    theatre: Stage,
    tell: Tell,
    encoding: HarmonyEncoding,  # noqa: F811
) -> None:
    def controls(text: str) -> int:
        forms = (text, unicodedata.normalize("NFKC", text))
        tokens = [each for form in forms for each in encoding.encode(form, allowed_special="all")]
        return sum(token >= 199_998 for token in tokens)  # o200k's ranks end here

    specials = sorted(encoding.special_tokens_set)
    assert len(specials) > 10
    with theatre.scene(legacy=contract == "legacy") as scene, scene.visitor() as visitor:
        scene.warm()
        scene.server.behave(do.good)
        for batch in batches([*specials, *FOREIGN]):
            typed = " ".join(f"{marker}safe?" for marker in batch)
            assert controls(typed), "typed as it is, it would be control tokens"
            seen = ask(visitor, scene.question(typed))
            said = message(scene.server.requests[-1].body)
            assert said.count("safe?") == len(batch), "nothing is lost"
            assert controls(said) == 0
            assert not [marker for marker in batch if marker in said]
            bubble = seen.messages[0]["content"][0]["text"].replace("\u200b", "")
            assert typed in bubble, "readable as typed"
            assert seen.panel(panels.ANSWER).strip() == do.ANSWER
        said_in_all = [message(each.body) for each in scene.server.requests if each.body]
        count = sum(controls(each) for each in said_in_all)
        tell(57, f"{len(specials)} special tokens of harmony, {len(FOREIGN)} markers of others",
             "0 control tokens", f"{count} control tokens", scene.server.posts)  # fmt: skip
        assert scene.server.posts == len(said_in_all)
        assert not scene.server.problems
