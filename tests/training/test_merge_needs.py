"""What the merge needs to be installed, and no more."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytest.importorskip("torch")

from tests.conftest import ROOT
from tests.tiny_gpt_oss import adapter, checkpoint


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("base"))


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    return adapter(tmp_path / "adapter")


WITHOUT = """
import sys
from importlib.machinery import PathFinder
hidden, found = set(sys.argv[1].split(",")), PathFinder.find_spec
PathFinder.find_spec = lambda name, *given: (
    None if name.partition(".")[0] in hidden else found(name, *given))
from training.merge import main
sys.exit(main(sys.argv[2:]))
"""


def without(missing: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """The merge, where the packages `missing` are as good as not installed."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, missing, *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def brought_by(file: str) -> set[str]:
    """The packages that a requirements file brings, with all that they need themselves."""
    named: list[str] = []
    for line in (ROOT / file).read_text("utf-8").splitlines():
        if line.startswith("-r "):
            named += brought_by(line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            named.append(line)
    found: set[str] = set()
    while named:
        wanted = Requirement(named.pop())
        name = canonicalize_name(wanted.name)
        if name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        with suppress(PackageNotFoundError):
            named += requires(name) or []
    return found


def test_it_runs_from_requirements_local_alone(base: Path, lora: Path, tmp_path: Path) -> None:
    brought = brought_by("requirements-local.txt")
    missing = {
        module
        for module, packages in packages_distributions().items()
        if not brought & {canonicalize_name(package) for package in packages}
    }
    assert {"trl", "datasets", "gguf", "matplotlib", "sklearn", "pytest"} <= missing
    assert not {"torch", "transformers", "peft", "numpy", "huggingface_hub"} & missing
    given = ("--base", base, "--adapter", lora, "--out", tmp_path / "out", "--check-logits")
    ended = without(",".join(sorted(missing)), *given)
    assert ended.returncode == 0, ended.stderr[-2_000:]
    assert "8 tensors changed" in ended.stdout


def test_without_torch_it_says_what_to_install_before_anything_is_written(
    base: Path, lora: Path, tmp_path: Path
) -> None:
    ended = without("torch", "--base", base, "--adapter", lora, "--out", tmp_path / "out")
    assert ended.returncode == 2
    assert ended.stderr == "torch is missing: pip install -r requirements-local.txt\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]
