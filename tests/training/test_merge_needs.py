"""What the merge needs to be installed, and no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
import importlib.abc, sys
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split(","):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from training.merge import main
sys.exit(main(sys.argv[2:]))
"""


def without(missing: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """The merge, where the packages `missing` are as good as not installed."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, missing, *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def installed_by(file: str) -> set[str]:
    """The packages that a requirements file names, and those of the files that it begins with."""
    found: set[str] = set()
    for line in (ROOT / file).read_text("utf-8").splitlines():
        if line.startswith("-r "):
            found |= installed_by(line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            found.add(line.partition("==")[0].partition("[")[0])
    return found


def test_it_runs_from_requirements_local_alone(base: Path, lora: Path, tmp_path: Path) -> None:
    others = installed_by("requirements-train.txt") | installed_by("requirements-dev.txt")
    others -= installed_by("requirements-local.txt")
    assert {"trl", "datasets", "gguf", "matplotlib", "pyyaml", "scikit-learn"} <= others
    modules = {"pyyaml": "yaml", "scikit-learn": "sklearn", "bpe-openai": "bpe_openai"}
    missing = ",".join(modules.get(name, name.replace("-", "_")) for name in sorted(others))
    given = ("--base", base, "--adapter", lora, "--out", tmp_path / "out", "--check-logits")
    ended = without(missing, *given)
    assert ended.returncode == 0, ended.stderr
    assert "8 tensors changed" in ended.stdout


def test_without_torch_it_says_what_to_install_before_anything_is_written(
    base: Path, lora: Path, tmp_path: Path
) -> None:
    ended = without("torch", "--base", base, "--adapter", lora, "--out", tmp_path / "out")
    assert ended.returncode == 2
    assert ended.stderr == "torch is missing: pip install -r requirements-local.txt\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]
