"""What an endpoint may do with a question: good replies, and everything else.

Each is a `Behaviour` for `tests.faults.FaultServer`, or makes one.
"""

from __future__ import annotations

import datetime
import gzip
import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import trustme

from tests.exchange import Exchange
from tests.faults import HOST, Behaviour

THOUGHT = "thoughtcanary: wheeze at night suggests asthma. "
ANSWER = "Inhaled steroids, and a reliever when needed."
SECRET = "upstreamcanary: out of memory at /srv/weights/model.py, token hf_upstream"  # noqa: S105
"""In every error body: none of it may reach a page or a log."""
CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-oss"}

Part = bytes | Behaviour


def event(data: object) -> bytes:
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def delta(reason: str | None = None, index: int = 0, **fields: Any) -> bytes:
    choice = {"index": index, "delta": fields, "finish_reason": reason}
    return event({**CHUNK, "choices": [choice]})


ROLE = delta(role="assistant", content="")
THINKS = delta(reasoning=THOUGHT)
SAYS = [delta(content=f"{word} ") for word in ANSWER.split()]
SAYS_HALF = SAYS[:3]
HALF = "Inhaled steroids, and"
STOP = delta("stop")
DONE = event("[DONE]")
WHOLE = [ROLE, THINKS, *SAYS, STOP, DONE]


def stream(
    *parts: Part, kind: str = "text/event-stream", chunked: bool = True, **headers: str
) -> Behaviour:
    """A 200 whose body is `parts`; one that is a behaviour is done in its place."""

    def behave(exchange: Exchange) -> None:
        exchange.begin(kind, chunked=chunked, **headers)
        for part in parts:
            if isinstance(part, bytes):
                exchange.piece(part)
            else:
                part(exchange)
            if exchange.ended:
                return
        exchange.end()

    return behave


def whole(
    body: object, kind: str = "application/json", status: int = 200, **more: str
) -> Behaviour:
    """An answer in one piece; anything but bytes becomes JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda exchange: exchange.answer(status, data, kind, **more)


def says(text: str) -> Behaviour:
    """A legacy reply of this text."""
    return whole({"response": text})


def either(openai: Behaviour, legacy: Behaviour) -> Behaviour:
    """What it does in each of the contracts."""
    return lambda exchange: (legacy if exchange.legacy else openai)(exchange)


good = either(stream(*WHOLE), says(f"Thinking:\n{THOUGHT}\n\nFinal:\n{ANSWER}"))


def echo(exchange: Exchange) -> None:
    """Answers with the last word of the question."""
    body = json.loads(exchange.request.body)
    asked = body["message"] if exchange.legacy else body["messages"][-1]["content"]
    word = asked.split()[-1]
    reply = [ROLE, THINKS, *SAYS, delta(content=word), STOP, DONE]
    either(stream(*reply), says(f"Final:\n{ANSWER} {word}"))(exchange)


def status(
    code: int, body: object = None, kind: str = "application/json", **more: str
) -> Behaviour:
    """An answer of this status, with a secret in its body."""
    return whole({"error": {"message": SECRET}} if body is None else body, kind, code, **more)


def see_other(place: str, code: int = 303) -> Behaviour:
    """A redirect; an empty place leaves the Location out."""
    more = {"Location": place} if place else {}
    return whole(SECRET.encode(), "text/plain", code, **more)


def after(seconds: float, then: Behaviour) -> Behaviour:
    """Silence first."""

    def behave(exchange: Exchange) -> None:
        exchange.stall(seconds)
        then(exchange)

    return behave


def never(exchange: Exchange) -> None:
    """Silence."""
    exchange.stall(600)
    raise AssertionError("nobody hung up for ten minutes")


def reset(exchange: Exchange) -> None:
    exchange.reset()


def hang_up(exchange: Exchange) -> None:
    exchange.hang_up()


def comments(every: float) -> Behaviour:
    """Keep-alive comments for ever."""

    def behave(exchange: Exchange) -> None:
        while True:
            exchange.piece(b": keep-alive\n\n")
            exchange.stall(every)

    return behave


def drip(data: bytes, every: float) -> Behaviour:
    """One byte at a time, without the framing of a body."""

    def behave(exchange: Exchange) -> None:
        for byte in data:
            exchange.send(bytes([byte]))
            exchange.stall(every)
        raise AssertionError("it was waited for to the last byte")

    return behave


def endless(piece: bytes, limit: int) -> Behaviour:
    """`piece` again and again, until `limit` bytes: nobody may take so many."""

    def behave(exchange: Exchange) -> None:
        for _ in range(limit // len(piece)):
            exchange.piece(piece)
        raise AssertionError("all of it was taken")

    return behave


def bomb(size: int, kind: str) -> Behaviour:
    """`size` bytes of spaces, packed: one gzip member of 1 MB, as often as it takes."""
    member = 1_000_000

    def behave(exchange: Exchange) -> None:
        exchange.begin(kind, Content_Encoding="gzip")
        for _ in range(size // member):
            exchange.piece(_packed(member))
        exchange.end()

    return behave


@cache
def _packed(size: int) -> bytes:
    return gzip.compress(b" " * size)


@dataclass(frozen=True)
class Certificates:
    """Contexts for a server's TLS. `authority` is the file that a client is to trust."""

    authority: Path
    good: ssl.SSLContext
    bad: dict[str, ssl.SSLContext]


def certificates(folder: Path) -> Certificates:
    ours, others = trustme.CA(), trustme.CA()
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    expired = ours.issue_cert(HOST, not_before=now - 2 * day, not_after=now - day)
    authority = folder / "authority.pem"
    ours.cert_pem.write_to_path(str(authority))
    bad = {
        "expired": _context(expired.configure_cert),
        "wrong host": _context(ours.issue_cert("elsewhere.example").configure_cert),
        "unknown issuer": _context(others.issue_cert(HOST).configure_cert),
        "self-signed": _context(_itself(others, folder)),
    }
    return Certificates(authority, _context(ours.issue_cert(HOST).configure_cert), bad)


def _itself(authority: trustme.CA, folder: Path) -> Callable[[ssl.SSLContext], None]:
    """A certificate that is signed by its own key: an authority's, served as a host's."""
    file = folder / "itself.pem"
    file.write_bytes(authority.private_key_pem.bytes() + authority.cert_pem.bytes())
    return lambda context: context.load_cert_chain(file)


def _context(configure: Callable[[ssl.SSLContext], None]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    configure(context)
    return context


def cut_anywhere(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """`data` in two, at every byte."""
    for at in range(1, len(data)):
        yield data[:at], data[at:]


def in_two(first: bytes, second: bytes) -> Behaviour:
    """A stream in two pieces, which arrive apart."""

    def behave(exchange: Exchange) -> None:
        exchange.begin("text/event-stream")
        exchange.piece(first)
        exchange.stall(0.002)
        exchange.piece(second)
        exchange.end()

    return behave
