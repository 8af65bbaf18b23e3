"""A machine that is too small is told so before anything is fetched."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.training.tiny_run import CARD
from training.preflight import Lacking, check
from training.recipe import read_recipe
from training.train import main


def test_too_small_a_machine_is_told_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = read_recipe(CARD)
    for name, needs in (("gpu_gb", "GPU memory"), ("ram_gb", "RAM"), ("disk_gb", "free disk")):
        small = {"gpu_gb": 0.0, "ram_gb": 0.0, "disk_gb": 0.0} | {name: 10_000.0}
        asked = dataclasses.replace(recipe, needs=dataclasses.replace(recipe.needs, **small))
        with pytest.raises(Lacking, match=f"has [0-9.]+ GB of {needs} where 10000 are needed: r"):
            check(asked, tmp_path)
    assert "RAM" in capsys.readouterr().out


def test_everything_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    recipe = read_recipe(CARD)
    needs = dataclasses.replace(recipe.needs, ram_gb=9e6, disk_gb=8e6)
    with pytest.raises(
        Lacking, match=r"of RAM where 9e\+06 .* and .* disk where 8e\+06 are needed"
    ):
        check(dataclasses.replace(recipe, needs=needs), tmp_path)


def test_only_looking_makes_no_folder(tiny: Path, tmp_path: Path) -> None:
    assert main([str(tiny), "--out", str(tmp_path / "runs" / "x"), "--preflight-only"]) == 0
    assert not (tmp_path / "runs").exists()


def test_what_a_run_has_already_fetched_is_no_disk_that_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a run that is killed could not go on on the disk that it began on."""
    recipe = read_recipe(CARD)
    lacks = (shutil.disk_usage(tmp_path).free / 10**9 + 20) / 0.93
    needs = dataclasses.replace(recipe.needs, gpu_gb=0.0, ram_gb=0.0, disk_gb=lacks)
    recipe = dataclasses.replace(recipe, needs=needs)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(Lacking, match="of free disk"):
        check(recipe, tmp_path / "run")
    weights = tmp_path / "hub" / "models--openai--gpt-oss-20b" / "blobs" / "weights"
    weights.parent.mkdir(parents=True)
    with weights.open("wb") as sparse:
        sparse.truncate(40 * 10**9)
    check(recipe, tmp_path / "run")
