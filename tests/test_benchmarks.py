"""What the benchmarks say where they cannot be run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
