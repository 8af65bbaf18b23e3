"""Several processes train as one would: the same rows a step, and one of them that speaks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from safetensors.torch import load, load_file  # noqa: E402

from tests.training.hub_server import TOKEN, serving  # noqa: E402
from tests.training.tiny_run import CARD, command, run  # noqa: E402
from training.checkpoints import MARK  # noqa: E402
from training.processes import accumulation  # noqa: E402
from training.recipe import RecipeError, read_recipe  # noqa: E402

# Real runs in processes of their own: slow beside other tests on a small machine.
pytestmark = pytest.mark.timeout(900)

FILES = ("run.json", "loss.json")


def test_two_processes_share_each_step_and_one_of_them_writes_and_pushes(
    tiny: Path, trained: Path, tmp_path: Path
) -> None:
    """As on two GPUs, with the same launcher. The weights are those of one process."""
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--main_process_port", "0", "-m", *command(tiny, tmp_path / "run")[2:]]
    with serving() as hub:
        ended = run(
            tiny,
            tmp_path / "run",
            asked=[sys.executable, *launch, "--push", "somebody/adapter"],
            HF_ENDPOINT=hub.address,
            HF_TOKEN=TOKEN,
            HF_HUB_DISABLE_XET="1",
        )
    assert ended.returncode == 0, ended.stderr[-2_000:]
    for line in ("RAM: ", "rows: read 10", "parameters: ", "pushed to "):
        assert ended.stdout.count(line) == 1
    assert hub.commits == 1
    numbers, losses = (json.loads((tmp_path / "run" / f).read_text()) for f in FILES)
    assert (numbers["processes"], numbers["steps"]) == (2, 8)
    assert losses == json.loads((trained / "loss.json").read_text())
    both, alone = (
        load_file(out / "adapter" / "adapter_model.safetensors")
        for out in (tmp_path / "run", trained)
    )
    for name, tensor in alone.items():
        torch.testing.assert_close(both[name], tensor, rtol=1e-3, atol=1e-4)
    last = tmp_path / "run" / "checkpoint-8"
    assert {"rng_state_0.pth", "rng_state_1.pth", MARK} <= {file.name for file in last.iterdir()}
    pushed = hub.files["somebody/adapter"]
    assert pushed["README.md"] == (tmp_path / "run" / "adapter" / "README.md").read_bytes()
    assert load(pushed["adapter_model.safetensors"]).keys() == alone.keys()


def test_processes_that_cannot_share_a_step_evenly_are_told_how_many_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    how = read_recipe(CARD).train
    for processes, each in ((1, 4), (2, 2), (4, 1)):
        monkeypatch.setenv("WORLD_SIZE", str(processes))
        assert accumulation(how) == each
    for processes in (3, 8):
        monkeypatch.setenv("WORLD_SIZE", str(processes))
        with pytest.raises(RecipeError, match=f"{processes} processes cannot share evenly"):
            accumulation(how)
