"""Rows from the hub: asked for at the pinned revision, of a server that answers as the hub does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

pytest.importorskip("datasets")

from tests.conftest import ROOT
from tests.rows_hub import rows_hub

REVISION = "c" * 40
ROWS = [
    {"Question": f"Q{n}?", "Complex_CoT": f"R{n}. " * 200 + "So.", "Response": f"A{n}."}
    for n in range(5)
]
FILES = {
    "README.md": b"---\nconfigs:\n- config_name: en\n  data_files: rows_en.json\n"
    b"- config_name: zh\n  data_files: rows_zh.json\n---\n",
    "rows_en.json": json.dumps(ROWS).encode(),
    "rows_zh.json": b"[]",
}
READ = """
import sys
from training.recipe import Source
from training.rows import RowError, read_rows
names = {"question": "Question", "reasoning": "Complex_CoT", "answer": "Response"}
try:
    rows = read_rows(Source(hub="owner/rows", config="en", revision=sys.argv[1], fields=names), 1)
    print([(row.question, row.reasoning, row.answer) for row in rows])
except RowError as error:
    print(error)
"""


def hub() -> AbstractContextManager[str]:
    """Its address. It knows one set, at one revision."""
    return rows_hub("owner/rows", REVISION, FILES)


def read(address: str, home: Path, revision: str, *before: str) -> str:
    ran = subprocess.run(
        [*before, sys.executable, "-c", READ, revision],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HF_HOME": str(home),
            "HF_ENDPOINT": address,
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip().splitlines()[-1]


def test_rows_come_from_the_set_s_config_at_its_revision_and_at_no_other(tmp_path: Path) -> None:
    with hub() as address:
        assert read(address, tmp_path, REVISION) == str(
            [(row["Question"], row["Complex_CoT"], row["Response"]) for row in ROWS]
        )
        said = read(address, tmp_path / "other", "d" * 40)
    assert said.startswith("owner/rows could not be had from the hub (")
    assert said.endswith("or name a local file with `jsonl`.")


def test_a_disk_that_is_full_is_said_to_be_and_no_connection_is_blamed(tmp_path: Path) -> None:
    """No file may grow beyond a kilobyte there."""
    full = ["bash", "-c", 'trap "" XFSZ; ulimit -f 1; exec "$@"', "-"]
    with hub() as address:
        said = read(address, tmp_path, REVISION, *full)
    assert said == "The disk is full. Make room and run the same command again: it goes on."
