"""The whole chain, at small scale and with the commands that people type.

A gpt-oss of two layers that says noise is trained on one row by the recipe, its adapter is merged
into the MXFP4 checkpoint, and the page is asked the row's question: both panels say the row.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from playwright.sync_api import expect  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from backend.base import NotReady, Options, Ready  # noqa: E402
from backend.local import LocalBackend  # noqa: E402
from chat.conversation import Conversation  # noqa: E402
from settings import Settings  # noqa: E402
from tests.backend.asking import told  # noqa: E402
from tests.conftest import ROOT, Serve, wait_until  # noqa: E402
from tests.gpt_oss_tokenizer import link_tokenizer  # noqa: E402
from tests.test_end_to_end import PATIENCE, ask  # noqa: E402
from tests.test_endpoint_page import answer, put  # noqa: E402
from tests.tiny_gpt_oss import TARGETS, checkpoint  # noqa: E402
from tests.training.tiny_run import tiny_recipe  # noqa: E402
from tests.ui.conftest import Open, browser, open_page  # noqa: E402

__all__ = ["browser", "open_page"]

QUESTION = "What is asthma?"
REASONING = "Wheeze at night."
ANSWER = "Inhaled steroids."
COLD = Options(max_new_tokens=64, temperature=0.0)


def typed(*words: str | Path) -> str:
    """`python -m` with these words, which must end well; what it says."""
    ended = subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2_000:]
    return ended.stdout


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    folder = checkpoint(tmp_path_factory.mktemp("base"), hidden=128, head=0.5)
    link_tokenizer(tokenizer_folder, folder)
    return folder


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run: twenty steps over one row."""
    folder = tmp_path_factory.mktemp("training")
    row = {"question": QUESTION, "reasoning": REASONING, "answer": ANSWER}
    recipe = tiny_recipe(folder, base, [row], heldout=0, accumulation=1, epochs=20)
    said = typed("training.train", recipe, "--out", folder / "run")
    assert "trained 1\n" in said
    return folder / "run"


@pytest.fixture(scope="module")
def merged(base: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("merging") / "asthma-merged"
    given = ("--base", base, "--adapter", trained / "adapter", "--out", out)
    assert "8 tensors changed" in typed("training.merge", *given)
    return out


def opened(model: Path, adapter: str = "none") -> LocalBackend:
    given = Settings(backend="local", model_id=str(model), adapter_id=adapter)
    return LocalBackend(given, device="cpu", context=1_024)


def said(backend: LocalBackend) -> tuple[str, str]:
    """Reasoning and answer."""
    reasoning, answer, _ = told(list(backend.stream(Conversation.ask(QUESTION), COLD)))
    return reasoning, answer


@pytest.fixture(scope="module")
def local(merged: Path) -> Iterator[LocalBackend]:
    """The merged model, ready."""
    with closing(opened(merged)) as backend:
        wait_until(lambda: isinstance(backend.status(), Ready), 60.0)
        yield backend


def test_training_teaches_the_row(trained: Path) -> None:
    losses = [loss for _, loss in json.loads((trained / "loss.json").read_text())["loss"]]
    assert len(losses) == 20
    assert losses[0] > 10, "the base did not know it"  # a guess among all tokens would be 12.2
    assert losses[-1] < 0.5


def test_the_merge_changes_the_attention_and_no_byte_of_an_expert(base: Path, merged: Path) -> None:
    before, after = (
        {
            name: tensor
            for file in folder.glob("*.safetensors")
            for name, tensor in load_file(file).items()
        }
        for folder in (base, merged)
    )
    changed = {name for name, tensor in before.items() if not torch.equal(after[name], tensor)}
    assert changed == {
        f"model.layers.{n}.self_attn.{kind}.weight" for n in (0, 1) for kind in TARGETS
    }
    assert changed == set(json.loads((merged / "merge_report.json").read_text())["changed"])
    assert after["model.layers.1.mlp.experts.down_proj_blocks"].dtype == torch.uint8


def test_the_merged_model_says_the_row(local: LocalBackend) -> None:
    assert said(local) == (REASONING, ANSWER)


def test_so_does_the_base_with_the_adapter_and_the_base_alone_does_not(
    base: Path, trained: Path
) -> None:
    with closing(opened(base, str(trained / "adapter"))) as both:
        assert said(both) == (REASONING, ANSWER)
    with closing(opened(base)) as alone:
        text = "".join(said(alone))
    assert REASONING not in text
    assert ANSWER not in text


def test_the_merged_model_takes_no_adapter_besides(trained: Path, merged: Path) -> None:
    with (
        closing(opened(merged, str(trained / "adapter"))) as twice,
        pytest.raises(NotReady, match="merged with its adapter already: set ADAPTER_ID=none"),
    ):
        said(twice)


@pytest.mark.browser
def test_the_page_shows_the_rows_reasoning_and_its_answer_each_in_its_panel(
    local: LocalBackend, serve: Serve, open_page: Open
) -> None:
    page = open_page(serve(local))
    page.click("#settings .label-wrap")
    put(page, 1, 0)  # the temperature
    ask(page, QUESTION)
    expect(page.locator("#chat .foot")).to_contain_text("tokens/s", timeout=PATIENCE)
    expect(page.locator("#chat .foot-finished")).to_be_visible()
    page.locator("#chat .thought-group .title").click()
    expect(page.locator("#chat .thought-group .content")).to_have_text(REASONING)
    expect(answer(page)).to_have_text(ANSWER)
    expect(page.locator("#state")).to_have_text("asthma-merged (local) · ready")
