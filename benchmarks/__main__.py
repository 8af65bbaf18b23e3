"""Runs each benchmark again, and writes what it prints into its section of RESULTS.md.

    python -m benchmarks [SECTION ...]

A section says by its `* command:` how it was made, and only what stands between its two marks is
replaced: what is written around it stays, and is to be read again. One that this machine cannot run
(it says so with exit code 2) keeps its old figures, and says why; one that fails does too, and the
exit code is 1 in the end. Each section is written as it comes; all of them take an hour.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
BEGIN, END = "<!-- begin -->\n", "<!-- end -->\n"
CANNOT = 2
"""The exit code of a benchmark that needs what this machine has not."""
COMMAND = re.compile(r"^\* command: python (.+)$", re.MULTILINE)


def sections(page: str) -> dict[str, str]:
    """The text of each section, by its name."""
    _, *parts = re.split(r"^## (\w+)\n", page, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def rewritten(section: str, printed: str) -> str:
    """`section` with `printed` between its marks."""
    before, _, rest = section.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{printed.strip()}\n\n{END}{after}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Run the benchmarks again.")
    parser.add_argument("sections", nargs="*", help="names of sections of RESULTS.md; else all")
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="another page than RESULTS.md"
    )
    asked = parser.parse_args(argv)
    known = sections(asked.results.read_text("utf-8"))
    if unknown := set(asked.sections) - known.keys():
        parser.error(f"There is no section {min(unknown)!r}; there are {', '.join(known)}.")
    failed = False
    for name in asked.sections or known:
        command = COMMAND.search(known[name])
        if command is None:
            continue
        print(f"{name}: python {command[1]}", flush=True)
        words = [sys.executable, *command[1].split()]
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
        if ended.returncode:
            told = ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"]
            how = "not run here" if ended.returncode == CANNOT else "failed"
            failed |= ended.returncode != CANNOT
            print(f"{name}: {how}, its figures stay. {told[-1]}", flush=True)
            continue
        page = asked.results.read_text("utf-8")
        page = page.replace(known[name], rewritten(known[name], ended.stdout))
        asked.results.write_text(page, "utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
