"""What `modal deploy endpoint/modal_app.py` asks Modal for, heard on a socket. No account, no key.

What cannot be known without an account: whether the image builds, and how Modal runs it.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from modal_proto.api_pb2 import WEBHOOK_TYPE_ASGI_APP

from endpoint import vllm_command as vllm
from endpoint.allowed import Refusal
from endpoint.generate import AskFailed
from endpoint.modal_app import finished
from tests.conftest import ROOT
from tests.endpoint.modal_service import ModalService, listening

CANARY = "wk-canary-secret"


def deploy(home: Path, *arguments: str, **environ: str) -> tuple[ModalService, str]:
    """The service after a deployment with `environ`, and what the terminal said."""
    with listening() as service:
        ran = subprocess.run(
            [sys.executable, "-m", "modal", *(arguments or ("deploy", "endpoint/modal_app.py"))],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "MODAL_SERVER_URL": service.address,
                "MODAL_TOKEN_ID": "ak-none",
                "MODAL_TOKEN_SECRET": "as-none",
                "MODAL_IMAGE_BUILDER_VERSION": "2026.10",
                "MODAL_KEY": CANARY,
                "MODAL_SECRET": CANARY,
                "HF_TOKEN": CANARY,
                **environ,
            },
            capture_output=True,
            text=True,
            timeout=60.0,
            check=False,
        )
    service.returned = ran.returncode
    return service, ran.stdout + ran.stderr


def functions(service: ModalService) -> dict[str, Any]:
    created = service.asked["FunctionCreate"]
    return {each.function.function_name: each.function for each in created}


def image_commands(service: ModalService) -> str:
    images = service.asked["ImageGetOrCreate"]
    return "\n".join(line for each in images for line in each.image.dockerfile_commands)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> ModalService:
    service, said = deploy(tmp_path_factory.mktemp("home"))
    assert service.returned == 0, said
    return service


def test_the_command_of_the_readme_deploys_a_class_and_a_function(deployed: ModalService) -> None:
    assert set(functions(deployed)) == {"Serve.*", "generate"}
    assert set(functions(deployed)["Serve.*"].method_definitions) == {"serve", "answer", "awake"}
    assert len(deployed.asked["AppPublish"]) == 1


def test_serve_has_one_cheap_gpu_at_most_and_none_while_nobody_asks(deployed: ModalService) -> None:
    serve = functions(deployed)["Serve.*"]
    assert (serve.resources.gpu_config.gpu_type, serve.resources.gpu_config.count) == ("L4", 1)
    limits = serve.autoscaler_settings
    assert (limits.min_containers, limits.max_containers, limits.scaledown_window) == (0, 1, 300)
    assert limits.buffer_containers == 0
    assert serve.retry_policy.retries == 0
    assert (serve.timeout_secs, serve.startup_timeout_secs) == (600, 1200)
    assert serve.max_concurrent_inputs == vllm.AT_ONCE + vllm.WAITING
    assert serve.target_concurrent_inputs == vllm.AT_ONCE
    assert not serve.checkpointing_enabled


def test_serve_is_asked_only_with_a_key_and_only_through_the_gateway(
    deployed: ModalService,
) -> None:
    methods = functions(deployed)["Serve.*"].method_definitions
    web = methods["serve"].webhook_config
    assert web.requires_proxy_auth
    assert web.type == WEBHOOK_TYPE_ASGI_APP
    assert web.requested_suffix == "medicalgpt-serve"
    assert not any(methods[name].webhook_config.type for name in ("answer", "awake"))


def test_generate_holds_no_gpu_and_asks_for_a_key(deployed: ModalService) -> None:
    generate = functions(deployed)["generate"]
    assert generate.resources.gpu_config.count == 0
    assert generate.resources.gpu_config.gpu_type == ""
    assert generate.volume_mounts == []
    assert generate.webhook_config.requires_proxy_auth
    assert generate.webhook_config.requested_suffix == "medicalgpt-generate"
    assert generate.autoscaler_settings.max_containers == 1
    # It waits for a cold start and a reply, one after the other.
    serve = functions(deployed)["Serve.*"]
    assert generate.timeout_secs >= serve.startup_timeout_secs + serve.timeout_secs


def test_weights_are_on_a_volume_that_serve_cannot_change(deployed: ModalService) -> None:
    mounts = {each.mount_path: each for each in functions(deployed)["Serve.*"].volume_mounts}
    assert set(mounts) == {"/models", "/cache"}
    assert mounts["/models"].volume_id == "vo-medicalgpt-models"
    assert mounts["/models"].read_only
    assert not mounts["/cache"].read_only


def test_the_image_has_the_pinned_vllm_and_is_told_to_stay_offline(deployed: ModalService) -> None:
    commands = image_commands(deployed)
    assert f"vllm=={vllm.VERSION}" in commands
    for name, value in vllm.environment("/cache", "/opt/harmony").items():
        assert f"ENV {name}={value}" in commands
    assert "VLLM_SERVER_DEV_MODE" not in commands


def test_the_small_image_has_the_versions_that_the_tests_ran_with(deployed: ModalService) -> None:
    commands = image_commands(deployed)
    for package in ("starlette", "httpx"):
        assert f"{package}=={version(package)}" in commands


def test_the_containers_get_our_sources_and_settings_and_no_key(deployed: ModalService) -> None:
    files = {file.filename for each in deployed.asked["MountGetOrCreate"] for file in each.files}
    assert {"/root/modal_app.py", "/root/endpoint/gateway.py", "/root/chat/harmony.py"} <= files
    assert not [file for file in files if "tests" in file or ".env" in file]
    for request in deployed.asked["SecretGetOrCreate"]:
        assert dict(request.env_dict) == {
            "SERVE_MODEL_FOLDER": "medicalgpt",
            "SERVE_ADAPTER_FOLDER": "",
            "SERVE_MODEL_NAME": "medicalgpt",
            "SERVE_SNAPSHOT": "off",
        }
    sent = "".join(str(request) for requests in deployed.asked.values() for request in requests)
    assert CANARY not in sent


def test_every_setting_is_read_when_it_is_deployed(tmp_path: Path) -> None:
    service, said = deploy(
        tmp_path,
        SERVE_GPU="L40S",
        SERVE_MAX_CONTAINERS="3",
        SERVE_IDLE_SECONDS="60",
        SERVE_MODEL_FOLDER="base",
        SERVE_ADAPTER_FOLDER="adapter",
        SERVE_MODEL_NAME="mine",
        SERVE_SNAPSHOT="on",
        GENERATE_PUBLIC="on",
    )
    assert service.returned == 0, said
    serve, generate = functions(service)["Serve.*"], functions(service)["generate"]
    assert serve.resources.gpu_config.gpu_type == "L40S"
    assert serve.autoscaler_settings.max_containers == 3
    assert serve.autoscaler_settings.scaledown_window == 60
    assert serve.checkpointing_enabled
    assert serve.experimental_options["enable_gpu_snapshot"] == "True"
    assert serve.method_definitions["serve"].webhook_config.requires_proxy_auth
    assert not generate.webhook_config.requires_proxy_auth
    assert "ENV VLLM_SERVER_DEV_MODE=1" in image_commands(service)
    baked = dict(service.asked["SecretGetOrCreate"][0].env_dict)
    assert baked["SERVE_MODEL_FOLDER"] == "base"
    assert baked["SERVE_ADAPTER_FOLDER"] == "adapter"


@pytest.mark.parametrize(
    ("name", "value"), [("SERVE_MAX_CONTAINERS", "many"), ("GENERATE_PUBLIC", "yes")]
)
def test_a_wrong_setting_deploys_nothing_and_says_why(
    tmp_path: Path, name: str, value: str
) -> None:
    service, said = deploy(tmp_path, **{name: value})
    assert service.returned != 0
    assert f"{name} is '{value}'; it must be" in said
    assert service.asked["FunctionCreate"] == []


def test_the_local_entry_point_is_found(tmp_path: Path) -> None:
    service, said = deploy(tmp_path, "run", "endpoint/modal_app.py::ask", "--help")
    assert service.returned == 0, said
    assert "--question" in said
    assert "--url" in said


class Call:
    """Stands for `modal.FunctionCall`, which takes an account: a call that never ends."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.get = self.cancel = self
        self.cancelled = False
        self._fails = fails
        self._begun = False

    async def aio(self) -> None:
        if self._begun:
            self.cancelled = True
            return
        self._begun = True
        if self._fails:
            raise self._fails
        await asyncio.Event().wait()


def test_a_call_is_cancelled_with_whoever_waits_for_it() -> None:
    async def leave(call: Call) -> None:
        waiting = asyncio.ensure_future(finished(call))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    call = Call()
    asyncio.run(leave(call))
    assert call.cancelled


def test_what_breaks_at_modal_is_a_failure_without_its_words() -> None:
    with pytest.raises(AskFailed, match=r"^ValueError$"):
        asyncio.run(finished(Call(ValueError("what was said"))))
    with pytest.raises(Refusal, match="Too long"):
        asyncio.run(finished(Call(Refusal(400, "Too long."))))
