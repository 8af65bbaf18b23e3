"""What runs in Modal's containers, run here: the commands are real, the volumes are folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from endpoint import modal_training
from endpoint.modal_training import merging, prepare_on_cpu, train_on_gpu, training
from tests.tiny_gpt_oss import adapter, checkpoint
from tests.training.tiny_run import tiny_recipe

pytestmark = pytest.mark.filterwarnings("ignore:.*is executing locally:UserWarning")


class Volume:
    """Stands for Modal's, which takes an account: counts its commits."""

    def __init__(self) -> None:
        self.commits = 0

    def commit(self) -> None:
        self.commits += 1


@pytest.fixture
def volume(monkeypatch: pytest.MonkeyPatch) -> Volume:
    volume = Volume()
    monkeypatch.setattr(modal_training, "models", volume)
    monkeypatch.setattr(modal_training, "runs", volume)
    return volume


def test_what_serve_finds_is_merged_verified_and_committed_once(
    volume: Volume, tmp_path: Path
) -> None:
    base, lora = checkpoint(tmp_path / "base"), adapter(tmp_path / "lora")
    killed = tmp_path / "models" / "medicalgpt.partial"
    killed.mkdir(parents=True)
    (killed / "config.json").write_text("{}")
    words = merging([str(base)], [str(lora)], tmp_path / "models" / "medicalgpt")
    assert prepare_on_cpu.local(words) == 0
    assert volume.commits == 1
    (folder,) = (tmp_path / "models").iterdir()
    assert folder.name == "medicalgpt"
    report = json.loads((folder / "merge_report.json").read_text("utf-8"))
    assert report["result"].startswith("8 tensors changed")
    assert prepare_on_cpu.local(words) != 0, "what is there is not written over"
    assert volume.commits == 1


def test_of_a_base_that_is_not_whole_nothing_is_committed(volume: Volume, tmp_path: Path) -> None:
    base, lora = checkpoint(tmp_path / "base"), adapter(tmp_path / "lora")
    shard = next(base.glob("*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-1])
    words = merging([str(base)], [str(lora)], tmp_path / "models" / "medicalgpt")
    assert prepare_on_cpu.local(words) == 2
    assert volume.commits == 0
    assert not (tmp_path / "models" / "medicalgpt").exists()


def test_a_recipe_that_cannot_be_is_not_tried_again_and_a_crash_is(
    volume: Volume, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = tiny_recipe(tmp_path, tmp_path / "no base").read_text("utf-8")
    out = tmp_path / "runs" / "x"
    words = training(out / "x.yaml", out, gpu="L4")
    assert train_on_gpu.local(words, str(out / "x.yaml"), text, "c") == 2
    assert "could not be loaded" in capfd.readouterr().err
    assert (out / "x.yaml").read_text("utf-8") == text
    with pytest.raises(RuntimeError, match="ended with 7; it goes on from its last step"):
        train_on_gpu.local(["-c", "raise SystemExit(7)"], str(out / "x.yaml"), text, "c")
    assert volume.commits == 2, "what was reached is kept, whatever ended it"
