"""The acceptance matrix as a table, rows 1 to 25: connecting, statuses, slowness; and all of it.

Rows and numbers are those of the project's reliability requirements, and so are the times, which
`matrix.py` scales. S is the OpenAI contract with its stream, L the legacy one, B both. Rows that
need more than one visitor are tests of their own.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from email.utils import formatdate
from time import time

from tests import behaviours as do
from tests.backend.reply_rows import BEGUN, BODIES, BREAKS, MODEL, TOO_LONG
from tests.backend.row import ANSWER, Begin, Row, does, wakes
from tests.backend.scene import SCALE, Scene
from tests.behaviours import ROLE, SAYS, SAYS_HALF, THINKS, WHOLE
from tests.exchange import Exchange
from tests.faults import alive

AGAIN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
UNKNOWN_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def names(*answers: socket.gaierror | None) -> Begin:
    def begin(scene: Scene) -> None:
        scene.names[scene.host] = list(answers)
        scene.server.drop()  # else a pooled connection would need no name

    return begin


def certificate(kind: str) -> Begin:
    def begin(scene: Scene) -> None:
        scene.server.tls = scene.certificates.bad[kind]
        scene.server.drop()

    return begin


def elsewhere(code: int) -> Begin:
    return lambda scene: scene.server.behave(do.see_other(scene.other.url(), code))


def downgrade(scene: Scene) -> None:
    scene.server.behave(do.see_other(scene.server.url().replace("https:", "http:")))


def refused(times: int | None = None) -> Begin:
    return lambda scene: scene.server.refuse(times)


def blackhole(scene: Scene) -> None:
    scene.server.blackhole()


# --- 1 to 6: no connection ---------------------------------------------------------------------

CONNECTING = [
    Row(1, "connection refused", "B", "DOWN", 20, 3, refused()),
    Row(1, "connection refused", "B", "DOWN", 20, 0, refused(), cold=True),
    Row(2, "NXDOMAIN", "B", "DOWN", 20, 0, names(UNKNOWN_NAME), named=True),
    Row(2, "NXDOMAIN", "B", "DOWN", 20, 0, names(UNKNOWN_NAME), named=True, cold=True),
    Row(3, "DNS fails for now, then good", "B", ANSWER, 20, 1, names(AGAIN, None), named=True),
    Row(3, "DNS fails for now, then good", "B", ANSWER, 20, 1, names(AGAIN, None), named=True,
        cold=True),
    *(Row(4, f"certificate: {kind}", "B", "SETUP", 6, 0, certificate(kind), tls=True, cold=cold)
      for kind in ("expired", "wrong host", "unknown issuer", "self-signed")
      for cold in (False, True)),
    Row(5, "connect hangs", "B", "DOWN", 20, 0, blackhole),
    Row(5, "connect hangs", "B", "DOWN", 20, 0, blackhole, cold=True),
    # One that was refused and one that arrived.
    Row(6, "refused once, then good", "B", ANSWER, 10, 2, refused(1)),
]  # fmt: skip

# --- 7 to 18: statuses -------------------------------------------------------------------------

INVALID = {"detail": [{"loc": ["body", "messages"], "msg": do.SECRET, "type": "missing"}]}
PLAIN_401 = do.status(401, b"modal-http: missing credentials upstreamcanary", "text/plain")
ODD_WAITS = {
    "garbage": lambda: "soon",
    "negative": lambda: "-5",
    "NaN": lambda: "NaN",
    "1e308": lambda: "1e308",
    "infinite": lambda: "inf",
    "1000 digits": lambda: "9" * 1000,
    "a date, 2 s away": lambda: formatdate(time() + 2, usegmt=True),
    "a date, past": lambda: formatdate(time() - 3600, usegmt=True),
    "a date, year 0": lambda: "Mon, 00 Jan 0000 00:00:00 GMT",
}


def odd_wait(make: Callable[[], str]) -> Begin:
    return lambda scene: scene.server.behave(do.status(429, Retry_After=make()))


STATUSES = [
    Row(7, "400", "B", "BAD", 3, 1, does(do.status(400))),
    Row(8, "401", "B", "SETUP", 3, 1, does(do.status(401)), recovers=False),
    Row(8, "401, plain text", "B", "SETUP", 3, 1, does(PLAIN_401), recovers=False),
    Row(8, "403", "B", "SETUP", 3, 1, does(do.status(403)), recovers=False),
    *(Row(9, f"{code}", "B", "SETUP", 3, 1, does(do.status(code))) for code in (404, 405, 410)),
    Row(10, "408, then good", "B", ANSWER, 10, 2, does(do.status(408), do.good)),
    Row(11, "413", "B", "CTX", 3, 1, does(do.status(413))),
    Row(11, "400, context length", "B", "CTX", 3, 1, does(do.status(400, TOO_LONG))),
    Row(11, "422, context length", "B", "CTX", 3, 1, does(do.status(422, TOO_LONG))),
    Row(12, "422, validation", "B", "BAD", 3, 1, does(do.status(422, INVALID))),
    Row(13, "429, Retry-After 2, then good", "B", ANSWER, 10, 2,
        does(do.status(429, Retry_After="2"), do.good), not_before=2.0),
    Row(14, "429, Retry-After 600", "B", "BUSY", 3, 1, does(do.status(429, Retry_After="600")),
        n=600),
    *(Row(15, f"429, Retry-After: {name}", "B", "BUSY", 30, 3, odd_wait(make), fewer=True)
      for name, make in ODD_WAITS.items()),
    Row(16, "500 always", "B", "DOWN", 20, 2, does(do.status(500))),
    *(Row(17, f"{code} twice, then good", "B", ANSWER, 20, 3,
          does(do.status(code), do.status(code), do.good)) for code in (502, 503, 504)),
]  # fmt: skip

# --- 19 to 25: redirects and slowness ----------------------------------------------------------


def drip_body(exchange: Exchange) -> None:
    body = json.dumps({"response": "Final:\n" + "word " * 100}).encode()
    if exchange.legacy:
        exchange.head(200, "application/json", Content_Length=str(len(body)))
    else:
        exchange.begin("text/event-stream", chunked=False)
        body = b"".join(WHOLE)
    do.drip(body, 10 * SCALE)(exchange)


def drip_rest(exchange: Exchange) -> None:
    do.drip(b"".join(SAYS) * 10, 10 * SCALE)(exchange)


ONCE = (do.after(0.3, do.see_other("/result/1")), do.after(1.0, do.good))
HOP = do.after(150 * SCALE, do.see_other("/result/1"))
LATE = do.after(60 * SCALE, do.good)
LOOP = (do.see_other("/result/1"), do.see_other("/result/2"), do.see_other("/result/1"))
COLD_303 = (do.after(0.3, do.see_other("/waking/1")), do.after(1.0, alive), alive)
COLD_503 = (do.status(503), do.status(503), alive)

SLOWNESS = [
    Row(19, "303 once", "B", ANSWER, 330, 1, does(*ONCE), wakes=True),
    Row(19, "303 once", "B", ANSWER, 330, 1, wakes(*COLD_303), wakes=True, cold=True),
    Row(19, "503 while it wakes", "B", ANSWER, 330, 1, wakes(*COLD_503), cold=True),
    Row(20, "303 again and again, 150 s each", "B", "SLOW", 300, 1, does(HOP), wakes=True),
    *(Row(21, f"{code} to another host", "B", "SETUP", 3, 1, elsewhere(code))
      for code in (303, 302, 307)),
    *(Row(21, f"{code} to its own host", "B", "SETUP", 3, 1,
          does(do.see_other("/result/1", code), do.good))
      for code in (301, 302, 307, 308)),
    Row(22, "303 in a circle", "B", "SETUP", 5, 1, does(*LOOP)),
    Row(22, "303 from https to http", "B", "SETUP", 5, 1, downgrade, tls=True),
    Row(22, "303 without a Location", "B", "SETUP", 5, 1, does(do.see_other(""))),
    Row(22, "303 to no address", "B", "SETUP", 5, 1, does(do.see_other("http://[::1"))),
    Row(23, "headers after 60 s", "B", ANSWER, 65, 1, does(LATE), wakes=True),
    Row(23, "headers after 60 s", "B", ANSWER, 65, 1,
        wakes(do.after(60 * SCALE, alive), alive), wakes=True, cold=True),
    Row(24, "no headers ever", "B", "SLOW", 175, 1, does(do.never), wakes=True),
    Row(25, "1 byte in 10 s, in the head", "B", "SLOW", 305, 1,
        does(do.drip(b"HTTP/1.1 200\r\n" + b"Server: slow\r\n" * 9, 10 * SCALE)), wakes=True),
    Row(25, "1 byte in 10 s, in the body", "B", "SLOW", 305, 1, does(drip_body)),
    Row(25, "1 byte in 10 s, in the answer", "S", "CUT", 305, 1,
        does(do.stream(ROLE, THINKS, *SAYS_HALF, drip_rest, chunked=False))),
]  # fmt: skip

ROWS = [*CONNECTING, *STATUSES, *SLOWNESS, *BREAKS, *BODIES, *MODEL]

TRUE_SCALE = [
    Row(1, "connection refused", "B", "DOWN", 20, 3, refused(), true_scale=True),
    Row(5, "connect hangs", "B", "DOWN", 20, 0, blackhole, true_scale=True, not_before=14.0),
    Row(13, "429, Retry-After 2, then good", "B", ANSWER, 10, 2,
        does(do.status(429, Retry_After="2"), do.good), not_before=2.0, true_scale=True),
    Row(26, "stall in the answer", "S", "CUT", 32, 1,
        does(do.stream(*BEGUN, do.never)), not_before=29.0, true_scale=True),
]  # fmt: skip
