"""Every environment variable, read once into a frozen object.

Values come from the environment, then from a `.env` file beside `app.py`. An empty value is as
good as none. A wrong one raises `SettingsError`, one sentence that names the variable and the
value; secrets are never named by value and never print.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from dotenv import dotenv_values

T = TypeVar("T")

BACKENDS = ("auto", "remote", "local", "embedded")
CONTRACTS = ("openai", "legacy")
REASONING = ("open", "folded", "off")
OWN_ADAPTER: Literal["default"] = "default"
MODEL_ID = "openai/gpt-oss-20b"
MODEL_COMMIT = "6cee5e81ee83917806bbde320786a8fb61efebee"
"""The commit of `MODEL_ID` on the hub that the recipe trains on; a test holds the two together."""
ALL_INTERFACES = "0.0.0.0"  # noqa: S104
LOOPBACK = ("127.0.0.1", "::1", "localhost")
SPACE_FRAMES = ("https://huggingface.co",)
"""Who shows the page of a Hugging Face Space in a frame."""


class SettingsError(ValueError):
    """A variable that cannot be used, and what to write instead. Meant for the owner's terminal."""


class Secret:
    """A value that does not print. `reveal` gives it, at the one place that sends it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(set)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the owner asked for. The defaults run the embedded model for one person."""

    backend: str = "auto"
    embedded_model: str | None = None
    embedded_adapter: Path | Literal["default", "none"] = OWN_ADAPTER
    """`default` is this project's own, for the default model; any other model has none then."""
    modal_endpoint: str | None = None
    endpoint_contract: str | None = None
    modal_key: Secret | None = None
    modal_secret: Secret | None = None
    endpoint_api_key: Secret | None = None
    modal_model: str | None = None
    model_id: str = MODEL_ID
    model_revision: str | None = None
    """None is `MODEL_COMMIT` for the default model, and the newest for any other."""
    adapter_id: str = "dousery/medical-reasoning-gpt-oss-20b"
    adapter_revision: str | None = None
    """None is the newest: we know of no commit that was checked. What was taken is told."""
    unpack_mxfp4: bool = False
    """Whether a GPU that cannot compute in MXFP4 may hold the experts in bf16: 42 GB."""
    hf_token: Secret | None = None
    host: str = "127.0.0.1"
    port: int = 7860
    show_reasoning: str = "open"
    """The trace: open while it is written, folded until the visitor opens it, or never sent."""
    wake_on_load: bool = False
    """Whether opening the page wakes an endpoint that sleeps, which costs its owner money."""
    max_concurrent_chats: int = 100
    trusted_proxies: int = 0
    """How many proxies of the host stand in front, each of which adds to X-Forwarded-For."""
    rate_per_minute: int = 6
    """Questions of one visitor; 0 is no limit, as it is for the next two."""
    rate_per_hour: int = 60
    daily_tokens: int = 0
    """Of all replies together, in a day of UTC."""
    metrics_token: Secret | None = None
    """Who has it may read /metrics; without one there is no such address."""
    embed_origins: tuple[str, ...] = ()
    resume_seconds: int = 120
    """How long an answer goes on whose page was lost without a word; 0 for not at all."""
    drain_seconds: float = 25.0
    """How long running answers may finish after SIGTERM."""
    log_level: int = logging.INFO


def read_settings(environ: Mapping[str, str], dotenv: Path | None = None) -> Settings:
    """The settings in `environ`, over those in the file `dotenv`. Raises `SettingsError`."""
    file = _dotenv(dotenv) if dotenv else {}
    values = {**file, **{k: v for k, v in environ.items() if v}}

    def read(name: str, parse: Callable[[str, str], T], default: T) -> T:
        return parse(name, values[name]) if name in values else default

    plain = Settings()
    # Set by Hugging Face in each Space, which sets no PORT and asks port 7860 from outside.
    space = "SPACE_ID" in values
    hosted = space or "PORT" in values
    settings = Settings(
        backend=read("BACKEND", _one_of(BACKENDS), plain.backend),
        embedded_model=read("EMBEDDED_MODEL", _text, None),
        embedded_adapter=read("EMBEDDED_ADAPTER", _adapter, plain.embedded_adapter),
        modal_endpoint=read("MODAL_ENDPOINT", _url, None),
        endpoint_contract=read("ENDPOINT_CONTRACT", _one_of(CONTRACTS), None),
        modal_key=read("MODAL_KEY", _secret, None),
        modal_secret=read("MODAL_SECRET", _secret, None),
        endpoint_api_key=read("ENDPOINT_API_KEY", _secret, None),
        modal_model=read("MODAL_MODEL", _text, None),
        model_id=read("MODEL_ID", _text, plain.model_id),
        model_revision=read("MODEL_REVISION", _text, None),
        adapter_id=read("ADAPTER_ID", _text, plain.adapter_id),
        adapter_revision=read("ADAPTER_REVISION", _text, None),
        unpack_mxfp4=read("UNPACK_MXFP4", _switch, plain.unpack_mxfp4),
        hf_token=read("HF_TOKEN", _secret, None),
        # A host that sets PORT routes to this process from outside, so it must listen there.
        host=read("HOST", _text, ALL_INTERFACES if hosted else plain.host),
        port=read("PORT", _whole(1, 65_535), plain.port),
        show_reasoning=read("SHOW_REASONING", _one_of(REASONING), plain.show_reasoning),
        wake_on_load=read("WAKE_ON_LOAD", _switch, plain.wake_on_load),
        max_concurrent_chats=read(
            "MAX_CONCURRENT_CHATS", _whole(1, 1_000), plain.max_concurrent_chats
        ),
        trusted_proxies=read("TRUSTED_PROXIES", _whole(0, 10), 1 if space else 0),
        rate_per_minute=read("RATE_PER_MINUTE", _whole(0, 1_000), plain.rate_per_minute),
        rate_per_hour=read("RATE_PER_HOUR", _whole(0, 1_000), plain.rate_per_hour),
        daily_tokens=read("DAILY_TOKENS", _whole(0, 10**12), plain.daily_tokens),
        metrics_token=read("METRICS_TOKEN", _secret, None),
        embed_origins=read("EMBED_ORIGINS", _origins, SPACE_FRAMES if space else ()),
        resume_seconds=read("RESUME_SECONDS", _whole(0, 3_600), plain.resume_seconds),
        drain_seconds=read("DRAIN_SECONDS", _whole(0, 300), plain.drain_seconds),
        log_level=read("LOG_LEVEL", _level, plain.log_level),
    )
    if settings.backend == "remote" and settings.modal_endpoint is None:
        raise SettingsError("BACKEND is remote, so set MODAL_ENDPOINT to the endpoint's https URL.")
    if (settings.modal_key is None) != (settings.modal_secret is None):
        missing = "MODAL_KEY" if settings.modal_key is None else "MODAL_SECRET"
        raise SettingsError(f"{missing} is missing: MODAL_KEY and MODAL_SECRET are set together.")
    return settings


def _dotenv(path: Path) -> dict[str, str]:
    try:
        return {name: value for name, value in dotenv_values(path).items() if value}
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8: save it as UTF-8 text.") from None
    except OSError as error:
        fault = (error.strerror or type(error).__name__).lower()
        raise SettingsError(f"{path} cannot be read ({fault}): mend or remove it.") from None


def _text(name: str, value: str) -> str:
    if value != value.strip() or not value.isprintable():
        raise SettingsError(f"{name} must have no spaces around it and no line breaks.")
    return value


def _secret(name: str, value: str) -> Secret:
    if any(c.isspace() or not c.isprintable() for c in value):
        raise SettingsError(f"{name} must have no spaces or line breaks in it.")
    return Secret(value)


def _one_of(allowed: tuple[str, ...]) -> Callable[[str, str], str]:
    def parse(name: str, value: str) -> str:
        if value not in allowed:
            raise SettingsError(f"{name} is {value!r}; it must be one of: {', '.join(allowed)}.")
        return value

    return parse


def _whole(low: int, high: int) -> Callable[[str, str], int]:
    def parse(name: str, value: str) -> int:
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            raise SettingsError(
                f"{name} is {value!r}; it must be a whole number from {low} to {high}."
            )
        return int(value)

    return parse


def _switch(name: str, value: str) -> bool:
    match value.lower():
        case "on" | "true" | "1" | "yes":
            return True
        case "off" | "false" | "0" | "no":
            return False
        case _:
            raise SettingsError(f"{name} is {value!r}; it must be on or off.")


def _file(name: str, value: str) -> Path:
    path = Path(_text(name, value)).expanduser()
    if not path.is_file():
        raise SettingsError(f"{name} is {value!r}; no such file.")
    return path


def _adapter(name: str, value: str) -> Path | Literal["default", "none"]:
    match value:
        case "default" | "none":
            return value
        case _:
            return _file(name, value)


def _level(name: str, value: str) -> int:
    level = logging.getLevelNamesMapping().get(value.upper())
    if level is None:
        raise SettingsError(f"{name} is {value!r}; it must be DEBUG, INFO, WARNING or ERROR.")
    return level


def _url(name: str, value: str) -> str:
    form = f"{name} must be an https URL such as https://example.modal.run/v1"
    # The value may carry a password, so that only its fault is told, never the value.
    if any(c.isspace() for c in value):
        raise SettingsError(f"{form}, without spaces.")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise SettingsError(f"{form}.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise SettingsError(f"{form}.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingsError(f"{form}, without a password, a query or a fragment.")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise SettingsError(f"{form}; http would send questions and keys in the clear.")
    if value.endswith("/"):
        raise SettingsError(f"{form}, without a slash at its end.")
    return value


def _origins(name: str, value: str) -> tuple[str, ...]:
    origins = tuple(value.replace(",", " ").split())
    for origin in origins:
        parts = urlsplit(origin)
        loopback = parts.scheme == "http" and parts.hostname in LOOPBACK
        # Nothing that could end the header's directive it will stand in.
        plain = re.fullmatch(r"[\w.-]+(:\d{1,5})?", parts.netloc, re.ASCII)
        if origin != f"{parts.scheme}://{parts.netloc}" or not (
            plain and (parts.scheme == "https" or loopback)
        ):
            raise SettingsError(
                f"{name} has {origin!r}; each must be an origin such as https://example.org."
            )
    return origins
