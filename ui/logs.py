"""What reaches the terminal: one line a fault, and never what was said.

An exception's text may hold a question or an answer, so that a fault is told by its class and
the place in the code.
"""

from __future__ import annotations

import logging
import traceback
from types import TracebackType

Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Brief(logging.Formatter):
    """A line without the stack."""

    def formatException(self, ei: Raised) -> str:
        return place(ei[1]) if ei[1] is not None else ""


def place(error: BaseException) -> str:
    """The class of `error` and where it was raised, without its text."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def configure_logging(level: int) -> None:
    """Our lines at `level` on stderr, those of libraries from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter(Brief("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("medicalgpt").setLevel(level)
    # Its messages hold exceptions in full.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
