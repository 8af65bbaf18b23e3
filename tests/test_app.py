"""The program as its owner starts it, in a process of its own, with a file that is no model."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import httpx
import pytest

from app import main
from tests.backend.conftest import model_path
from tests.conftest import ROOT, Program, wait_until
from ui.listening import addresses, listen

__all__ = ["model_path"]

APP = str(ROOT / "app.py")


def free_port() -> int:
    with listen("127.0.0.1", 0) as found:
        return found.getsockname()[1]


@pytest.fixture
def junk(tmp_path: Path) -> str:
    """A model file that cannot be loaded, so that no test here waits for one that can."""
    path = tmp_path / "junk.gguf"
    path.write_text("no model")
    return str(path)


def test_it_says_where_what_and_why_and_serves_though_the_model_cannot(program, junk: str) -> None:
    port = free_port()
    running: Program = program(APP, EMBEDDED_MODEL=junk, BACKEND="embedded", PORT=str(port))
    assert "(embedded). BACKEND is embedded." in running.line("embedded")
    assert running.line("Open ") == f"Open http://localhost:{port}"
    assert "junk.gguf" in running.line("The model cannot answer: ")
    address = f"http://127.0.0.1:{port}"
    assert httpx.get(f"{address}/healthz").status_code == 200
    assert httpx.get(f"{address}/readyz").status_code == 503
    page = httpx.get(address)
    assert page.status_code == 200
    assert "junk.gguf" not in page.text
    running.signal(signal.SIGTERM)
    assert running.end(10.0) == 0
    assert "Traceback" not in "\n".join(running.err)
    assert not [line for line in running.out if "closed" in line]


def taken_signals(process: int) -> int:
    """The set of signals that a process handles itself, one bit each."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("SigCgt:")[2].split()[0], 16)


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a path short enough for the socket of llama.cpp to be made in it."""
    return tmp_path_factory.mktemp("t")


@pytest.mark.model
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["first", 0.5, 1.0, 1.5, 2.0, 3.0, "embedded", "Open ", "ready"])
def test_a_signal_at_any_moment_ends_it_in_order_and_leaves_nothing(
    program, model_path: Path, short: Path, moment: str | float, number: signal.Signals
) -> None:
    running: Program = program(
        *(APP, "--backend", "embedded", "--port", str(free_port())),
        EMBEDDED_MODEL=str(model_path),
        TMPDIR=str(short),
    )
    wait_until(lambda: taken_signals(running.process.pid) >> signal.SIGTERM - 1 & 1 == 1, 20.0)
    if isinstance(moment, float):
        time.sleep(moment)
    elif moment != "first":
        running.line(moment)
    if moment == "ready":
        assert list(short.glob("medicalgpt-*"))
    running.signal(number)
    # Before it serves, Ctrl-C ends it as a shell expects; then it is as good as SIGTERM.
    served = any(line.startswith("Open ") for line in running.out)
    codes = {0} if number == signal.SIGTERM or served else {0, 130}
    assert running.end(20.0) in codes
    assert "Traceback" not in "\n".join(running.err)
    assert not [line for line in running.out if "cannot answer" in line]
    assert list(short.iterdir()) == []


@pytest.mark.model
def test_a_second_ctrl_c_ends_it_at_once_and_leaves_nothing(
    program, visitor, model_path: Path, short: Path
) -> None:
    running: Program = program(
        *(APP, "--backend", "embedded", "--port", str(free_port())),
        EMBEDDED_MODEL=str(model_path),
        TMPDIR=str(short),
    )
    address = running.line("Open ").removeprefix("Open ")
    running.line("The model is ready")
    updates = visitor(address).ask("What is a stroke?")
    next(each for each in updates if each["msg"] == "process_generating")  # its run is going
    running.signal(signal.SIGINT)
    running.line("stopping; 1 replies")
    began = time.monotonic()
    running.signal(signal.SIGINT)
    assert running.end(10.0) == 130
    assert time.monotonic() - began < 3.0
    assert "Traceback" not in "\n".join(running.err)
    assert list(short.iterdir()) == []


def test_a_port_in_use_is_one_line_and_exit_1(program, junk: str) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        running: Program = program(
            APP, "--backend", "embedded", "--port", str(port), EMBEDDED_MODEL=junk
        )
        assert running.end(40.0) == 1
    assert running.out == []
    assert running.err == [
        f"Port {port} is in use. Stop what uses it, or choose another with --port."
    ]


def test_a_wrong_setting_is_one_line_and_no_stack(program) -> None:
    running: Program = program(APP, BACKEND="cloud")
    assert running.end(40.0) == 2
    assert running.out == []
    assert len(running.err) == 1


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"BACKEND": "remote"}, "MODAL_ENDPOINT"),
        ({"BACKEND": "cloud"}, "BACKEND"),
        ({"MODAL_ENDPOINT": "http://example.org/v1"}, "MODAL_ENDPOINT"),
        ({"MODAL_ENDPOINT": "https://user:hunter2@example.org/v1"}, "MODAL_ENDPOINT"),
        ({"MODAL_KEY": "hunter2 "}, "MODAL_KEY"),
        ({"PORT": "http"}, "PORT"),
        ({"EMBEDDED_ADAPTER": "/no/such/adapter.gguf"}, "EMBEDDED_ADAPTER"),
    ],
)
def test_a_wrong_setting_is_named_its_secret_is_not_and_the_exit_code_is_2(
    environ: dict[str, str],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("app.os.environ", environ)
    monkeypatch.setattr("app.DOTENV", Path("/no/such/.env"))
    assert main([]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert named in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("module", "name"), [("rules", "FILE"), ("rules", "TURKISH"), ("answer_rules", "FILE")]
)
def test_a_fault_in_the_rules_is_one_sentence_before_anything_is_served(
    module: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken = tmp_path / "rules.toml"
    broken.write_text("[[rule]", "utf-8")
    read = sys.modules[f"safety.{module}"]
    monkeypatch.setattr(read, name, broken)
    monkeypatch.setattr(read, "load", read.load.__wrapped__)
    monkeypatch.setattr("app.configure_logging", lambda level: None)  # the tests' own stays
    monkeypatch.setattr("app.os.environ", {})
    monkeypatch.setattr("app.DOTENV", Path("/no/such/.env"))
    assert main([]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "not valid TOML" in told


@pytest.mark.parametrize("flags", [["--port", "0"], ["--port", "x"], ["--backend", "cloud"]])
def test_a_wrong_flag_is_refused(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(flags)
    assert ended.value.code == 2
    assert flags[0] in capsys.readouterr().err


def test_a_flag_stands_over_the_environment_and_port_alone_opens_to_nobody(
    program, junk: str
) -> None:
    port = free_port()
    running: Program = program(
        APP, "--port", str(port), "--backend", "embedded", EMBEDDED_MODEL=junk, BACKEND="remote"
    )
    assert running.line("Open ") == f"Open http://127.0.0.1:{port}"


def test_the_addresses_are_ones_a_browser_can_open() -> None:
    assert addresses("127.0.0.1", 7860) == ["http://127.0.0.1:7860"]
    assert addresses("0.0.0.0", 80) == ["http://localhost:80"]  # noqa: S104
    assert addresses("::", 80) == ["http://localhost:80"]
    assert addresses("::1", 7860) == ["http://[::1]:7860"]
