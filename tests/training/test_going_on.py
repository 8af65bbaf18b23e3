"""A run that was ended goes on: from its last whole step, and as it was begun."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from safetensors.torch import load_file  # noqa: E402

from tests.conftest import ROOT  # noqa: E402
from tests.training.tiny_run import ROWS, command, last_marked, run, tiny_recipe  # noqa: E402
from training.begun import hold_to  # noqa: E402
from training.checkpoints import last_whole, mark_whole  # noqa: E402
from training.dataset import make_examples  # noqa: E402
from training.recipe import RecipeError, read_recipe  # noqa: E402
from training.train import main  # noqa: E402

# Real runs in processes of their own: slow beside other tests on a small machine.
pytestmark = pytest.mark.timeout(900)


def test_killed_it_goes_on_from_the_last_step_and_ends_where_it_would_have(
    tiny: Path, trained: Path, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    running = subprocess.Popen(command(tiny, killed), cwd=ROOT, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 240
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


def test_a_half_written_checkpoint_is_never_gone_on_from(tmp_path: Path) -> None:
    for step in (1, 2, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "optimizer.pt").write_bytes(b"x")
    mark_whole(tmp_path / "checkpoint-2")
    assert last_whole(tmp_path) == str(tmp_path / "checkpoint-2")
    assert not (tmp_path / "checkpoint-10").exists()
    assert last_whole(tmp_path / "nowhere") is None


def test_a_full_disk_is_one_sentence_and_the_last_step_is_kept_and_gone_on_from(
    tiny: Path, trained: Path, tmp_path: Path
) -> None:
    out = begun_of(trained, tmp_path / "run", steps=7)
    kept = contents(out / "checkpoint-7")
    ended = run(tiny, out, "bash", "-c", 'trap "" XFSZ; ulimit -f 60; exec "$@"', "-")
    assert ended.returncode == 2
    assert "going on after step 7" in ended.stdout
    assert "The disk is full. Make room and run the same command again: it goes on." in ended.stderr
    assert "Traceback" not in ended.stderr
    assert last_whole(out) == str(out / "checkpoint-7")
    assert contents(out / "checkpoint-7") == kept
    ended = run(tiny, out)
    assert ended.returncode == 0, ended.stderr[-2_000:]
    assert "going on after step 7" in ended.stdout
    assert last_whole(out) == str(out / "checkpoint-8")


def begun_of(trained: Path, out: Path, *, steps: int) -> Path:
    """The run as it was after `steps`."""
    shutil.copytree(trained, out)
    for made in (f"checkpoint-{steps + 1}", "adapter"):
        shutil.rmtree(out / made)
    for made in ("run.json", "loss.json", "loss.png", "README.md"):
        (out / made).unlink()
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_run_goes_on_with_the_recipe_and_the_rows_that_it_was_begun_with_alone(
    base: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = begun_of(trained, tmp_path / "run", steps=7)
    before = contents(out / "checkpoint-7"), (out / "commits.txt").read_bytes()
    changed = {
        "another recipe": tiny_recipe(made(tmp_path / "a"), base, learning_rate=0.01),
        "other rows": tiny_recipe(
            made(tmp_path / "b"), base, [*ROWS[:-1], ROWS[-1] | {"answer": "No."}]
        ),
        "another recipe and other rows": tiny_recipe(
            made(tmp_path / "c"), base, ROWS[:9], epochs=3
        ),
    }
    for what, recipe in changed.items():
        assert main([str(recipe), "--out", str(out)]) == 2
        assert capsys.readouterr().err.endswith(
            f"run holds a run that was begun with {what}: name another folder with --out, or go on "
            "with what it was begun with.\n"
        )
        assert (contents(out / "checkpoint-7"), (out / "commits.txt").read_bytes()) == before
        assert last_whole(out) == str(out / "checkpoint-7")
    assert main([str(changed["other rows"]), "--out", str(tmp_path / "another")]) == 0


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_what_a_run_was_begun_with_is_told_by_content_and_not_by_its_place(
    tiny: Path, base: Path, trained: Path, tmp_path: Path, tokenizer: Any
) -> None:
    moved = tmp_path / "elsewhere" / base.name
    shutil.copytree(base, moved)
    recipe = read_recipe(tiny_recipe(tmp_path, moved))
    hold_to(recipe, make_examples(recipe, tokenizer), trained, write=False)
    (shutil.copytree(trained, tmp_path / "unknown") / "begun.json").unlink()
    with pytest.raises(RecipeError, match="begun with another recipe"):
        hold_to(recipe, make_examples(recipe, tokenizer), tmp_path / "unknown", write=True)
