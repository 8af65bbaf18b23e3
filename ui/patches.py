"""Where the pinned Gradio does what this server must not. Each is held by a test.

It prints the stack of every fault, with the function's inputs in its last line; it makes a folder
for uploads, where there are none, and does not start where it cannot; and it names itself, with
a picture on another host, where a shared link is previewed, and knows one language.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio.queueing
import gradio.route_utils
import gradio.routes
from jinja2 import FunctionLoader
from starlette.requests import Request

from ui import head
from ui.logs import place
from ui.words import Words, mounted

HERE = Path(__file__).parent
NOWHERE = os.path.join(os.devnull, "gradio")
"""A folder that nobody can make, so that nothing that was said can be put there."""

log = logging.getLogger("medicalgpt.page")


class _Path(type(Path())):
    """A path that may stay unmade."""

    def mkdir(self, *given: Any, **named: Any) -> None:
        with contextlib.suppress(OSError):
            super().mkdir(*given, **named)


def apply() -> None:
    """Once or more, before the page is built."""
    brief = SimpleNamespace(print_exc=_report)
    modules = (gradio.queueing, gradio.routes, gradio.route_utils)
    for module in cast("tuple[Any, ...]", modules):
        module.traceback = brief
    os.environ["GRADIO_TEMP_DIR"] = NOWHERE
    routes = cast("Any", gradio.routes)
    routes.DEFAULT_TEMP_DIR = NOWHERE
    routes.Path = _Path
    routes.templates.env.loader = FunctionLoader(_template)
    routes.templates.env.globals["words"] = _words
    routes.templates.env.cache.clear()


def _template(name: str) -> str:
    """Gradio's page, with our own beginning."""
    folder = cast("Any", gradio.routes).STATIC_TEMPLATE_LIB
    return head.headed(Path(folder, name).read_text("utf-8"))


def _words(request: Request) -> Words:
    return mounted(request.scope["root_path"])


def _report() -> None:
    error = sys.exc_info()[1]
    if error is None:
        return
    # Without a frame of ours it is Gradio refusing a value that our page would not send.
    frames = traceback.extract_tb(error.__traceback__)
    ours = any(Path(frame.filename).parent == HERE for frame in frames)
    log.log(logging.ERROR if ours else logging.INFO, "an event failed: %s", place(error))
