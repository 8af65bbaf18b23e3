"""MedicalGPT's web page: settings, backend, page, server.

python app.py [--backend auto|remote|local|embedded] [--host HOST] [--port PORT] [--share]
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from backend import open_backend
from backend.base import Backend, Failed, Ready
from settings import ALL_INTERFACES, BACKENDS, Settings, SettingsError, read_settings
from ui.logs import configure_logging
from ui.serve import CannotListen, Server, listen
from ui.server import create_app
from ui.share import Tunnel

DOTENV = Path(__file__).with_name(".env")


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal. Exit codes: 0 ended in order, 1 no address, 2 settings, 130 forced."""
    flags = _flags().parse_args(argv)
    try:
        settings = _settings(flags, os.environ)
        configure_logging(settings.log_level)
        opened = open_backend(settings)
    except SettingsError as error:
        return _fail(str(error), 2)
    try:
        listener = listen(settings.host, settings.port)
    except CannotListen as error:
        opened.backend.close()
        return _fail(str(error), 1)
    port = listener.getsockname()[1]
    server = Server(create_app(opened.backend, opened.why, settings), settings.drain_seconds)
    tunnel = Tunnel(_reachable(settings.host), port, _say)
    _say(f"{opened.backend.info.model} ({opened.backend.info.name}). {opened.why}")
    for address in addresses(settings.host, port):
        _say(f"Open {address}")
    threading.Thread(target=_watch, args=(opened.backend,), name="watch", daemon=True).start()
    if flags.share:
        _say("Asking Gradio's relay for a public address.")
        tunnel.start()
    try:
        server.run(sockets=[listener])
    finally:
        tunnel.close()
        if not server.force_exit:
            opened.backend.close()
    return 130 if server.force_exit else 0


def addresses(host: str, port: int) -> list[str]:
    """Where the page can be opened."""
    shown = f"[{host}]" if ":" in host else host
    everywhere = [f"http://localhost:{port}"] if host in (ALL_INTERFACES, "::") else []
    return [*everywhere, f"http://{shown}:{port}"]


def _flags() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(prog="app.py", description="MedicalGPT's web page.")
    flags.add_argument("--backend", choices=BACKENDS, help="what answers (BACKEND)")
    flags.add_argument("--host", help="the address to listen on (HOST)")
    flags.add_argument("--port", type=_port, help="the port to listen on (PORT)")
    flags.add_argument(
        "--share", action="store_true", help="open a public address through Gradio's relay"
    )
    return flags


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 65535")
    return int(text)


def _settings(flags: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    # Flags stand over the environment; --port, unlike PORT, does not open the page to others.
    given = {"BACKEND": flags.backend, "HOST": flags.host}
    settings = read_settings({**environ, **{k: v for k, v in given.items() if v}}, DOTENV)
    return settings if flags.port is None else replace(settings, port=flags.port)


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in (ALL_INTERFACES, "::", "localhost") else host


def _watch(backend: Backend) -> None:
    """Say once when the model can answer, or that it cannot. A sleeping one is left asleep."""
    while True:
        match backend.status():
            case Ready():
                return _say("The model is ready.")
            case Failed(error):
                return _say(f"The model cannot answer: {error}")
            case _:
                time.sleep(0.5)


def _say(line: str) -> None:
    print(line, flush=True)


def _fail(line: str, code: int) -> int:
    print(line, file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
