"""Starting, ending, and staying up: signals, a full disk, idle connections."""

from __future__ import annotations

import concurrent.futures
import contextlib
import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from backend.scripted import ScriptedBackend
from tests.conftest import Program, Serve, wait_until
from tests.serve_scripted import Pattern, script
from tests.visitor import Visitor, shown
from ui import listening
from ui.listening import CannotListen, listen
from ui.words import ENGLISH as words

PATIENT = ("slow", "--rate", "5", "--reasoning", "2", "--answer", "300")


def scripted(program, *arguments: str) -> tuple[Program, str]:
    running = program("-m", "tests.serve_scripted", *arguments)
    return running, running.line("http://")


def first_token(updates) -> list[dict]:
    """Read until the page shows text of the model."""
    seen = []
    for update in updates:
        seen.append(update)
        if "thought0" in shown([update]):
            return seen
    raise AssertionError("no token came")


def test_sigterm_lets_five_streams_finish_and_exits_0(program, visitor) -> None:
    """Row 78, with 4 seconds left."""
    running, address = scripted(program, "slow", "--rate", "20", "--answer", "60")
    people = [visitor(address) for _ in range(5)]
    streams = [one.ask("What is a stroke?") for one in people]
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        list(pool.map(first_token, streams))
        running.signal(signal.SIGTERM)
        ends = list(pool.map(list, streams))
    for end in ends:
        assert "word59" in shown(end)
        assert "100 tokens" in shown(end)
    assert running.end(10.0) == 0
    assert running.out[-1] == "asked 5 open 0"


def test_sigterm_cuts_what_is_not_done_in_time_says_so_and_exits_0(program, visitor) -> None:
    """Row 79, at a limit of 2 s."""
    running, address = scripted(program, *PATIENT, "--drain", "2")
    updates = visitor(address).ask("What is a stroke?")
    first_token(updates)
    began = time.monotonic()
    running.signal(signal.SIGTERM)
    end = shown(list(updates))
    assert words.CUT.partition(" (ref")[0] in end
    assert running.end(10.0) == 0
    assert 2.0 < time.monotonic() - began < 6.0


def test_while_it_drains_it_serves_but_takes_no_question(program, visitor) -> None:
    running, address = scripted(program, "slow", "--rate", "20", "--answer", "60")
    one, late = visitor(address), visitor(address)
    updates = one.ask("What is a stroke?")
    first_token(updates)
    running.signal(signal.SIGTERM)
    wait_until(lambda: one.http.get("/readyz").status_code == 503, 3.0)
    assert one.http.get("/healthz").status_code == 200
    assert words.RESTARTING in shown(list(late.ask("And a second one?")))
    assert "word59" in shown(list(updates))
    assert running.end(10.0) == 0
    assert running.out[-1] == "asked 1 open 0"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_with_nothing_to_finish_it_ends_soon_though_pages_are_open(
    program, visitor, number: signal.Signals
) -> None:
    running, address = scripted(program, "slow")
    one: Visitor = visitor(address)
    with one.http.stream("GET", f"/gradio_api/heartbeat/{one.session}") as heartbeat:
        lines = heartbeat.iter_lines()  # kept, or the connection would be closed
        next(lines)
        began = time.monotonic()
        running.signal(number)
        assert running.end(10.0) == 0
    assert time.monotonic() - began < 6.0
    assert "Traceback" not in "\n".join(running.err)


def test_a_second_sigint_ends_it_at_once(program, visitor) -> None:
    running, address = scripted(program, *PATIENT)
    updates = visitor(address).ask("What is a stroke?")
    first_token(updates)
    running.signal(signal.SIGINT)
    running.line("stopping; 1 replies")
    began = time.monotonic()
    running.signal(signal.SIGINT)
    assert running.end(10.0) == 130
    assert time.monotonic() - began < 3.0
    with contextlib.suppress(httpx.HTTPError):
        list(updates)


def test_a_page_from_before_a_kill_works_with_the_next_process(program, visitor) -> None:
    """Row 80, the server's side of it."""
    running, address = scripted(program, "slow", "--rate", "20")
    one: Visitor = visitor(address)
    updates = one.ask("What is a stroke?")
    first_token(updates)
    running.process.kill()
    assert running.end(10.0) == -signal.SIGKILL
    with pytest.raises(httpx.HTTPError):
        list(updates)
    port = str(urlsplit(address).port)
    _, again = scripted(program, "slow", "--rate", "0", "--port", port)
    assert again == address
    assert "word59" in shown(list(one.ask("What is a stroke?")))


def test_it_works_without_a_folder_to_write_to(program, visitor, tmp_path: Path) -> None:
    """Row 82. A path below a file can be made by nobody, root neither."""
    (tmp_path / "file").write_text("")
    names = ("TMPDIR", "HOME", "XDG_CACHE_HOME", "GRADIO_TEMP_DIR", "HF_HOME")
    nowhere = dict.fromkeys(names, str(tmp_path / "file" / "below"))
    running = program("-m", "tests.serve_scripted", "slow", "--rate", "0", **nowhere)
    assert "word59" in shown(list(visitor(running.line("http://")).ask("What is a stroke?")))


def test_nothing_that_was_said_is_written_anywhere(program, visitor, tmp_path: Path) -> None:
    folders = {name: str(tmp_path / name) for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME")}
    for folder in folders.values():
        Path(folder).mkdir()
    running = program("-m", "tests.serve_scripted", "cut", "--rate", "0", **folders)
    one: Visitor = visitor(running.line("http://"))
    assert "word59" in shown(list(one.ask("canary-of-a-question")))
    running.signal(signal.SIGTERM)
    assert running.end(10.0) == 0
    log = "\n".join(running.out + running.err)
    assert "ended=interrupted" in log
    for said in ("canary-of-a-question", "thought0", "word59"):
        assert said not in log
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_two_hundred_idle_connections_keep_nobody_out_and_are_closed(
    serve: Serve, visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 86, with the time for a request's head cut to two seconds."""
    monkeypatch.setattr(listening, "HEAD_SECONDS", 2.0)
    address = serve(ScriptedBackend(script("slow", Pattern(rate=0))))
    parts = urlsplit(address)
    with contextlib.ExitStack() as held:
        idle = [
            held.enter_context(socket.create_connection((parts.hostname, parts.port), 10.0))
            for _ in range(200)
        ]
        for each in idle[:100]:
            each.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        assert "word59" in shown(list(visitor(address).ask("What is a stroke?")))
        assert all(each.recv(1) == b"" for each in idle)


def test_a_byte_now_and_then_does_not_keep_a_connection(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "HEAD_SECONDS", 1.0)
    parts = urlsplit(serve(ScriptedBackend(script("slow", Pattern(rate=0)))))
    with socket.create_connection((parts.hostname, parts.port), 5.0) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(4_000).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 5.0:
                connection.sendall(b"y")
                time.sleep(0.1)
        assert time.monotonic() - began < 3.0


def test_a_body_that_does_not_come_is_not_waited_for(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.guard.BODY_SECONDS", 0.5)
    parts = urlsplit(serve(ScriptedBackend(script("slow", Pattern(rate=0)))))
    with socket.create_connection((parts.hostname, parts.port), 5.0) as connection:
        connection.sendall(
            b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
        )
        assert connection.recv(1_000).startswith(b"HTTP/1.1 408")


def test_an_address_that_cannot_be_had_is_one_sentence() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"^Port {port} is in use"):
            listen("127.0.0.1", port)
    for host in ("no-such-host.invalid", "192.0.2.1"):
        with pytest.raises(CannotListen, match="is not an address of this machine"):
            listen(host, 0)


def test_its_socket_is_one_for_which_asyncio_turns_nagles_algorithm_off() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
