"""The public tunnel where there is no connection: the real thing, its way out shut."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import httpx

from tests.conftest import ROOT
from tests.test_app import free_port
from ui import share

SHUT = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")


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


def test_the_page_does_not_wait_for_the_relay() -> None:
    told: list[str] = []
    tunnel = share.Tunnel("127.0.0.1", 1, told.append)
    began = time.monotonic()
    tunnel.start()
    assert time.monotonic() - began < 0.5
    tunnel.close()
