"""Our page around the token source, as `app.py` serves it.

python -m benchmarks.ours --rate=50
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence

from backend.scripted import WHY
from benchmarks.source import read_pattern, source
from settings import Settings
from ui.listening import listen
from ui.logs import configure_logging
from ui.serve import Server
from ui.server import create_app


def main(argv: Sequence[str] | None = None) -> int:
    settings = Settings(drain_seconds=0.0)
    configure_logging(settings.log_level)
    backend = source(read_pattern(argv))
    listener = listen("127.0.0.1", 0)
    server = Server(create_app(backend, WHY, settings), settings.drain_seconds)

    def announce() -> None:
        while not server.started:
            time.sleep(0.01)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)

    threading.Thread(target=announce, daemon=True).start()
    server.run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
