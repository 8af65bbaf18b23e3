"""What `modal run endpoint/modal_app.py::train` and `::prepare` ask Modal for, heard on a socket.

That the commands which they run do their work is tested in `tests/training/test_modal_bodies.py`.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from endpoint.modal_training import BASE_REVISION, PACKAGES, merging, training
from tests.conftest import ROOT
from tests.endpoint.modal_service import ModalService
from tests.endpoint.test_modal_app import CANARY, deploy, functions, image_commands
from training.recipe import read_recipe

APP, COMMIT = "endpoint/modal_app.py", "a" * 40
CARD = ROOT / "training" / "recipe.yaml"


def called(service: ModalService) -> tuple[Any, ...]:
    """What the function was called with."""
    (asked,) = service.asked["FunctionMap"]
    return pickle.loads(asked.pipelined_inputs[0].input.args)[0]  # noqa: S301


def given_secrets(service: ModalService) -> list[str]:
    return [name for asked in service.asked["SecretGetOrCreate"] if (name := asked.deployment_name)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ModalService:
    service, said = deploy(tmp_path_factory.mktemp("home"), "run", f"{APP}::train")
    assert service.returned == 0, said
    return service


def test_training_rents_one_large_gpu_for_a_day_at_most_and_is_tried_again(
    run: ModalService,
) -> None:
    train = functions(run)["train_on_gpu"]
    assert train.resources.gpu_config.gpu_type == "A100-80GB"
    assert train.resources.gpu_config.count == 1
    assert train.resources.memory_mb >= 32_000
    assert train.timeout_secs == 24 * 3_600
    assert train.retry_policy.retries == 5
    assert train.autoscaler_settings.max_containers == 1
    assert train.webhook_config.type == 0, "nobody can start it from outside"


def test_the_run_is_on_a_volume_so_that_another_try_goes_on(run: ModalService) -> None:
    (mount,) = functions(run)["train_on_gpu"].volume_mounts
    assert (mount.mount_path, mount.volume_id) == ("/runs", "vo-medicalgpt-runs")
    assert not mount.read_only
    words, recipe, text, commit = called(run)
    assert words == ["-m", "training.train", "/runs/recipe/recipe.yaml", "--out", "/runs/recipe"]
    assert (recipe, text) == ("/runs/recipe/recipe.yaml", CARD.read_text("utf-8"))
    assert re.fullmatch("[0-9a-f]{40}", commit)


def test_no_token_goes_to_modal_unless_something_is_pushed(
    run: ModalService, tmp_path: Path
) -> None:
    assert given_secrets(run) == []
    service, said = deploy(tmp_path, "run", f"{APP}::train", "--push", "somebody/adapter")
    assert service.returned == 0, said
    assert called(service)[0][-2:] == ["--push", "somebody/adapter"]
    (options,) = service.asked["FunctionBindParams"]
    assert list(options.function_options.secret_ids) == ["st-medicalgpt-hub"]
    sent = "".join(str(request) for asked in service.asked.values() for request in asked)
    assert CANARY not in sent


def test_preparing_needs_no_gpu_and_writes_where_serve_reads(tmp_path: Path) -> None:
    words = ("--adapter-revision", COMMIT)
    service, said = deploy(tmp_path, "run", f"{APP}::prepare", *words)
    assert service.returned == 0, said
    prepare = functions(service)["prepare_on_cpu"]
    assert prepare.resources.gpu_config.count == 0
    assert 3_000 <= prepare.resources.memory_mb <= 8_192
    assert prepare.timeout_secs == 2 * 3_600
    mounts = {each.mount_path: each for each in prepare.volume_mounts}
    assert mounts["/models"].volume_id == "vo-medicalgpt-models"
    assert not mounts["/models"].read_only
    assert mounts["/runs"].read_only
    assert given_secrets(service) == []
    assert called(service) == (
        [
            "-m", "training.merge", "--out", "/models/medicalgpt",
            "--base", "openai/gpt-oss-20b", "--base-revision", BASE_REVISION,
            "--adapter", "dousery/medical-reasoning-gpt-oss-20b", "--adapter-revision", COMMIT,
        ],
    )  # fmt: skip


def test_the_adapter_of_a_run_and_a_private_one_can_be_prepared(tmp_path: Path) -> None:
    words = ("--run", "medical", "--folder", "mine", "--private")
    service, said = deploy(tmp_path, "run", f"{APP}::prepare", *words)
    assert service.returned == 0, said
    (asked,) = called(service)
    assert asked[asked.index("--adapter") :] == ["--adapter", "/runs/medical/adapter"]
    assert asked[asked.index("--out") + 1] == "/models/mine"
    assert given_secrets(service) == ["medicalgpt-hub"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("prepare",), "--adapter-revision is ''; it must be the 40 hex digits"),
        (("prepare", "--run", "x", "--base-revision", "main"), "--base-revision is 'main'"),
        (("prepare", "--run", "../x"), "'../x' is no name of a folder"),
        (("train", "--recipe", "gone.yaml"), "gone.yaml cannot be read"),
    ],
)
def test_what_is_not_pinned_or_not_there_is_refused_before_anything_is_called(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    service, printed = deploy(tmp_path, "run", f"{APP}::{words[0]}", *words[1:])
    assert service.returned not in (0, None)
    assert said in printed
    assert "Traceback" not in printed
    assert service.asked["FunctionMap"] == []


def test_several_gpus_are_launched_as_such() -> None:
    out = Path("/runs/x")
    assert training(out / "x.yaml", out, gpu="H100:2")[:5] == [
        "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
    ]  # fmt: skip
    assert merging(["owner/base", COMMIT], ["/runs/x/adapter"], out)[-1] == "/runs/x/adapter"


def test_the_image_has_the_project_s_own_pins_and_its_recipes(run: ModalService) -> None:
    pins = "".join(
        (ROOT / f"requirements{name}.txt").read_text("utf-8") for name in ("", "-local", "-train")
    )
    for package in PACKAGES:
        assert f"{package}\n" in pins
        assert package in image_commands(run)
    files = {file.filename for each in run.asked["MountGetOrCreate"] for file in each.files}
    wanted = {"train.py", "merge.py", "recipe.yaml", "emergencies.jsonl"}
    assert {f"/root/training/{name}" for name in wanted} <= files
    assert "/root/chat/conversation.py" in files
    assert not [file for file in files if "tests" in file or file.endswith(".md")]


def test_the_base_is_the_one_that_the_recipe_trains_on() -> None:
    pytest.importorskip("yaml")
    base = read_recipe(CARD).base
    assert (base.model, base.revision) == ("openai/gpt-oss-20b", BASE_REVISION)
