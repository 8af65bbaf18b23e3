"""Every variable, what it may be, and what is said when it is not."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import pytest
from dotenv import dotenv_values

from backend.checkpoint import model_place
from endpoint.modal_training import BASE, BASE_REVISION
from settings import (
    ALL_INTERFACES,
    MODEL_COMMIT,
    MODEL_ID,
    Secret,
    Settings,
    SettingsError,
    read_settings,
)
from tests.conftest import ROOT
from training.recipe import read_recipe

KEY = "ak-hunter2"
NAMES = {field.name.upper() for field in dataclasses.fields(Settings)}
"""Of every variable; `test_every_variable_is_read` holds this."""


def test_nothing_set_is_the_defaults() -> None:
    assert read_settings({}) == Settings()


def test_an_empty_value_is_as_good_as_none() -> None:
    names = ("BACKEND", "PORT", "HOST", "MODAL_ENDPOINT", "MODAL_KEY", "EMBED_ORIGINS")
    assert read_settings(dict.fromkeys(names, "")) == Settings()


def test_a_space_listens_for_others_behind_a_proxy_and_in_one_frame_unless_told_otherwise() -> None:
    space = read_settings({"SPACE_ID": "owner/medicalgpt"})
    assert (space.host, space.port) == (ALL_INTERFACES, 7860)
    assert (space.trusted_proxies, space.embed_origins) == (1, ("https://huggingface.co",))
    told = {"HOST": "127.0.0.1", "TRUSTED_PROXIES": "0", "EMBED_ORIGINS": "https://example.org"}
    own = read_settings({"SPACE_ID": "owner/medicalgpt", **told})
    assert (own.host, own.trusted_proxies) == ("127.0.0.1", 0)
    assert own.embed_origins == ("https://example.org",)


def test_every_variable_is_read(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter.gguf"
    adapter.write_text("")
    environ = {
        "BACKEND": "remote",
        "EMBEDDED_MODEL": "repo/name:file.gguf",
        "EMBEDDED_ADAPTER": str(adapter),
        "MODAL_ENDPOINT": "https://example.modal.run/v1",
        "ENDPOINT_CONTRACT": "legacy",
        "MODAL_KEY": KEY,
        "MODAL_SECRET": "as-hunter2",
        "ENDPOINT_API_KEY": "sk-hunter2",
        "MODAL_MODEL": "medical",
        "MODEL_ID": "a/base",
        "MODEL_REVISION": "0" * 40,
        "ADAPTER_ID": "a/adapter",
        "ADAPTER_REVISION": "1" * 40,
        "UNPACK_MXFP4": "on",
        "HF_TOKEN": "hf_hunter2",
        "HOST": "127.0.0.2",
        "PORT": "8080",
        "SHOW_REASONING": "off",
        "WAKE_ON_LOAD": "on",
        "MAX_CONCURRENT_CHATS": "7",
        "TRUSTED_PROXIES": "2",
        "RATE_PER_MINUTE": "3",
        "RATE_PER_HOUR": "0",
        "DAILY_TOKENS": "100000",
        "METRICS_TOKEN": "mt-hunter2",
        "EMBED_ORIGINS": "https://a.example, http://localhost:3000",
        "RESUME_SECONDS": "60",
        "DRAIN_SECONDS": "12",
        "LOG_LEVEL": "debug",
    }
    assert set(environ) == NAMES
    settings = read_settings(environ)
    plain = Settings()
    for field in dataclasses.fields(Settings):
        assert getattr(settings, field.name) != getattr(plain, field.name), field.name
    assert settings.modal_key == Secret(KEY)
    assert settings.embedded_adapter == adapter
    assert read_settings({"EMBEDDED_ADAPTER": "none"}).embedded_adapter == "none"
    assert read_settings({"EMBEDDED_ADAPTER": "default"}) == Settings()
    assert settings.embed_origins == ("https://a.example", "http://localhost:3000")
    assert settings.log_level == logging.DEBUG


def test_the_default_model_is_taken_at_the_commit_that_the_recipe_trains_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = read_recipe(ROOT / "training" / "recipe.yaml").base
    assert (base.model, base.revision) == (MODEL_ID, MODEL_COMMIT)
    assert (BASE, BASE_REVISION) == (MODEL_ID, MODEL_COMMIT)
    assert model_place(read_settings({})).revision == MODEL_COMMIT
    assert model_place(read_settings({"MODEL_REVISION": "main"})).revision == "main"
    assert model_place(read_settings({"MODEL_ID": "a/base"})).revision is None
    (tmp_path / MODEL_ID).mkdir(parents=True)  # a folder of that name has no commit
    monkeypatch.chdir(tmp_path)
    assert model_place(read_settings({})).revision is None


def test_the_environment_stands_over_the_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("MAX_CONCURRENT_CHATS=5\nMODEL_ID=from/file\n")
    settings = read_settings({"MODEL_ID": "from/environ"}, dotenv)
    assert (settings.max_concurrent_chats, settings.model_id) == (5, "from/environ")
    assert read_settings({}, tmp_path / "none") == Settings()


def test_the_example_file_names_every_variable_and_changes_nothing_as_it_is() -> None:
    example = ROOT / ".env.example"
    assert set(dotenv_values(example)) == NAMES
    assert read_settings({}, example) == Settings()


def test_a_file_that_is_not_utf_8_is_one_sentence(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_bytes("MODEL_ID=modèle\n".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"^\S+/\.env is not UTF-8: save it as UTF-8 text\.$"):
        read_settings({}, dotenv)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="it is Linux that has this file")
def test_a_file_that_cannot_be_read_is_one_sentence() -> None:
    # Opens for everybody and gives an error to every read, for root too.
    with pytest.raises(
        SettingsError, match=r"^/proc/self/mem cannot be read \(.+\): mend or remove"
    ):
        read_settings({}, Path("/proc/self/mem"))


def test_a_host_that_sets_port_is_listened_to_from_outside() -> None:
    assert read_settings({}).host == "127.0.0.1"
    assert read_settings({"PORT": "10000"}).host == "0.0.0.0"  # noqa: S104
    assert read_settings({"PORT": "10000", "HOST": "127.0.0.1"}).host == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BACKEND", "cloud"),
        ("BACKEND", "remote "),
        ("ENDPOINT_CONTRACT", "grpc"),
        ("EMBEDDED_ADAPTER", "/no/such/file"),
        ("MODAL_ENDPOINT", "example.modal.run"),
        ("MODAL_ENDPOINT", "http://example.modal.run"),
        ("MODAL_ENDPOINT", "https://example.modal.run/v1/"),
        ("MODAL_ENDPOINT", "https://example.modal.run /v1"),
        ("MODAL_ENDPOINT", " https://example.modal.run/v1"),
        ("MODAL_ENDPOINT", "https://example.modal.run/v1?key=1"),
        ("MODAL_ENDPOINT", "https://example.modal.run:port"),
        ("MODAL_ENDPOINT", "https://[::1"),
        ("MODAL_ENDPOINT", "ftp://example.modal.run"),
        ("MODEL_ID", "a/base\n"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "80.5"),
        ("PORT", "٣"),
        ("SHOW_REASONING", "on"),
        ("MAX_CONCURRENT_CHATS", "0"),
        ("MAX_CONCURRENT_CHATS", "-1"),
        ("DRAIN_SECONDS", "301"),
        ("LOG_LEVEL", "loud"),
        ("EMBED_ORIGINS", "example.org"),
        ("EMBED_ORIGINS", "*"),
        ("EMBED_ORIGINS", "http://example.org"),
        ("EMBED_ORIGINS", "https://example.org/path"),
        ("EMBED_ORIGINS", "https://example.org; script-src *"),
        ("EMBED_ORIGINS", "https://"),
        ("EMBED_ORIGINS", "https://example.org;script-src"),
        ("EMBED_ORIGINS", "https://user@example.org"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings({name: value})
    sentence = str(raised.value)
    assert sentence.startswith(name)
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_remote_without_an_address_is_refused() -> None:
    with pytest.raises(SettingsError, match="set MODAL_ENDPOINT"):
        read_settings({"BACKEND": "remote"})


@pytest.mark.parametrize("name", ["MODAL_KEY", "MODAL_SECRET", "ENDPOINT_API_KEY", "HF_TOKEN"])
def test_a_secret_never_prints(name: str) -> None:
    both = {"MODAL_KEY": "other", "MODAL_SECRET": "other", name: KEY}
    assert KEY not in repr(read_settings(both))
    with pytest.raises(SettingsError) as raised:
        read_settings({**both, name: f"{KEY} "})
    assert KEY not in str(raised.value)
    assert name in str(raised.value)


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings({"MODAL_ENDPOINT": f"https://user:{KEY}@example.org/v1"})
    assert KEY not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "missing"), [("MODAL_KEY", "MODAL_SECRET"), ("MODAL_SECRET", "MODAL_KEY")]
)
def test_half_of_a_pair_of_keys_is_refused(given: str, missing: str) -> None:
    with pytest.raises(SettingsError, match=f"^{missing} is missing"):
        read_settings({given: KEY})


def test_plain_http_is_for_this_machine_only() -> None:
    url = "http://127.0.0.1:8000/v1"
    assert read_settings({"MODAL_ENDPOINT": url}).modal_endpoint == url
