"""What a process is given of the machine's cores, in real control groups where one can be made."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from backend.cores import cores, quota
from backend.llama import _threads  # pyright: ignore[reportPrivateUsage]
from benchmarks.quota import Group, NoGroups
from tests.conftest import ROOT

TOLD = "from backend.cores import cores, quota; input(); print(cores(), quota())"


def test_without_a_limit_every_core_that_is_shown_is_used(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("4:cpu,cpuacct:/\n0::/\n")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert quota(tmp_path, tmp_path / "own") == math.inf
    assert quota(tmp_path, tmp_path / "not there") == math.inf


@pytest.mark.parametrize(
    ("own", "place"),
    [
        ("0::/", "."),
        ("0::/pod/container", "pod/container"),
        ("0::/pod/container", "pod"),  # the limit of all that is in it
        ("0::/a/path/of/the/host", "."),  # a container that sees itself at the top
    ],
)
def test_version_2_is_read_wherever_the_limit_stands(own: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "own").write_text(f"{own}\n")
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / place / "cpu.max").write_text("10000 100000\n")
    assert quota(tmp_path, tmp_path / "own") == 0.1


def test_version_1_is_read_and_other_controllers_are_not(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("5:memory:/m\n3:cpuset:/s\n2:cpu,cpuacct:/some/group\n")
    group = tmp_path / "cpu" / "some" / "group"
    group.mkdir(parents=True)
    (group / "cpu.cfs_quota_us").write_text("250000\n")
    (group / "cpu.cfs_period_us").write_text("100000\n")
    assert quota(tmp_path, tmp_path / "own") == 2.5


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    """A process that tells what it is given once it is sent a line."""
    with subprocess.Popen(
        [sys.executable, "-c", TOLD],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


@pytest.mark.parametrize("share", [0.1, 1.0, 1.5])
def test_a_real_control_group_is_obeyed(child: subprocess.Popen[str], share: float) -> None:
    with ExitStack() as held:
        try:
            group = held.enter_context(Group(share))
        except NoGroups as why:
            pytest.skip(str(why))
        group.take(child.pid)
        told, _ = child.communicate("\n", timeout=60)
        assert told.split() == [str(min(math.ceil(share), cores())), str(share)]


def test_a_tenth_of_a_core_is_one_thread_and_so_is_what_openmp_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert _threads() == max(1, len(os.sched_getaffinity(0)) - 1)
    monkeypatch.setattr("backend.cores.quota", lambda: 0.1)
    assert _threads() == 1
    for told, threads in (("5", 5), ("1", 1), ("0", 1), ("4,2", 1), ("", 1)):
        monkeypatch.setenv("OMP_NUM_THREADS", told)
        assert _threads() == threads
