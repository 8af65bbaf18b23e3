"""What a benchmark prints: where it ran, and a table of figures as RESULTS.md holds them."""

from __future__ import annotations

import datetime
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path


def setting() -> str:
    """Command, commit, date, hardware, versions and the load of the machine, as a list."""
    commit = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    known = subprocess.run(commit, capture_output=True, text=True, check=False).stdout.strip()
    lines = {
        "command": " ".join(["python -m", _module(), *sys.argv[1:]]),
        "commit": known or "unknown",
        "date": f"{datetime.date.today():%Y-%m-%d}",
        "hardware": f"{_cpu()}, {os.cpu_count()} cores, {_memory():.0f} GB",
        "versions": f"Python {platform.python_version()}, gradio {version('gradio')}",
        "load average": load(),
    }
    return "\n".join(f"* {name}: {value}" for name, value in lines.items())


def load() -> str:
    """Of the last minute, from the kernel."""
    return f"{os.getloadavg()[0]:.1f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least `share` of all are not above."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def share(count: int, n: int) -> str:
    """`count` of `n`, with Wilson's 95 % interval (1927) in per cent."""
    z2, p = 1.96**2, count / n
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = 1.96 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return f"{count} of {n}: {p:.0%} ({middle - half:.0%} to {middle + half:.0%})"


def aim(value: float, most: float) -> str:
    """Whether a figure is at most what was aimed at."""
    return f"at most {most:g}: {'met' if value <= most else 'missed'}"


def _module() -> str:
    spec = sys.modules["__main__"].__spec__
    return spec.name if spec else Path(sys.argv[0]).name


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if "model name" in line), "unknown CPU")


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
