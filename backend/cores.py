"""How many cores' worth of time this process is given: what it may run on, and what it may use.

A small web plan shows a process all cores of its host and stops it for most of each tenth of a
second: 0.1 CPU. Nothing but the control group says so.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def cores() -> int:
    """At least one; a part of a core counts as a whole one."""
    if hasattr(os, "sched_getaffinity"):
        shown = len(os.sched_getaffinity(0))
    else:
        shown = os.cpu_count() or 1
    return min(shown, max(1, math.ceil(min(shown, quota()))))


def quota(mount: Path = CGROUPS, own: Path = OWN) -> float:
    """Cores' worth of time that the control groups of this process allow; infinity for no limit.

    Version 2's `cpu.max` and version 1's `cpu.cfs_quota_us`, see cgroups(7); the lowest of the
    process's own group and those above it.
    """
    try:
        lines = own.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return math.inf
    return min((share for line in lines for share in _shares(mount, line)), default=math.inf)


def _shares(mount: Path, line: str) -> Iterator[float]:
    """The limits along one line of /proc/self/cgroup: hierarchy, controllers, path."""
    _, controllers, path = line.split(":", 2)
    if controllers and "cpu" not in controllers.split(","):
        return
    # A container may see its own group as the top one, at a path that only its host has: what
    # of the path is not there is passed over.
    group = (mount / "cpu" if controllers else mount) / path.lstrip("/")
    for folder in (group, *group.parents):
        with suppress(OSError, ValueError, ZeroDivisionError):
            if controllers:
                limit = (folder / "cpu.cfs_quota_us").read_text("ascii")
                period = (folder / "cpu.cfs_period_us").read_text("ascii")
            else:
                limit, period = (folder / "cpu.max").read_text("ascii").split()
            share = float(limit) / float(period)  # "max", or less than nothing, is no limit
            if share > 0:
                yield share
        if folder == mount:
            return
