"""A small CPU, imitated: processes are given a share of a core and stand still when it is used up.

In a control group where this user may make one: that is what hosts of small plans use, with the
same period. Else by hand, with SIGSTOP and SIGCONT: coarser, since the CPU used is looked at
every millisecond, what a process may use in the first moments is not limited, and its children
are not counted.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path

PERIOD = 0.1
"""Seconds. What a period's share leaves is lost; what it goes beyond is taken from the next."""
LOOK = 0.001
ROOTS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/cpu"))
"""Of version 2, and of version 1."""


class NoGroups(Exception):
    """No control group with a limit on CPU can be made here."""


class Group(AbstractContextManager["Group"]):
    """A control group that gets `share` of a core. Its processes must have ended at its end."""

    how = "control group, cpu quota per 100 ms"

    def __init__(self, share: float) -> None:
        for root in ROOTS:
            folder = root / f"small-cpu-{os.getpid()}-{time.monotonic_ns()}"
            try:
                folder.mkdir()
            except OSError:
                continue
            self._folder = folder
            if _limit(folder, share):
                return
            folder.rmdir()
        raise NoGroups("no control group can be made here")

    def take(self, pid: int) -> None:
        (self._folder / "cgroup.procs").write_text(str(pid))

    def __exit__(self, *raised: object) -> None:
        until = time.monotonic() + 20.0
        while time.monotonic() < until:
            with suppress(OSError):
                return self._folder.rmdir()
            time.sleep(0.05)
        raise NoGroups(f"{self._folder} could not be removed: a process is still in it")


class Pulses(AbstractContextManager["Pulses"]):
    """`share` of a core for each process taken, kept by stopping it."""

    how = "SIGSTOP and SIGCONT per 100 ms"

    def __init__(self, share: float) -> None:
        self._share = share
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def take(self, pid: int) -> None:
        thread = threading.Thread(target=self._pulse, args=(pid,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _pulse(self, pid: int) -> None:
        clock = (~pid << 3) | 2  # clock_getcpuclockid(3) makes the number this way
        most = self._share * PERIOD
        left = most
        with suppress(ProcessLookupError, OSError):  # until it has ended
            used = time.clock_gettime(clock)
            while not self._over.is_set():
                ends = time.monotonic() + PERIOD
                while left > 0 and (rest := ends - time.monotonic()) > 0:
                    time.sleep(min(LOOK, rest))
                    now = time.clock_gettime(clock)
                    left, used = left - (now - used), now
                if left <= 0:
                    os.kill(pid, signal.SIGSTOP)
                    time.sleep(max(0.0, ends - time.monotonic()))
                    os.kill(pid, signal.SIGCONT)
                left = min(most, left + most)


Quota = Group | Pulses


def small_cpu(share: float) -> Quota:
    """The better of the two that is to be had here."""
    try:
        return Group(share)
    except NoGroups:
        return Pulses(share)


def _limit(folder: Path, share: float) -> bool:
    """Whether `folder` is a control group that took the limit."""
    period = round(PERIOD * 1e6)
    limit = round(share * period)
    with suppress(OSError):
        if (folder / "cpu.max").exists():
            (folder / "cpu.max").write_text(f"{limit} {period}")
            return True
        if (folder / "cpu.cfs_quota_us").exists():
            (folder / "cpu.cfs_period_us").write_text(str(period))
            (folder / "cpu.cfs_quota_us").write_text(str(limit))
            return True
    return False
