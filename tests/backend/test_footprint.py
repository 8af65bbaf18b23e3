"""What the embedded backend opens, writes and weighs, and files that are no model."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from backend import adapter_file
from backend.adapter_file import SHIPPED, chosen, shipped
from backend.base import NotReady, Ready
from backend.embedded import EmbeddedBackend
from backend.llama import Pass, Sampling
from backend.loading import Loaded
from backend.model_file import NAME, ModelFile, default_file
from backend.model_info import expected
from backend.stages import PLAIN
from settings import Settings
from tests.backend import tiny_models
from tests.backend.asking import (
    UNWATCHED,
    ask,
    model,
    socket_folder,
)
from tests.conftest import ROOT

pytestmark = pytest.mark.model


def test_it_listens_on_no_port_and_on_a_socket_only_its_user_can_reach(
    embedded: EmbeddedBackend, loaded: Loaded
) -> None:
    internet = psutil.Process().net_connections("inet")
    assert [c for c in internet if c.status == psutil.CONN_LISTEN] == []
    folder = socket_folder(embedded)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    key = loaded.llama._key  # pyright: ignore[reportPrivateUsage]
    assert len(key) >= 32
    loaded.llama._key = "wrong"  # pyright: ignore[reportPrivateUsage]
    try:
        with pytest.raises(Exception, match="401"):
            loaded.llama.tokenise("hello", special=False)
    finally:
        loaded.llama._key = key  # pyright: ignore[reportPrivateUsage]


def test_nothing_that_was_said_reaches_a_log_or_a_file(model_path: Path, tmp_path: Path) -> None:
    program = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
from backend.embedded import EmbeddedBackend
from backend.base import Options
from chat.conversation import Conversation, Role, Turn
from chat.events import Ended
from settings import Settings
backend = EmbeddedBackend.from_settings(Settings(embedded_model=sys.argv[1]))
question = Conversation.ask("My name is Quetzalbert Zorkmid <|im_end|>. What is asthma?")
events = list(backend.stream(question, Options(max_new_tokens=64)))
assert isinstance(events[-1], Ended)
try:
    list(backend.stream(Conversation((Turn(Role.USER, "Quetzalbert " * 4_000),)), Options()))
except Exception as error:
    print(error, type(error))
stopped = backend.stream(question, Options())
next(stopped)
stopped.close()
backend.close()
print("done")
"""
    place = {name: tmp_path / name for name in ("tmp", "home", "here")}
    for folder in place.values():
        folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program, str(model_path)],
        cwd=place["here"],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(place["tmp"]),
            "HOME": str(place["home"]),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "done" in done.stdout
    assert not re.search("quetz|zorkmid|asthma", done.stdout + done.stderr, re.IGNORECASE)
    assert [str(path) for path in tmp_path.rglob("*") if path.is_file()] == []
    assert list(place["tmp"].iterdir()) == []


def test_with_the_page_loaded_the_process_stays_under_512_mb(model_path: Path) -> None:
    program = """
import sys, threading
import gradio, psutil
from backend.embedded import SLOTS, EmbeddedBackend
from backend.base import Options
from chat.conversation import Conversation
from settings import Settings
backend = EmbeddedBackend.from_settings(Settings(embedded_model=sys.argv[1]))
def ask():
    list(backend.stream(Conversation.ask("What is asthma?"), Options(max_new_tokens=64)))
threads = [threading.Thread(target=ask) for _ in range(SLOTS)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("MB", psutil.Process().memory_info().rss // 2**20)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(model_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    assert int(done.stdout.split("MB")[1]) < 512


def test_a_file_that_cannot_be_loaded_is_one_sentence_and_can_be_put_right(
    model_path: Path, tmp_path: Path
) -> None:
    whole = model_path.read_bytes()
    path = tmp_path / "model.gguf"
    broken = {
        b"": "is not a GGUF file",
        b"not a model at all": "is not a GGUF file",
        whole[:1_000_000]: "is a broken GGUF file",
        whole[:-1_000_000]: "could not load model.gguf",
    }
    path.write_bytes(b"")
    backend = EmbeddedBackend.from_settings(Settings(embedded_model=str(path)))
    with closing(backend):
        for content, says in broken.items():
            path.write_bytes(content)
            with pytest.raises(NotReady, match=says) as raised:
                ask(backend)
            assert "\n" not in str(raised.value)
        path.write_bytes(whole)
        assert ask(backend, "hi", max_new_tokens=64)[1]
        assert backend.status() == Ready()


def test_an_adapter_of_zeros_changes_nothing(model_path: Path, tmp_path: Path) -> None:
    path = tiny_models.adapter(tmp_path / "adapter.gguf")
    texts: list[str] = []
    for adapter in (None, path):
        with model(model_path, adapter=adapter) as llama:
            prompt = llama.tokenise("Asthma is", special=False)
            pieces: list[str] = []
            llama.run(Pass(prompt, 0, 24, (), Sampling(0.0, 1.0, 1)), pieces.append, UNWATCHED)
            texts.append("".join(pieces))
    assert texts[0] == texts[1] != ""


def test_with_an_adapter_the_model_is_asked_in_harmony(model_path: Path, tmp_path: Path) -> None:
    path = tiny_models.adapter(tmp_path / "adapter.gguf")
    plain = EmbeddedBackend.from_settings(
        Settings(embedded_model=str(model_path), embedded_adapter="none")
    )
    trained = EmbeddedBackend.from_settings(
        Settings(embedded_model=str(model_path), embedded_adapter=path)
    )
    with closing(plain), closing(trained):
        replies = [ask(backend, max_new_tokens=64) for backend in (plain, trained)]
        llama = trained._loading.wait(1.0)  # pyright: ignore[reportPrivateUsage]
        assert llama is not None
        longer = len(llama.llama.tokenise("<|channel|>analysis<|message|>", special=False))
        opening = len(llama.llama.tokenise(PLAIN.opening, special=False))
    prompts = [reply[2].usage.prompt_tokens or 0 for reply in replies]
    assert prompts[1] - prompts[0] == longer - opening
    assert replies[1][0].strip()
    assert replies[1][1].strip()
    assert "<|" not in replies[1][0] + replies[1][1]


def test_the_default_model_answers_with_the_adapter_of_this_project(
    model_path: Path, embedded: EmbeddedBackend
) -> None:
    says = {"max_new_tokens": 64, "temperature": 0.0, "seed": 1}
    same = Settings(embedded_model=str(model_path), embedded_adapter=SHIPPED)
    none = Settings(embedded_model=str(model_path), embedded_adapter="none")
    replies = {"default": ask(embedded, **says)[:2]}
    for name, settings in {"same": same, "none": none}.items():
        with closing(EmbeddedBackend.from_settings(settings)) as backend:
            replies[name] = ask(backend, **says)[:2]
    assert replies["default"] == replies["same"] != replies["none"]
    assert embedded.info.model.endswith("+medical-reasoning")


def test_another_model_gets_no_adapter_unless_the_owner_names_one(tmp_path: Path) -> None:
    other = ModelFile(tmp_path / "other.gguf", "other", "0" * 12)
    default = default_file(tmp_path / "model.gguf")
    own = tiny_models.adapter(tmp_path / "own.gguf")
    assert shipped(Settings(), default) is not None
    assert shipped(Settings(), other) is None
    assert shipped(Settings(embedded_adapter="none"), default) is None
    assert shipped(Settings(embedded_adapter=own), default) is None
    named = chosen(Settings(embedded_adapter=own))
    assert named is not None
    assert named.path == own
    assert chosen(Settings()) is None


def test_a_project_without_its_adapter_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter_file, "SHIPPED", tmp_path / "gone.gguf")
    with pytest.raises(NotReady, match="EMBEDDED_ADAPTER=none"):
        shipped(Settings(), default_file(tmp_path / "model.gguf"))
    assert expected(Settings()).model == NAME


@pytest.mark.parametrize("content", ["nonsense", "model"])
def test_an_adapter_that_is_none_is_one_sentence(
    content: str, model_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "adapter.gguf"
    if content == "model":
        path.symlink_to(model_path)
    else:
        path.write_text(content)
    backend = EmbeddedBackend.from_settings(
        Settings(embedded_model=str(model_path), embedded_adapter=path)
    )
    with closing(backend), pytest.raises(NotReady, match=r"adapter\.gguf"):
        ask(backend)
