"""How vLLM is started and watched. The names of its flags are checked by a script, by hand."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from endpoint.check_vllm_flags import ARGUMENTS, FRONTEND, Wheel, flags
from endpoint.vllm_command import Served, command, environment
from endpoint.vllm_process import VllmProcess

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    asked = []
    def do_GET(self):
        self.asked.append(self.path)
        self.send_response(200 if len(self.asked) > 2 else 503)
        self.end_headers()
    def do_POST(self):
        self.send_response(200 if self.path in ("/sleep?level=1", "/wake_up") else 404)
        self.end_headers()
    def log_message(self, *given): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_a_merged_checkpoint_is_served_on_loopback_under_its_one_name() -> None:
    words = command(Served("/models/m", "medicalgpt"))
    assert words[:3] == ["vllm", "serve", "/models/m"]
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert words[words.index("--served-model-name") + 1] == "medicalgpt"
    assert words[words.index("--load-format") + 1] == "safetensors"
    assert words[words.index("--reasoning-parser") + 1] == "openai_gptoss"
    assert "--no-enable-log-requests" in words
    assert not {"--trust-remote-code", "--enable-lora", "--enable-sleep-mode"} & set(words)


def test_a_base_with_an_adapter_has_a_name_for_each() -> None:
    words = command(Served("/models/base", "medicalgpt", adapter="/models/adapter"))
    assert words[words.index("--served-model-name") + 1] == "medicalgpt-base"
    assert words[words.index("--lora-modules") + 1] == "medicalgpt=/models/adapter"


def test_its_process_is_offline_tells_nobody_and_has_no_dev_mode_but_for_snapshots() -> None:
    plain = environment("/cache", "/harmony")
    assert plain["HF_HUB_OFFLINE"] == plain["VLLM_NO_USAGE_STATS"] == "1"
    assert plain["VLLM_MAX_N_SEQUENCES"] == "1"
    assert "VLLM_SERVER_DEV_MODE" not in plain
    assert environment("/c", "/h", sleeps=True)["VLLM_SERVER_DEV_MODE"] == "1"
    assert "--enable-sleep-mode" in command(Served("/m", "m", sleeps=True))


@pytest.fixture
def port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def test_a_process_is_ready_once_its_health_is_good_and_sleeps_and_wakes(port: int) -> None:
    server = VllmProcess([sys.executable, "-c", SERVER, str(port)], f"http://127.0.0.1:{port}")
    ended = threading.Event()
    server.when_it_ends(ended.set)
    server.wait_until_ready(20.0)
    server.sleep()
    server.wake()
    server.stop()
    assert not ended.wait(0.5)  # stopped is not ended


def test_a_process_that_ends_while_starting_is_told_at_once(port: int) -> None:
    server = VllmProcess([sys.executable, "-c", "exit(3)"], f"http://127.0.0.1:{port}")
    with pytest.raises(RuntimeError, match="ended with 3"):
        server.wait_until_ready(20.0)


def test_a_process_that_never_answers_is_given_up(port: int) -> None:
    server = VllmProcess(
        [sys.executable, "-c", "import time; time.sleep(60)"], f"http://127.0.0.1:{port}"
    )
    with pytest.raises(RuntimeError, match="not ready after 1 s"):
        server.wait_until_ready(1.0)
    server.stop()


def test_a_process_that_ends_by_itself_later_is_told() -> None:
    ended = threading.Event()
    server = VllmProcess(
        [sys.executable, "-c", "import time; time.sleep(60)"], "http://127.0.0.1:1"
    )
    server.when_it_ends(ended.set)
    os.kill(server._process.pid, 9)  # pyright: ignore[reportPrivateUsage]
    assert ended.wait(5.0)


def test_the_script_finds_flags_in_a_wheel_and_misses_what_is_not_there(tmp_path: Path) -> None:
    wheel = tmp_path / "vllm.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(ARGUMENTS, 'group.add_argument("--max-model-len", **kwargs)\n"--not-one"')
        archive.writestr(FRONTEND, "class FrontendArgs:\n    api_key: str\n    def host(self): ...")
    assert set(flags(Wheel(wheel))) == {"--max-model-len", "--api-key"}


def test_the_script_refuses_another_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / "vllm.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("other", "")
    ran = subprocess.run(
        [sys.executable, "-m", "endpoint.check_vllm_flags", str(wheel)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "not the wheel" in ran.stdout
