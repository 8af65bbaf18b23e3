"""Rows as MEDICAL_DATA has them, written for the tests; and the command in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import pytest

from tests.backend.conftest import model_path
from tests.conftest import ROOT

__all__ = ["model_path"]

ROWS = [
    ("What carries oxygen in the blood?", ["Insulin", "Hemoglobin", "Bile", "Mucus"], 1),
    ("Which vitamin is missing in scurvy?", ["A", "B12", "C", "D"], 2),
    ("Which organ makes insulin?", ["Pancreas", "Liver", "Spleen", "Kidney"], 0),
    ("What does a thermometer measure?", ["Weight", "Pressure", "Pulse", "Temperature"], 3),
]


def write_rows(folder: Path, file: str, rows: list[dict[str, Any]]) -> None:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def questions(rows: list[tuple[str, list[str], int]]) -> list[dict[str, Any]]:
    return [
        {"id": f"row-{at}", "question": text, "context": None, "options": options,
         "answer_idx": right, "source": "tests@0000000:rows", "license": "none"}
        for at, (text, options, right) in enumerate(rows)
    ]  # fmt: skip


@dataclass
class Command:
    """`python -m evaluation` with its folders in `home`."""

    home: Path
    data: Path

    def arguments(self, *words: str) -> list[str]:
        folders = ("--logs", self.home / "logs", "--results", self.home / "results",
                   "--page", self.home / "docs" / "evaluation.md")  # fmt: skip
        return ["-m", "evaluation", *words, *map(str, folders)]

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "KEY" not in name}
        aside = {"XDG_DATA_HOME": str(self.home), "MEDICAL_DATA": str(self.data)}
        return {**kept, **aside, "PYTHONPATH": str(ROOT)}

    def __call__(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *self.arguments(*words)],
            cwd=ROOT,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    @property
    def answered(self) -> int:
        """How many replies the logs hold, also while they are written."""
        count = 0
        for log in (self.home / "logs").glob("*.eval"):
            with suppress(BadZipFile, FileNotFoundError), ZipFile(log) as archive:
                count += sum(name.startswith("samples/") for name in archive.namelist())
        return count

    @property
    def page(self) -> str:
        return (self.home / "docs" / "evaluation.md").read_text("utf-8")

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """By task, model and effort."""
        files = sorted((self.home / "results").glob("*.json"))
        read = [json.loads(file.read_text("utf-8")) for file in files]
        return {
            f"{each['task']} {each['model']['id']} {each['sampling']['effort']}": each
            for each in read
        }


@pytest.fixture
def command(tmp_path: Path) -> Command:
    data = tmp_path / "data"
    for file in ("medqa_dev", "mmlu_medical_test"):
        write_rows(data, f"eval/{file}.jsonl", questions(ROWS))
    return Command(tmp_path, data)
