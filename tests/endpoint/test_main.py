"""The endpoint as its owner starts it, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from endpoint.__main__ import main
from tests.conftest import ROOT, Program
from tests.endpoint.conftest import QUESTION
from tests.test_app import free_port

CANARY = "canary-of-what-was-said"


@pytest.fixture
def junk(tmp_path: Path) -> str:
    """A model file that cannot be loaded, so that no test here waits for one that can."""
    path = tmp_path / "junk.gguf"
    path.write_text("no model")
    return str(path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_what_and_where_and_ends_in_order(program, junk: str, number: int) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    running: Program = program(
        *("-m", "endpoint", "--backend", "embedded", "--port", str(port)),
        EMBEDDED_MODEL=junk,
        HOST="0.0.0.0",  # noqa: S104
        PORT="7860",
    )
    assert "(embedded). BACKEND is embedded." in running.line("embedded")
    assert running.line("Listening") == f"Listening on {address}/v1 and {address}/generate"
    assert "junk.gguf" in running.line("The model cannot answer: ")
    assert httpx.get(f"{address}/health").status_code == 503
    asked = httpx.post(f"{address}/v1/chat/completions", json=QUESTION)
    assert (asked.status_code, asked.json()["error"]["code"]) == (503, "not_ready")
    assert "junk" not in asked.text
    running.signal(number)
    assert running.end(10.0) == 0
    assert "Traceback" not in "\n".join(running.err)


def test_the_key_comes_from_the_environment_and_a_flag_stands_over_it(program, junk: str) -> None:
    for flags, key in (((), "of-the-environment"), (("--api-key", "of-the-flag"), "of-the-flag")):
        port = free_port()
        running: Program = program(
            *("-m", "endpoint", "--backend", "embedded", "--port", str(port), *flags),
            EMBEDDED_MODEL=junk,
            ENDPOINT_API_KEY="of-the-environment",
        )
        running.line("Listening")
        models = f"http://127.0.0.1:{port}/v1/models"
        for given, status in ((key, 200), ("another", 401)):
            headers = {"authorization": f"Bearer {given}"}
            assert httpx.get(models, headers=headers).status_code == status
        running.signal(signal.SIGTERM)
        assert running.end(10.0) == 0
        assert "of-the-" not in "\n".join(running.out + running.err)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of whoever runs the tests, and no .env."""
    monkeypatch.setattr("endpoint.__main__.DOTENV", Path("/no/such/.env"))
    monkeypatch.setattr("endpoint.__main__.os.environ", {})


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104
def test_without_a_key_it_listens_on_this_machine_only(
    host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--backend", "embedded", "--host", host]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "ENDPOINT_API_KEY" in told.err


@pytest.mark.usefixtures("alone")
def test_it_does_not_answer_by_asking_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    itself = {"MODAL_ENDPOINT": "http://localhost:8000/v1"}
    monkeypatch.setattr("endpoint.__main__.os.environ", itself)
    assert main([]) == 2
    assert "MODAL_ENDPOINT" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["", "hunter2 ", "hunter2\n"])
def test_a_key_that_is_none_is_refused_and_not_repeated(
    key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--api-key", key])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "--api-key" in told
    assert "hunter2" not in told


@pytest.mark.model
def test_nothing_that_is_said_is_written_at_any_level_and_a_reply_in_progress_is_finished(
    program, model_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    port, folder = free_port(), tmp_path_factory.mktemp("t")
    running: Program = program(
        *("-m", "endpoint", "--backend", "embedded", "--port", str(port)),
        EMBEDDED_MODEL=str(model_path),
        LOG_LEVEL="DEBUG",
        TMPDIR=str(folder),
    )
    running.line("The model is ready")
    said = {"messages": [{"role": "user", "content": f"What is {CANARY}?"}], "stream": True}
    url = f"http://127.0.0.1:{port}/v1/chat/completions?{CANARY}"
    with httpx.stream("POST", url, json={**said, "max_tokens": 128}, timeout=60.0) as response:
        lines = response.iter_lines()
        next(lines)
        running.signal(signal.SIGTERM)
        told = [line for line in lines if line.startswith("data: ")]
    assert told[-1] == "data: [DONE]"
    assert json.loads(told[-2].removeprefix("data: "))["choices"][0]["finish_reason"] in (
        "stop",
        "length",
    )
    assert running.end(20.0) == 0
    written = "\n".join(running.out + running.err)
    assert "/v1/chat/completions 2xx" in written
    assert CANARY not in written
    for line in told[2:-3]:
        word = json.loads(line.removeprefix("data: "))["choices"][0]["delta"]
        text = (word.get("content") or word.get("reasoning") or "").strip()
        assert len(text) < 8 or text not in written
    assert list(folder.iterdir()) == []


START = """
import json, sys
import endpoint.__main__
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_it_needs_neither_the_page_nor_a_model_library_to_start() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", START],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(ended.stdout))
    assert "uvicorn" in loaded
    heavy = {"gradio", "torch", "transformers", "peft", "pandas", "numpy", "xllamacpp", "modal"}
    assert not loaded & (heavy | {"fastapi", "openai", "httpx", "tests"})
