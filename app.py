"""MedicalGPT's web page: settings, backend, page, server.

python app.py [--backend auto|remote|local|embedded] [--host HOST] [--port PORT] [--share]
python app.py ask QUESTION      # one answer, in the terminal
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

if __name__ == "__main__":
    # Before the other imports: they take seconds, in which there is nothing to close yet.
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))
    if sys.argv[1:2] == ["ask"]:
        # A terminal needs no page, and does not wait for its imports.
        from ui import terminal

        sys.exit(terminal.main(sys.argv[2:], Path(__file__).with_name(".env")))

import argparse
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from backend import Opened, open_backend
from backend.base import Backend
from safety import answer_rules, learned, rules
from safety.rules import RuleError
from settings import ALL_INTERFACES, BACKENDS, Settings, SettingsError, read_settings
from ui.listening import CannotListen, addresses, listen, port_number
from ui.logs import configure_logging
from ui.serve import Server, Signals, report
from ui.server import create_app
from ui.share import Tunnel
from ui.words import ENGLISH

DOTENV = Path(__file__).with_name(".env")


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal.

    Exit codes: 0 ended in order, 1 no address, 2 settings, 130 forced, or by Ctrl-C at the start.
    """
    flags = _flags().parse_args(argv)
    with Signals() as signals:
        try:
            settings = _settings(flags, os.environ)
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
            listener = listen(settings.host, settings.port)
        except CannotListen as error:
            opened.backend.close()
            return _fail(str(error), 1)
        with listener:
            return _serve(opened, settings, listener, flags.share, signals)


def _serve(
    opened: Opened, settings: Settings, listener: socket.socket, share: bool, signals: Signals
) -> int:
    port = listener.getsockname()[1]
    tunnel = Tunnel(_reachable(settings.host), port, _say)
    try:
        app = create_app(opened.backend, opened.why, settings)
        server = signals.server = Server(app, settings.drain_seconds)
        if not signals.came:
            info, why = opened.backend.info, ENGLISH.why(opened.why)
            _say(f"{info.model} ({info.name}). {why}")
            where = addresses(settings.host, port)
            watched = (server, opened.backend, where, tunnel if share else None)
            threading.Thread(target=_watch, args=watched, name="watch", daemon=True).start()
            server.run(sockets=[listener])
    finally:
        tunnel.close()
        # When forced too: Python aborts if a thread of llama.cpp still runs at its end.
        opened.backend.close()
    return signals.exit_code


def _flags() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(
        prog="app.py",
        description="MedicalGPT's web page.",
        epilog="In the terminal instead: app.py ask QUESTION. See app.py ask --help.",
    )
    flags.add_argument("--backend", choices=BACKENDS, help="what answers (BACKEND)")
    flags.add_argument("--host", help="the address to listen on (HOST)")
    flags.add_argument("--port", type=port_number, help="the port to listen on (PORT)")
    flags.add_argument(
        "--share", action="store_true", help="open a public address through Gradio's relay"
    )
    return flags


def _settings(flags: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    # Flags stand over the environment; --port, unlike PORT, does not open the page to others.
    given = {"BACKEND": flags.backend, "HOST": flags.host}
    settings = read_settings({**environ, **{k: v for k, v in given.items() if v}}, DOTENV)
    return settings if flags.port is None else replace(settings, port=flags.port)


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in (ALL_INTERFACES, "::", "localhost") else host


def _watch(server: Server, backend: Backend, where: list[str], tunnel: Tunnel | None) -> None:
    """Say once where the page is, and once that the model can answer, or that it cannot."""
    while not server.started:
        time.sleep(0.05)
    for address in where:
        _say(f"Open {address}")
    if tunnel is not None:
        _say("Asking Gradio's relay for a public address.")
        tunnel.start()
    report(server, backend, _say)


def _say(line: str) -> None:
    print(line, flush=True)


def _fail(line: str, code: int) -> int:
    print(line, file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
