"""The public tunnel: the program where there is no way out, and `Tunnel` with a relay of ours."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from tests.conftest import ROOT, wait_until
from tests.test_app import free_port
from ui import share

SHUT = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")
SHUT |= {"NO_PROXY": "", "no_proxy": ""}  # nobody is reached around the proxy
URL = "https://0123456789abcdef.gradio.live"


class Relay:
    """In place of Gradio's: a process that stands for its tunnel, and an address, in a while."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.let_go = threading.Event()
        self.processes: list[subprocess.Popen[bytes]] = []

    def setup_tunnel(self, host: str, port: int, token: str, *rest: None) -> str:
        assert len(token) > 40
        self.asked.append((host, port))
        self.let_go.wait(20.0)
        self.processes.append(subprocess.Popen(["sleep", "60"]))
        share.tunneling.CURRENT_TUNNELS.append(SimpleNamespace(proc=self.processes[-1]))  # type: ignore[arg-type]
        return URL


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    one = Relay()
    monkeypatch.setattr(share.networking, "setup_tunnel", one.setup_tunnel)
    monkeypatch.setattr(share.tunneling, "CURRENT_TUNNELS", [])
    yield one
    one.let_go.set()
    for process in one.processes:
        process.kill()
        process.wait()


def test_offline_share_is_one_line_and_the_page_goes_on(program, tmp_path: Path) -> None:
    model = tmp_path / "junk.gguf"
    model.write_text("no model")
    port = str(free_port())
    running = program(
        *(str(ROOT / "app.py"), "--backend", "embedded", "--port", port, "--share"),
        EMBEDDED_MODEL=str(model),
        HF_HOME=str(tmp_path),
        **SHUT,
    )
    running.line("Open http://")
    assert running.line("No public address") == share.FAILED
    assert httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).text == "ok"
    running.signal(signal.SIGTERM)
    assert running.end(10.0) == 0
    assert "Traceback" not in "\n".join(running.err)


def test_the_address_is_told_and_the_tunnel_ends_with_its_close(relay: Relay) -> None:
    told: list[str] = []
    tunnel = share.Tunnel("127.0.0.1", 7860, told.append)
    relay.let_go.set()
    tunnel.start()
    wait_until(lambda: bool(told), 5.0)
    assert told == [share.OPENED.format(url=URL)]
    assert relay.asked == [("127.0.0.1", 7860)]
    [process] = relay.processes
    assert process.poll() is None
    tunnel.close()
    assert process.poll() == -signal.SIGTERM
    tunnel.close()
    assert told == [share.OPENED.format(url=URL)]


def test_the_page_does_not_wait_for_the_relay_and_a_late_tunnel_is_ended(relay: Relay) -> None:
    told: list[str] = []
    tunnel = share.Tunnel("127.0.0.1", 7860, told.append)
    began = time.monotonic()
    tunnel.start()
    tunnel.close()
    assert time.monotonic() - began < 0.5
    relay.let_go.set()
    wait_until(lambda: bool(relay.processes), 5.0)
    assert relay.processes[0].wait(5.0) == -signal.SIGTERM
    assert told == []
