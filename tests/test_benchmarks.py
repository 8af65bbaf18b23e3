"""What the benchmarks say where they cannot be run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import BEGIN, COMMAND, END, RESULTS, sections
from tests.conftest import ROOT


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["decode", "training", "local_visitors", "merge", "replies"])
def test_the_help_needs_nothing_that_may_be_missing(name: str) -> None:
    ended = run(f"benchmarks.{name}", "--help")
    assert ended.returncode == 0, ended.stderr
    assert "usage: " in ended.stdout


@pytest.mark.parametrize("name", ["decode", "training"])
def test_without_a_gpu_or_without_torch_it_is_one_sentence(name: str) -> None:
    if Path("/proc/driver/nvidia").exists():
        pytest.skip("there is a GPU")
    ended = run(f"benchmarks.{name}")
    assert ended.returncode == 2
    assert ended.stderr.endswith(
        ("torch sees no CUDA GPU; --tiny needs none.\n", " -r requirements-dev.txt\n")
    )
    assert ended.stderr.count("\n") == 1


def test_each_section_is_made_again_by_its_own_command(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    part = (
        "{}\n\n<!-- begin -->\n\n* command: python -m benchmarks.{}\n\nold\n\n<!-- end -->\n\n{}\n"
    )
    one = "## harmony\n" + part.format("Before.", "harmony --quick", "After.")
    other = "## decode\n" + part.format("Words.", "decode", "More words.")
    page.write_text(f"# Results\n\nRead this.\n\n{one}\n{other}", "utf-8")
    ended = run("benchmarks", "--results", str(page))
    assert ended.returncode == 0, ended.stderr
    written = page.read_text("utf-8")
    harmony, decode = written.split("## decode\n")
    assert "chars/s" in harmony
    assert "\nold\n" not in harmony
    assert harmony.startswith("# Results\n\nRead this.\n\n## harmony\nBefore.\n\n<!-- begin -->\n")
    assert harmony.endswith("<!-- end -->\n\nAfter.\n\n")
    if not Path("/proc/driver/nvidia").exists():
        assert f"## decode\n{decode}" == other
        assert "decode: not run here, its figures stay." in ended.stdout


def test_every_section_of_the_results_can_be_made_again() -> None:
    for name, section in sections(RESULTS.read_text("utf-8")).items():
        assert section.count(BEGIN) == section.count(END) == 1, name
        assert COMMAND.search(section.partition(BEGIN)[2].partition(END)[0]), name


def test_a_benchmark_that_breaks_keeps_its_figures_and_is_told_of(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    command = "* command: python -m benchmarks.no"
    text = f"## nothing\n\n<!-- begin -->\n\n{command}\n\nold\n\n<!-- end -->\n"
    page.write_text(text, "utf-8")
    ended = run("benchmarks", "--results", str(page))
    assert ended.returncode == 1
    assert "nothing: failed, its figures stay." in ended.stdout
    assert page.read_text("utf-8") == text


def test_a_section_that_is_not_there_is_named() -> None:
    ended = run("benchmarks", "nothing")
    assert ended.returncode == 2
    assert "There is no section 'nothing'; there are ui_stream" in ended.stderr
