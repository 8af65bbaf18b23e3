"""The local backend on the CPU: a real gpt-oss of two layers, the real tokenizer, real torch."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
import torch
from transformers import AutoModelForCausalLM, GptOssConfig, GptOssForCausalLM, Mxfp4Config

from backend.base import (
    BrokeContract,
    EventStream,
    Interrupted,
    NotReady,
    Options,
    Ready,
    TooLong,
    Waking,
)
from backend.decoder import Decoder
from backend.local import LocalBackend
from backend.local_loading import LocalLoading, LocalModel
from chat.conversation import Conversation
from chat.events import AnswerDelta, Ended, EndReason, Event, ReasoningDelta, Stage, Waiting
from settings import Settings
from tests.conftest import wait_until
from tests.tiny_gpt_oss import adapter, checkpoint
from training.merge import merge, plan
from ui.words import ENGLISH as words

COLD = Options(max_new_tokens=64, temperature=0.0)
ASKED = Conversation.ask("What is asthma?")
CANARY = "canary: a patient's own words"


def opened(folder: Path, adapter: str = "none") -> LocalBackend:
    return LocalBackend(
        Settings(model_id=str(folder), adapter_id=adapter), device="cpu", context=1_024
    )


def inside(backend: LocalBackend) -> LocalModel:
    loaded = backend._loading.wait(60.0)  # pyright: ignore[reportPrivateUsage]
    assert loaded is not None
    return loaded


def layers_of(backend: LocalBackend) -> Any:
    return inside(backend).decoder._model  # pyright: ignore[reportPrivateUsage]


def text_of(events: list[Event], kind: type[ReasoningDelta] | type[AnswerDelta]) -> str:
    return "".join(event.text for event in events if isinstance(event, kind))


@pytest.fixture
def local(local_folder: Path) -> Iterator[LocalBackend]:
    backend = opened(local_folder)
    yield backend
    backend.close()


@pytest.fixture(scope="session")
def endless_folder(local_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without knowledge: it says noise until it is stopped."""
    folder = checkpoint(tmp_path_factory.mktemp("endless"))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).symlink_to(local_folder / name)
    return folder


@pytest.fixture
def endless(endless_folder: Path) -> Iterator[LocalBackend]:
    backend = opened(endless_folder)
    yield backend
    backend.close()


def test_reasoning_and_answer_come_apart_and_are_counted(local: LocalBackend) -> None:
    events = list(local.stream(ASKED, COLD))
    assert text_of(events, ReasoningDelta) == " weigh"
    assert text_of(events, AnswerDelta) == "Rest now"
    end = events[-1]
    assert isinstance(end, Ended)
    assert end.reason is EndReason.FINISHED
    assert end.usage.completion_tokens == 13
    assert end.usage.reasoning_tokens == 1


def test_loading_is_told_stage_by_stage(
    local_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[Stage, float | None]] = []
    tell = LocalLoading._tell  # pyright: ignore[reportPrivateUsage]

    def keep(self: LocalLoading, stage: Stage, share: float | None = None) -> None:
        told.append((stage, share))
        tell(self, stage, share)
        status = self.status()
        assert isinstance(status, Waking)
        assert (status.stage, status.fraction) == (stage, share)

    monkeypatch.setattr(LocalLoading, "_tell", keep)
    with closing(opened(local_folder, str(adapter(tmp_path / "adapter")))) as backend:
        inside(backend)
        assert isinstance(backend.status(), Ready)
    stages = [stage for stage, _ in told]
    assert list(dict.fromkeys(stages)) == [Stage.LOADING, Stage.ADAPTING, Stage.WARMING]
    shares = [share for stage, share in told if stage is Stage.LOADING and share is not None]
    assert len(shares) > 20
    assert all(before <= after for before, after in pairwise(shares))
    assert 0.9 < shares[-1] < 1.0


def test_a_cap_on_tokens_ends_the_reply_as_cut_off(endless: LocalBackend) -> None:
    end = list(endless.stream(ASKED, COLD))[-1]
    assert isinstance(end, Ended)
    assert end.reason is EndReason.LENGTH
    assert end.usage.completion_tokens == COLD.max_new_tokens


def test_a_stop_is_noticed_within_one_token_and_ends_the_thread(endless: LocalBackend) -> None:
    steps: list[float] = []
    head = layers_of(endless).lm_head
    head.register_forward_pre_hook(lambda *_: steps.append(time.monotonic()))
    stream = endless.stream(ASKED, Options(max_new_tokens=512, seed=3))
    assert any(isinstance(event, ReasoningDelta | AnswerDelta) for event in stream)
    stream.close()
    stopped = time.monotonic()
    wait_until(lambda: not any(t.name == "write-reply" for t in threading.enumerate()), 2.0)
    time.sleep(0.2)
    assert 0 < len(steps) < 512
    assert sum(step > stopped for step in steps) == 0


def test_memory_that_runs_out_is_freed_and_the_next_question_is_answered(
    local: LocalBackend,
) -> None:
    """torch's own error, raised in the forward: a CPU has no such memory that could run out."""
    held = HeldTensors()
    hook = layers_of(local).lm_head.register_forward_pre_hook(held.run_out)
    with pytest.raises(Interrupted, match="ran out of memory") as raised:
        list(local.stream(ASKED, COLD))
    hook.remove()
    assert held.alive == 0, "something still holds the failed call's tensors"
    assert CANARY not in str(raised.value)
    assert words.error(raised.value, "a1", partial=False) == words.DOWN.format(ref="a1")
    assert text_of(list(local.stream(ASKED, COLD)), AnswerDelta) == "Rest now"


class HeldTensors:
    """Counts the tensors of failed calls that something still holds."""

    def __init__(self) -> None:
        self.alive = 0

    def run_out(self, *_: object) -> None:
        held = Counted(self)
        raise torch.OutOfMemoryError(f"CUDA out of memory. {CANARY} {bool(held)}")


class Counted:
    def __init__(self, counter: HeldTensors) -> None:
        self.counter = counter
        counter.alive += 1

    def __del__(self) -> None:
        self.counter.alive -= 1


def test_logits_that_are_not_numbers_are_no_answer(local: LocalBackend) -> None:
    with torch.no_grad():
        layers_of(local).lm_head.weight[7, 0] = float("nan")
    with pytest.raises(BrokeContract, match="not finite") as raised:
        list(local.stream(ASKED, COLD))
    assert words.error(raised.value, "a1", partial=False) == words.BAD.format(ref="a1")


def test_whatever_the_thread_raises_reaches_the_reader_without_its_words(
    local: LocalBackend, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise KeyError(CANARY)

    hook = layers_of(local).lm_head.register_forward_pre_hook(fail)
    with pytest.raises(Interrupted) as raised:
        list(local.stream(ASKED, COLD))
    assert CANARY not in str(raised.value) + caplog.text
    hook.remove()
    assert isinstance(list(local.stream(ASKED, COLD))[-1], Ended)


def test_a_conversation_longer_than_the_context_is_refused(local: LocalBackend) -> None:
    with pytest.raises(TooLong):
        list(local.stream(Conversation.ask("fever " * 1_200), COLD))
    assert isinstance(list(local.stream(ASKED, COLD))[-1], Ended)


def test_closing_while_it_loads_takes_less_than_a_second(local_folder: Path) -> None:
    backend = opened(local_folder)
    stream = backend.stream(ASKED, COLD)
    next(stream)
    began = time.monotonic()
    stream.close()
    backend.close()
    assert time.monotonic() - began < 1.5
    wait_until(lambda: not any(t.name == "load-model" for t in threading.enumerate()), 20.0)


def test_base_and_adapter_say_what_their_exact_merge_says_and_the_base_does_not(
    endless_folder: Path, tmp_path: Path
) -> None:
    delta = adapter(tmp_path / "delta", base="endless")
    merge(plan(endless_folder, delta, tmp_path / "merged"))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "merged" / name).unlink(missing_ok=True)
        (tmp_path / "merged" / name).symlink_to(endless_folder / name)
    names, logits = list[str](), list[torch.Tensor]()
    for folder, which in (
        (endless_folder, str(delta)),
        (tmp_path / "merged", "none"),
        (endless_folder, "none"),
    ):
        with closing(opened(folder, which)) as backend:
            decoder = inside(backend).decoder
            logits.append(decoder._prefill(range(300), None))  # pyright: ignore[reportPrivateUsage]
            names.append(backend.info.model)
    assert names == [f"{endless_folder.name} + delta", "merged", endless_folder.name]
    both, merged, base = logits
    changed = (both - base).abs().mean()
    assert changed > 0
    assert (both - merged).abs().mean() < 0.01 * changed


def test_a_checkpoint_merged_into_bf16_by_other_tools_answers_too(
    local_folder: Path, tmp_path: Path
) -> None:
    packed = AutoModelForCausalLM.from_pretrained(
        local_folder, dtype=torch.bfloat16, quantization_config=Mxfp4Config(dequantize=True)
    )
    settings = packed.config.to_dict()
    settings.pop("quantization_config", None)
    plain = GptOssForCausalLM(GptOssConfig(**settings)).to(torch.bfloat16)
    plain.load_state_dict(packed.state_dict())
    plain.save_pretrained(tmp_path / "plain")
    (tmp_path / "plain" / "tokenizer.json").symlink_to(local_folder / "tokenizer.json")
    with closing(opened(tmp_path / "plain")) as backend:
        assert text_of(list(backend.stream(ASKED, COLD)), AnswerDelta) == "Rest now"


def test_those_who_wait_come_in_order_and_who_leaves_holds_up_nobody(
    endless: LocalBackend,
) -> None:
    going_on = threading.Event()
    head = layers_of(endless).lm_head
    head.register_forward_pre_hook(lambda *_: going_on.wait(20.0) and None)
    first, *others = (endless.stream(ASKED, COLD) for _ in range(4))
    next(first)
    waits = [next(each) for each in others]
    assert [wait.place for wait in waits if isinstance(wait, Waiting)] == [1, 2, 3]
    others[0].close()
    moved = next(others[1])
    assert isinstance(moved, Waiting)
    assert moved.place == 1
    done: list[int] = []

    def read(number: int, stream: EventStream) -> None:
        assert isinstance(list(stream)[-1], Ended)
        done.append(number)

    with ThreadPoolExecutor() as pool:
        for number, stream in ((2, others[2]), (1, others[1]), (0, first)):
            pool.submit(read, number, stream)
        going_on.set()
    assert done == [0, 1, 2]


def test_a_load_that_failed_holds_no_memory_while_its_sentence_stands(
    local_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's own error, raised in the warm-up: the longest prompt finds no room."""
    held = HeldTensors()
    with monkeypatch.context() as patched:
        patched.setattr(Decoder, "warm_up", held.run_out)
        backend = opened(local_folder)
        with pytest.raises(NotReady, match="not a conversation"):
            inside(backend)
        assert held.alive == 0, "something still holds the failed load"
    with closing(backend):
        assert isinstance(list(backend.stream(ASKED, COLD))[-1], Ended)
