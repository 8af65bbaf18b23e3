"""What a fault leaves in the log: its class and its place, never its text."""

from __future__ import annotations

# In a process of its own: pytest's log handlers are the root's, which is set up anew here.
FAULTS = """
import asyncio, logging
from ui.logs import configure_logging

def fail():
    raise ValueError("canary-of-what-was-said")

async def unseen():
    fail()

async def leave():
    asyncio.ensure_future(unseen())
    await asyncio.sleep(0.1)

configure_logging(logging.INFO)
try:
    fail()
except ValueError:
    logging.getLogger("uvicorn.error").exception("it failed")
asyncio.run(leave())
logging.getLogger("httpx").info("canary-of-an-address")
logging.getLogger("medicalgpt.run").info("heard")
"""


def test_a_fault_is_told_by_class_and_place_and_libraries_are_quiet(program) -> None:
    running = program("-c", FAULTS)
    assert running.end(20.0) == 0
    assert "canary" not in str(running.err)
    [fault, where, ours] = running.err
    assert fault.endswith("ERROR uvicorn.error: it failed")
    assert where == "ValueError at <string>:6"
    assert ours.endswith("INFO medicalgpt.run: heard")
