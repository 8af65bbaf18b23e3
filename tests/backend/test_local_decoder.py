"""Our decode loop beside transformers' own, token for token."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
import torch
from transformers import AutoModelForCausalLM, Mxfp4Config

from backend.base import Options
from backend.decoder import CHUNK, Decoder, Speed
from backend.kv_cache import register
from backend.sampling import Sampler
from tests.tiny_gpt_oss import checkpoint

WINDOW = 128


def read(folder: Path, attention: str) -> Any:
    return AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.float32,
        quantization_config=Mxfp4Config(dequantize=True),
        attn_implementation=attention,
    ).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("noise"), layers=4)


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Any:
    return read(folder, "eager")


@pytest.fixture(scope="module")
def decoder(folder: Path) -> Decoder:
    return Decoder(read(folder, register()), 1_024, "cpu", Speed.COMPILED)


def prompt(length: int) -> list[int]:
    return torch.randint(0, 199_000, (length,), generator=torch.manual_seed(length)).tolist()


@pytest.mark.parametrize("length", [5, WINDOW - 2, CHUNK, CHUNK + 1, 700])
def test_it_says_what_transformers_generate_says(
    decoder: Decoder, theirs: Any, length: int
) -> None:
    ids = prompt(length)
    ours = list(decoder.generate(ids, 40, Options(temperature=0.0)))
    whole = theirs.generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, length, dtype=torch.long),
        max_new_tokens=40,
        do_sample=False,
        eos_token_id=None,
    )
    assert ours == whole[0, length:].tolist()


def test_the_logits_are_transformers_own(decoder: Decoder, theirs: Any) -> None:
    ids = prompt(300)
    ours = decoder._prefill(ids, None)  # pyright: ignore[reportPrivateUsage]
    with torch.no_grad():
        reference = theirs(torch.tensor([ids])).logits[0, -1]
    assert reference.abs().max() > 0.1
    torch.testing.assert_close(ours, reference, atol=1e-5, rtol=1e-4)


def test_one_conversation_leaves_nothing_for_the_next(decoder: Decoder) -> None:
    cold = Options(temperature=0.0)
    alone = list(decoder.generate(prompt(40), 20, cold))
    list(decoder.generate(prompt(600), 20, cold))
    assert list(decoder.generate(prompt(40), 20, cold)) == alone


def test_a_decode_step_is_one_graph_to_the_compiler_and_computes_the_same(
    decoder: Decoder,
) -> None:
    step, plain = decoder._step, decoder._layers  # pyright: ignore[reportPrivateUsage]
    list(decoder.generate(prompt(20), 4, Options(temperature=0.0)))
    expected = step()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the compiler's own, on transformers' caches
        decoder._layers = torch.compile(  # pyright: ignore[reportPrivateUsage]
            plain, fullgraph=True, dynamic=False, backend="eager"
        )
        try:
            torch.testing.assert_close(step(), expected)
        finally:
            decoder._layers = plain  # pyright: ignore[reportPrivateUsage]


class Replayed:
    """A recorded step without a GPU: computed into the one place that every replay writes to."""

    def __init__(self, decoder: Decoder) -> None:
        self._step = decoder._step  # pyright: ignore[reportPrivateUsage]
        self.logits = self._step().clone()

    def replay(self) -> None:
        self.logits.copy_(self._step())

    def synchronize(self) -> None:
        """What was asked of a CPU has arrived."""


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_step_begun_before_the_last_token_is_read_says_the_same(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch, temperature: float
) -> None:
    """The order of a GPU's steps; what only a GPU has, its clock and its recording, is left out."""
    options = Options(temperature=temperature, seed=4)
    expected = list(decoder.generate(prompt(200), 24, options))
    recorded = Replayed(decoder)
    monkeypatch.setattr(decoder, "_graph", recorded)
    monkeypatch.setattr(decoder, "_logits", recorded.logits)
    monkeypatch.setattr(decoder, "_ahead", True)
    monkeypatch.setattr(
        decoder, "_choose", lambda sampler, logits: (*sampler.choose(logits), recorded)
    )
    assert list(decoder.generate(prompt(200), 24, options)) == expected


def test_a_seed_is_one_text(decoder: Decoder) -> None:
    def said(seed: int | None) -> list[int]:
        return list(decoder.generate(prompt(20), 16, Options(temperature=1.0, seed=seed)))

    assert said(1) == said(1)
    assert said(1) != said(2)
    assert said(None) != said(None)


def draws(options: Options, logits: torch.Tensor, count: int = 4_000) -> list[float]:
    """The share of each token among `count` draws."""
    sampler = Sampler(options, "cpu")
    tokens = torch.cat([sampler.choose(logits)[0] for _ in range(count)])
    return (torch.bincount(tokens, minlength=len(logits)) / count).tolist()


def test_tokens_are_drawn_by_their_probability_at_this_temperature() -> None:
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0])
    for temperature in (0.5, 1.0):
        expected = torch.softmax(logits / temperature, -1).tolist()
        found = draws(Options(temperature=temperature, seed=5), logits)
        assert found == pytest.approx(expected, abs=0.03)


def test_top_p_keeps_the_likeliest_that_reach_it_and_no_more() -> None:
    logits = torch.log(torch.tensor([0.1, 0.5, 0.3, 0.1]))
    found = draws(Options(temperature=1.0, top_p=0.7, seed=5), logits)
    assert found[0] == found[3] == 0.0
    assert found[1] == pytest.approx(0.5 / 0.8, abs=0.03)
    assert draws(Options(temperature=1.0, top_p=0.01, seed=5), logits, 50)[1] == 1.0
