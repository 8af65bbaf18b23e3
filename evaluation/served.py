"""The endpoint that is asked: awake, what it serves, or one of our own for the time being."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import requests

from evaluation.client import HERE, NO_KEY, headers, key

WAKE_SECONDS = 900.0
"""The longest cold start that was seen took about half of it."""
LOOK_SECONDS = 5.0
PR_SET_PDEATHSIG = 1
ASLEEP = (408, 502, 503, 504)


class EndpointError(Exception):
    """No endpoint to be asked, in one sentence without its address."""


@dataclass(frozen=True, slots=True)
class Served:
    """A model that the endpoint serves. `parent` is the base of an adapter, where it says so."""

    id: str
    revision: str
    parent: str | None
    unreliable: bool


def models(base: str, say: Any = print) -> list[Served]:
    """What the endpoint at `base`, an address ending in `/v1`, serves; waits until it is awake.

    Raises `EndpointError`.
    """
    until = time.monotonic() + WAKE_SECONDS
    _awake(base, until, say)
    answer = _get(f"{base}/models")
    if answer is None or answer.status_code != 200:
        raise EndpointError(f"The endpoint does not list its models ({_status(answer)}).")
    try:
        cards = cast("list[dict[str, Any]]", answer.json()["data"])
        return [_served(card) for card in cards]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise EndpointError("The endpoint's list of models is not OpenAI's.") from None


def chosen(served: Sequence[Served], wanted: str | None) -> list[Served]:
    """Those that `wanted` names: ids with commas between, `all`, or None for the first.

    Raises `EndpointError`.
    """
    if not served:
        raise EndpointError("The endpoint serves no model.")
    if wanted is None:
        return [served[0]]
    if wanted == "all":
        return list(served)
    by_id = {each.id: each for each in served}
    names = wanted.split(",")
    for name in names:
        if name not in by_id:
            raise EndpointError(f"The endpoint serves {', '.join(by_id)}, and no {name}.")
    return [by_id[name] for name in names]


@contextmanager
def own(backend: str) -> Generator[str]:
    """`python -m endpoint` with `backend` on a free port, ended afterwards; gives its address.

    Raises `EndpointError`.
    """
    environ = {name: value for name, value in os.environ.items() if name != "ENDPOINT_API_KEY"}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [sys.executable, "-u", "-m", "endpoint", "--backend", backend, "--port", port]
    process = subprocess.Popen(
        command,
        cwd=HERE,
        env={**environ, "LOG_LEVEL": "WARNING"},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=_ends_with_its_parent,  # noqa: PLW1509, no thread of ours runs yet
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if address := re.search(r"Listening on (http://\S+/v1)", line):
                yield address[1]
                return
        raise EndpointError("The endpoint did not start: try `python -m endpoint` by itself.")
    finally:
        process.terminate()
        process.wait()


def _ends_with_its_parent() -> None:
    """Whatever ends this program, the endpoint that it started is not left behind (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _awake(base: str, until: float, say: Any) -> None:
    health = f"{base.removesuffix('/v1')}/health"
    told = False
    while True:
        answer = _get(health)
        if answer is not None and answer.status_code not in ASLEEP:
            return
        if time.monotonic() > until:
            raise EndpointError(f"The endpoint is not awake ({_status(answer)}): is it running?")
        if answer is None and _is_here(base):
            raise EndpointError("Nothing listens at the endpoint's address on this machine.")
        if not told:
            say("waiting for the endpoint to wake")
            told = True
        time.sleep(LOOK_SECONDS if answer is None else 1.0)


def _is_here(base: str) -> bool:
    return re.match(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:|/|$)", base) is not None


def _get(url: str) -> requests.Response | None:
    bearer = {} if key() == NO_KEY else {"Authorization": f"Bearer {key()}"}
    try:
        return requests.get(
            url, headers={**headers(), **bearer}, timeout=60.0, allow_redirects=False
        )
    except requests.RequestException:
        return None


def _status(answer: requests.Response | None) -> str:
    return "no connection" if answer is None else f"status {answer.status_code}"


def _served(card: dict[str, Any]) -> Served:
    parent, revision = card.get("parent"), card.get("revision")
    return Served(
        id=str(card["id"]),
        revision=str(revision) if revision else "",
        parent=str(parent) if parent else None,
        unreliable=card.get("unreliable") is True,
    )
