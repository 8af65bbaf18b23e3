"""What is pushed, to a server that takes it as the hub does; and what is said where it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.conftest import ROOT
from tests.training.hub_server import TOKEN, Hub, serving

NAME = "somebody/adapter"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as hub:
        yield hub


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run's folder, with what must never leave it."""
    for file in (
        "adapter/README.md", "adapter/adapter_config.json", "adapter/adapter_model.safetensors",
        "adapter/training_args.bin", "adapter/tokenizer.json", "run.json", "loss.json",
        "checkpoint-8/optimizer.pt", "checkpoint-8/adapter_model.safetensors", "rows.jsonl",
    ):  # fmt: skip
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(f"what is in {file}")
    return tmp_path


def push(address: str, run: Path, *words: str, token: str = TOKEN) -> tuple[int, str]:
    ran = subprocess.run(
        [sys.executable, "-m", "training.push", str(run), NAME, *words],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(run),
            "HF_ENDPOINT": address,
            "HF_TOKEN": token,
            "HF_HUB_DISABLE_XET": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ran.stderr
    return ran.returncode, ran.stdout + ran.stderr


def test_adapter_and_card_are_pushed_in_one_private_commit_and_nothing_else(
    hub: Hub, run: Path
) -> None:
    code, said = push(hub.address, run)
    assert code == 0, said
    assert f"{hub.address}/{NAME}/commit/" in said
    assert hub.private == {NAME: True}
    assert hub.commits == 1
    assert {file: content.decode() for file, content in hub.files[NAME].items()} == {
        "README.md": "what is in adapter/README.md",
        "adapter_config.json": "what is in adapter/adapter_config.json",
        "adapter_model.safetensors": "what is in adapter/adapter_model.safetensors",
        "run.json": "what is in run.json",
        "loss.json": "what is in loss.json",
    }


def test_public_is_only_what_was_asked_to_be(hub: Hub, run: Path) -> None:
    assert push(hub.address, run, "--public")[0] == 0
    assert hub.private == {NAME: False}


def test_a_missing_token_is_one_sentence_and_nobody_is_asked(hub: Hub, run: Path) -> None:
    code, said = push(hub.address, run, token="")
    assert code == 2
    assert said == (
        "To push, set HF_TOKEN to a token of huggingface.co that may write to somebody/adapter; "
        "nothing was pushed.\n"
    )
    assert hub.asked == []


def test_a_wrong_token_one_without_rights_and_no_network_are_one_sentence_each(
    hub: Hub, run: Path
) -> None:
    hub.read_only.add(NAME)
    for address, token, why in (
        (hub.address, "hf_other", "the hub does not know the token in HF_TOKEN"),
        (hub.address, TOKEN, f"the token in HF_TOKEN may not write to {NAME}"),
        ("http://127.0.0.1:9", TOKEN, "the hub cannot be reached (ConnectError)"),
    ):
        assert push(address, run, token=token) == (2, f"Nothing was pushed: {why}.\n")
    assert hub.files == {}


def test_a_run_that_is_not_finished_is_not_pushed(hub: Hub, run: Path) -> None:
    (run / "adapter" / "README.md").unlink()
    code, said = push(hub.address, run)
    assert code == 2
    assert "has no adapter/README.md: is it the folder of a finished run?" in said
    assert hub.files == {}
