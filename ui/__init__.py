"""The page: what a visitor sees, and the server around it."""

import inspect
import os
import sys
from typing import Any

# Gradio reports its start to two hosts unless told not to before it is used, and keeps a table
# of past events for its dashboard, summed up anew with pandas after each one. Here, because every
# import of gradio in this project comes after these lines.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "100"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(2**62)

_getfile = inspect.getfile


def _getfile_but_for_stubs(thing: Any) -> str:
    """Gradio's components are in no file, as far as the module that writes their stubs knows.

    While Gradio is imported, it parses and rewrites a type stub beside each component, for
    editors: two fifths of the CPU of a start, which on 0.1 CPU are 7 s. It leaves out those
    whose file cannot be told.
    """
    caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    if caller.f_globals.get("__name__") == "gradio.component_meta":
        raise OSError("no stubs are wanted")
    return _getfile(thing)


inspect.getfile = _getfile_but_for_stubs
