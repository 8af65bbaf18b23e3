"""What the report says of the local backend's rows is there to be run."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.backend.matrix_local import LOCAL, pointers
from tests.conftest import ROOT


def test_every_test_that_the_report_points_at_exists() -> None:
    for test in {test for tests in LOCAL.values() for test in tests}:
        file, _, name = test.partition("::")
        tree = ast.parse((Path(__file__).parent / f"{file}.py").read_text("utf-8"))
        assert name in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}, test


def test_the_report_in_the_repository_has_them() -> None:
    assert pointers() in (ROOT / "docs" / "matrix.md").read_text("utf-8")
