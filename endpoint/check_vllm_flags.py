"""Is every vLLM name that we use in the pinned wheel? Run by hand, not in CI.

    python -m endpoint.check_vllm_flags [WHEEL]

Downloads the wheel (336 MB) with pip unless given one, reads it as a zip without importing any
of it, prints where each flag and variable is declared, and exits with 1 if one is not.
"""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from endpoint import vllm_command as vllm
from endpoint.allowed import FORWARDED

ARGUMENTS = "vllm/engine/arg_utils.py"
FRONTEND = "vllm/entrypoints/common/cli_args.py"
VARIABLES = "vllm/envs.py"
PARSERS = "vllm/reasoning/__init__.py"
STREAM = "vllm/entrypoints/generate/base/protocol.py"
REQUEST = "vllm/entrypoints/openai/chat_completion/protocol.py"
ROUTES = {
    "/health": "vllm/entrypoints/serve/instrumentator/health.py",
    "/v1/models": "vllm/entrypoints/openai/models/api_router.py",
    "/v1/chat/completions": "vllm/entrypoints/openai/chat_completion/api_router.py",
    "/sleep": "vllm/entrypoints/serve/dev/sleep/api_router.py",
    "/wake_up": "vllm/entrypoints/serve/dev/sleep/api_router.py",
}


class Wheel:
    """The sources inside a wheel, by path."""

    def __init__(self, file: Path) -> None:
        self._zip = zipfile.ZipFile(file)
        self._trees: dict[str, ast.Module] = {}

    def text(self, path: str) -> str:
        return self._zip.read(path).decode("utf-8")

    def tree(self, path: str) -> ast.Module:
        if path not in self._trees:
            self._trees[path] = ast.parse(self.text(path))
        return self._trees[path]


def flags(wheel: Wheel) -> dict[str, str]:
    """Flag to `file:line`: literal `add_argument("--…")` and the frontend's dataclass fields."""
    found: dict[str, str] = {}
    for node in ast.walk(wheel.tree(ARGUMENTS)):
        match node:
            case ast.Call(func=ast.Attribute(attr="add_argument"), args=names):
                for name in names:
                    if isinstance(name, ast.Constant) and str(name.value).startswith("--"):
                        found[str(name.value)] = f"{ARGUMENTS}:{name.lineno}"
            case _:
                pass
    for node in ast.walk(wheel.tree(FRONTEND)):
        if isinstance(node, ast.ClassDef) and node.name.endswith("FrontendArgs"):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    flag = "--" + field.target.id.replace("_", "-")
                    found[flag] = f"{FRONTEND}:{field.lineno}"
    return found


def fields(wheel: Wheel, path: str, name: str) -> set[str]:
    """The annotated fields of class `name`."""
    for node in ast.walk(wheel.tree(path)):
        if isinstance(node, ast.ClassDef) and node.name == name:
            targets = [each.target for each in node.body if isinstance(each, ast.AnnAssign)]
            return {target.id for target in targets if isinstance(target, ast.Name)}
    return set()


def check(wheel: Wheel) -> dict[str, str | None]:
    """Each name that we use, and where it is declared; None where it is not."""
    served = vllm.Served("/models/m", "m", sleeps=True)
    lora = vllm.Served("/models/m", "m", adapter="/models/a")
    used = [word for each in (served, lora) for word in vllm.command(each) if word[:2] == "--"]
    known = flags(wheel)
    where: dict[str, str | None] = {}
    for flag in dict.fromkeys(used):
        # argparse.BooleanOptionalAction makes `--no-x` of `--x`.
        where[flag] = known.get(flag) or known.get(flag.replace("--no-", "--", 1))
    declared = wheel.text(VARIABLES)
    for name in vllm.environment("", "", sleeps=True):
        if name.startswith("VLLM_"):
            here = re.search(rf'^    "{name}":', declared, re.MULTILINE)
            where[name] = VARIABLES if here else None
    parsers = re.search(r'^    "openai_gptoss":', wheel.text(PARSERS), re.MULTILINE)
    where["reasoning parser openai_gptoss"] = PARSERS if parsers else None
    for field in ("reasoning", "reasoning_content"):
        is_there = field in fields(wheel, STREAM, "DeltaMessage")
        where[f"delta.{field}"] = STREAM if is_there else None
    request = fields(wheel, REQUEST, "ChatCompletionRequest")
    for field in sorted(FORWARDED):
        where[f"request.{field}"] = REQUEST if field in request else None
    for route, path in ROUTES.items():
        where[route] = path if re.search(rf'"{route}"', wheel.text(path)) else None
    return where


EXPECTED_ABSENT = {"delta.reasoning_content"}  # removed by vLLM #33402; clients read `reasoning`


def main(given: Path | None) -> int:
    with tempfile.TemporaryDirectory() as folder:
        file = given or _download(Path(folder))
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        print(f"{file.name}\nsha256 {digest}")
        if digest != vllm.WHEEL_SHA256:
            print("This is not the wheel that WHEEL_SHA256 in endpoint/vllm_command.py names.")
            return 1
        return 1 if check_and_print(Wheel(file)) else 0


def check_and_print(wheel: Wheel) -> int:
    """Print a line for each name; gives how many are missing."""
    where = check(wheel)
    for name, place in where.items():
        print(f"{name:40} {place or 'NOT FOUND'}")
    missing = {name for name, place in where.items() if place is None} - EXPECTED_ABSENT
    print(f"{len(where)} names, {len(missing)} missing: {', '.join(sorted(missing)) or 'none'}")
    return len(missing)


def _download(folder: Path) -> Path:
    platforms = [f"--platform=manylinux_2_{minor}_x86_64" for minor in (28, 31, 34, 35)]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"),
            *(*platforms, "--python-version=3.12", "--implementation=cp"),
            *("--abi=abi3", "--abi=cp312", f"vllm=={vllm.VERSION}", "-d", str(folder)),
        ],
        check=True,
    )
    return next(folder.glob("vllm-*.whl"))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
