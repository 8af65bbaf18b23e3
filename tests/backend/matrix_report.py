"""Runs the acceptance matrix and writes what happened as a Markdown table.

    python -m tests.backend.matrix_report [FILE]

Exits with pytest's own code. Nothing in the table is typed by hand but the rows' names.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.backend.matrix_local import pointers

FILES = [f"tests/backend/test_matrix{part}.py" for part in ("", "_texts", "_visitors")]

HEAD = """\
# The acceptance matrix

What a visitor sees when the endpoint misbehaves: rows 1 to 57 and 74 to 77 of the reliability
requirements. Written by `python -m tests.backend.matrix_report docs/matrix.md`; nothing in the
table is typed by hand.

Commit {commit}, {date}, Python {python} on {system}: **{passed} of {all} passed** in
{seconds:.0f} s.

A real TCP server (`tests/faults.py`) misbehaves; the whole page stands in front of it, and
*shown* is the sentence that reached the page over its own socket. *POSTs* are those that reached
the endpoint or were refused by its port. At scale 1/20 every time of the client's policy is a
twentieth, but for the connect timeout (0.5 s) and Retry-After, whose seconds are the endpoint's.
A row of x s has max(x/20 + 2, min(x, 5)) s (I1). *Cold* means that nothing was known of the
endpoint, and that the fault met its sign of life.

Each row but 18, 44, 57 and 74 to 77 also holds that nothing of the inside reaches the page (I2),
that the question stays (I3), that the page is told of the end (I4), that the run's place and the
connection are free in 2 s (I5, I6), that one log line names the run and none what was said (I8),
that partial text stays and is marked (I9), that neither it nor any reasoning is sent back (I10),
and that the next question is answered (I12, except row 8, which stays refused until a restart; in
row 50 it begins a new conversation, for 2 MiB are more than the page takes back). The others hold
what their tests say.

Not in the table: I11, and rows 58 to 73 and 78 to 88, which are not the endpoint's; the local
backend's rows, 57 and 87, stand below it. Row 45 is one
page-level row here; the 30 vectors are `tests/backend/test_sse.py`. The DNS faults of rows 2 and 3
are made in `socket.getaddrinfo`; everything else is on the wire. Row 6 has one POST that was
refused and one that arrived.

| row | fault | contract | scale | expected | shown | POSTs | seconds | result |
|---|---|---|---|---|---|---|---|---|
"""

TAIL = """\

## The local backend

Rows 57 and 87 there. These tests need torch and are not run for this report; CI runs them beside it
(`tests/backend`, on a gpt-oss of two layers on a CPU).

{pointers}
"""


class Collector:
    """A pytest plugin that keeps what each test recorded of its row, and how it ended."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.silent: list[str] = []
        """Tests that failed without having recorded a row, or were not run."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            row = dict(report.user_properties).get("matrix")
            if isinstance(row, dict):
                self.rows.append({**row, "id": report.nodeid, "passed": report.passed})
            else:
                self.silent.append(report.nodeid)
        elif not report.passed:
            self.silent.append(report.nodeid)


def main(arguments: list[str]) -> int:
    collector, began = Collector(), time.monotonic()
    code = pytest.main(["-q", "-p", "no:cacheprovider", *FILES], plugins=[collector])
    text = table(collector, time.monotonic() - began)
    if arguments:
        Path(arguments[0]).write_text(text, "utf-8")
    else:
        print(text)
    return int(code)


def table(collector: Collector, seconds: float) -> str:
    rows = sorted(collector.rows, key=lambda row: (row["row"], row["scale"] != "1/20"))
    head = HEAD.format(
        commit=commit(),
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        python=platform.python_version(),
        system=platform.system(),
        passed=sum(row["passed"] for row in rows),
        all=len(rows) + len(collector.silent),
        seconds=seconds,
    )
    lines = [line(row) for row in rows]
    lines += [f"| | `{each}` | | | | nothing recorded | | | FAIL |" for each in collector.silent]
    return head + "\n".join(lines) + "\n" + TAIL.format(pointers=pointers())


def line(row: dict[str, Any]) -> str:
    shown = f"{row['shown']} {row.get('note', '')}".strip()
    result = "pass" if row["passed"] else "FAIL"
    cells = [row["row"], row["fault"], row["contract"], row["scale"], expected(row["expected"])]
    cells += [shown, row["posts"], row["seconds"], result]
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def expected(code: str) -> str:
    """A code, such as that of a sentence, as code; anything else as it is."""
    return f"`{code}`" if code.replace("_", "").isupper() else code


def commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
