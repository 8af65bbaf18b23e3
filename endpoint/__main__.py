"""The endpoint as a program: settings, backend, service.

python -m endpoint [--backend auto|remote|local|embedded] [--host HOST] [--port PORT]
                   [--api-key KEY]

The address is the flags' alone: HOST and PORT are the page's. The key is better given as
ENDPOINT_API_KEY, because everybody on a machine can read the flags of a program; in front of
another endpoint that is the other's key, and this one's can only be a flag.
"""

from __future__ import annotations

import os
import signal

if __name__ == "__main__":
    # Before the other imports: they take a moment, in which there is nothing to close yet.
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))

import argparse
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from backend import Opened, open_backend
from backend.base import Backend
from endpoint.server import Endpoint
from safety import answer_rules, learned, rules
from safety.rules import RuleError
from settings import BACKENDS, LOOPBACK, Secret, Settings, SettingsError, read_settings
from ui.listening import CannotListen, addresses, listen, port_number
from ui.logs import configure_logging
from ui.serve import Server, Signals, report
from ui.words import ENGLISH

DOTENV = Path(__file__).parent.with_name(".env")
PORT = 8000

NO_KEY = "Without a key nobody but this machine may ask: set ENDPOINT_API_KEY, or leave out --host."
ITSELF = "MODAL_ENDPOINT is this endpoint's own address: choose another backend with --backend."


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal.

    Exit codes: 0 ended in order, 1 no address, 2 settings, 130 forced, or by Ctrl-C at the start.
    """
    flags = _flags().parse_args(argv)
    with Signals() as signals:
        try:
            settings = _settings(flags, os.environ)
            key = flags.api_key or _own_key(settings)
            _check(flags, settings, key)
            configure_logging(settings.log_level)
            # Now, so that a fault in the rules is told before anything is served.
            rules.load()
            rules.load(rules.TURKISH)
            answer_rules.load()
            learned.load()
            learned.load(learned.TURKISH)
            opened = open_backend(settings)
        except (SettingsError, RuleError) as error:
            return _fail(str(error), 2)
        try:
            listener = listen(flags.host, flags.port)
        except CannotListen as error:
            opened.backend.close()
            return _fail(str(error), 1)
        with listener:
            return _serve(opened, settings, key, listener, signals)


def _serve(
    opened: Opened,
    settings: Settings,
    key: Secret | None,
    listener: socket.socket,
    signals: Signals,
) -> int:
    host, port = listener.getsockname()[:2]
    try:
        service = Endpoint(opened.backend, key, settings.max_concurrent_chats)
        server = signals.server = Server(service, settings.drain_seconds)
        if not signals.came:
            info, why = opened.backend.info, ENGLISH.why(opened.why)
            _say(f"{info.model} ({info.name}). {why}")
            watched = (server, opened.backend, addresses(host, port))
            threading.Thread(target=_watch, args=watched, name="watch", daemon=True).start()
            server.run(sockets=[listener])
    finally:
        # When forced too: Python aborts if a thread of llama.cpp still runs at its end.
        opened.backend.close()
    return signals.exit_code


def _flags() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(
        prog="python -m endpoint", description="A backend as a service for programs."
    )
    flags.add_argument("--backend", choices=BACKENDS, help="what answers (BACKEND)")
    flags.add_argument("--host", default=LOOPBACK[0], help="the address to listen on")
    flags.add_argument("--port", type=port_number, default=PORT, help="the port to listen on")
    flags.add_argument("--api-key", type=_key, help="who has it may ask (ENDPOINT_API_KEY)")
    return flags


def _key(text: str) -> Secret:
    # Its value is not repeated.
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError("it must be letters, digits and signs without spaces")
    return Secret(text)


def _settings(flags: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    given = {"BACKEND": flags.backend} if flags.backend else {}
    return read_settings({**environ, **given}, DOTENV)


def _own_key(settings: Settings) -> Secret | None:
    """ENDPOINT_API_KEY, unless it is the key to the endpoint that this one stands in front of."""
    upstream = settings.backend == "remote" or (
        settings.backend == "auto" and settings.modal_endpoint is not None
    )
    return None if upstream else settings.endpoint_api_key


def _check(flags: argparse.Namespace, settings: Settings, key: Secret | None) -> None:
    """Raises `SettingsError`."""
    if key is None and flags.host not in LOOPBACK:
        raise SettingsError(NO_KEY)
    asked = urlsplit(settings.modal_endpoint or "")
    itself = asked.hostname in LOOPBACK and asked.port == flags.port
    if itself and settings.backend in ("auto", "remote"):
        raise SettingsError(ITSELF)


def _watch(server: Server, backend: Backend, where: list[str]) -> None:
    """Say once where it listens, and once that the model can answer, or that it cannot."""
    while not server.started:
        time.sleep(0.05)
    for address in where:
        _say(f"Listening on {address}/v1 and {address}/generate")
    report(server, backend, _say)


def _say(line: str) -> None:
    print(line, flush=True)


def _fail(line: str, code: int) -> int:
    print(line, file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
