"""Imports point one way, stand at the top of their files, and pull in nothing heavy."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("chat", "backend", "safety", "ui", "endpoint", "training", "evaluation")
ALLOWED = {
    "settings": set(),
    "chat": {"chat"},
    "backend": {"chat", "backend", "settings"},
    "safety": {"chat", "safety"},
    "ui": {"chat", "backend", "safety", "settings", "ui"},
    "endpoint": {"chat", "backend", "safety", "settings", "ui", "endpoint"},
    "training": {"chat", "training"},
    "evaluation": {"chat", "backend", "safety", "settings", "evaluation"},
    "app": {"chat", "backend", "safety", "settings", "ui"},
}
OURS = set(ALLOWED)
LATE = {("backend/__init__.py", "backend.embedded"), ("backend/__init__.py", "backend.remote")}
LATE.add(("backend/__init__.py", "backend.local"))

FILES = sorted(
    [ROOT / "app.py", ROOT / "settings.py"]
    + [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
)


def imported(tree: ast.AST) -> set[str]:
    """The modules that any import in `tree` names."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their package"
            module = node.module or ""
            found.add(module)
            found |= {f"{module}.{alias.name}" for alias in node.names if module in PACKAGES}
    return found


def name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def top(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_file_imports_only_what_stands_before_it(file: Path) -> None:
    used = {top(module) for module in imported(ast.parse(file.read_text("utf-8")))} & OURS
    assert used <= ALLOWED[top(name(file))]


def test_the_vocabulary_and_the_backends_know_no_page() -> None:
    for file in FILES:
        used = {top(module) for module in imported(ast.parse(file.read_text("utf-8")))}
        if top(name(file)) in ("chat", "backend", "settings"):
            assert not used & {"gradio", "fastapi", "starlette", "uvicorn"}, file
        assert not used & {"tests", "benchmarks"}, file


def test_the_endpoint_knows_no_page() -> None:
    """A test of its own looks at what is loaded; this one, at what any of its lines name."""
    for file in FILES:
        if top(name(file)) == "endpoint":
            used = imported(ast.parse(file.read_text("utf-8")))
            assert not {top(module) for module in used} & {"gradio", "torch"}, file
            known = {"ui.listening", "ui.serve", "ui.logs", "ui.strict_json", "ui.words"}
            assert {module for module in used if top(module) == "ui"} <= known, file


def test_there_is_no_circle() -> None:
    modules = {name(file): file for file in FILES}
    needs = {}
    for module, file in modules.items():
        tree = ast.parse(file.read_text("utf-8"))
        at_top = ast.Module([node for node in tree.body if not _late(node)], [])
        needs[module] = (imported(at_top) & set(modules)) - {module}
    while needs:
        free = [module for module, rest in needs.items() if not rest & set(needs)]
        assert free, f"these import each other: {sorted(needs)}"
        for module in free:
            del needs[module]


def test_the_only_late_imports_of_ours_are_of_the_backend_that_is_opened() -> None:
    late: set[tuple[str, str]] = set()
    for file in FILES:
        tree = ast.parse(file.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                ours = {module for module in imported(node) if top(module) in OURS}
                late |= {(str(file.relative_to(ROOT)), module.partition(":")[0]) for module in ours}
    # Modal reads this file by itself here; what its functions import is in their containers only.
    late = {pair for pair in late if pair[0] != "endpoint/modal_app.py"}
    assert {pair for pair in late if pair[1].count(".") == 1} <= LATE
    assert all(file == "backend/__init__.py" for file, _ in late)
    assert ("backend/__init__.py", "backend.embedded") in late


START = """
import json, socket, sys, time
contacted = []
def refuse(*given):
    contacted.append(str(given))
    raise OSError("no way out")
socket.socket.connect = socket.getaddrinfo = refuse
import app
loaded = sorted({name.partition(".")[0] for name in sys.modules})
from backend.scripted import ScriptedBackend
from backend.why import Reason, Why
app.create_app(ScriptedBackend(lambda *given: []), Why(Reason.NO_GPU, "embedded"), app.Settings())
time.sleep(1.0)
from gradio.analytics import analytics_enabled
print(json.dumps([loaded, contacted, analytics_enabled()]))
"""


def test_the_app_starts_without_a_model_library_and_contacts_nobody() -> None:
    plain = {name: value for name, value in os.environ.items() if "GRADIO" not in name}
    ended = subprocess.run(
        [sys.executable, "-c", START],
        cwd=ROOT,
        env=plain,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded, contacted, reporting = json.loads(ended.stdout)
    assert "gradio" in loaded
    heavy = {"torch", "transformers", "peft", "xllamacpp", "openai_harmony", "tests"}
    assert not set(loaded) & heavy
    assert contacted == []
    assert reporting is False


STUBS = """
import ast, inspect, sys
parsed = []
segment = ast.get_source_segment
ast.get_source_segment = lambda *given, **named: parsed.append(given) or segment(*given, **named)
exec(sys.argv[1])
import gradio
print(len(parsed), inspect.getfile(gradio.Chatbot))
"""


@pytest.mark.parametrize(("first", "written"), [("", True), ("import ui", False)])
def test_gradio_writes_stubs_for_editors_unless_our_page_is_imported_first(
    first: str, written: bool
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STUBS, first], cwd=ROOT, capture_output=True, text=True, check=True
    )
    parsed, place = ended.stdout.split()
    assert (int(parsed) > 50) is written
    assert (int(parsed) == 0) is not written
    assert place.endswith("chatbot.py")  # to everybody else, files are told as ever


def _late(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
