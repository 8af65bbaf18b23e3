"""Every time and every limit of asking an endpoint over HTTP, in one frozen object.

Times are seconds. The numbers are the ones a GPU service that sleeps needs: Modal answers a request
that takes longer than 150 s with a redirect, and a cold start takes minutes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Policy:
    """How long to wait, how often to try, how much to read."""

    connect: float = 5.0
    """For a connection, its TLS handshake, and the sending of the request."""
    headers: float = 170.0
    """For the head of an answer, at each hop: Modal's 150 s and a margin. Also for the first byte
    of a stream."""
    starting_up: float = 5.0
    """Without a head for this long, the model is said to be starting up."""
    question: float = 300.0
    """From the first POST to the head of its answer, redirects included."""
    idle: float = 30.0
    """Between two pieces of a stream."""
    data_idle: float = 120.0
    """Between two events of a stream: comments keep a connection, and are no progress."""
    reply: float = 300.0
    """From the head of an answer to its end."""
    wake: float = 900.0
    """For an endpoint to wake, which has been seen to take 460 s."""
    wake_pause: float = 2.0
    """Between two looks whether it is awake."""
    awake: float = 60.0
    """After a sign of life, for which a question is posted without asking for another."""
    backoff: float = 0.5
    backoff_limit: float = 8.0
    retry_after_limit: float = 20.0
    """A longer Retry-After is told to the visitor instead of waited for."""
    circuit: float = 15.0
    """For which a broken circuit stays open."""

    retries: int = 2
    redirects: int = 20
    circuit_failures: int = 5
    """In a row, to break the circuit."""
    tokens: float = 10.0
    """Of the bucket that pays for retries: each failure takes one, a success gives a tenth."""
    tokens_floor: float = 5.0
    """At which nothing is tried again."""
    event_bytes: int = 1024 * 1024 + 64 * 1024
    """1 MiB of data, and a margin for its names."""
    reply_bytes: int = 2 * 1024 * 1024
    """Of text. The wire around it may be ten times as much."""
    wire_bytes: int = 24 * 1024 * 1024

    def scaled(self, factor: float) -> Policy:
        """The same with every time multiplied by `factor`, for tests."""
        times = {f.name: getattr(self, f.name) * factor for f in fields(self) if _is_time(f.name)}
        return replace(self, **times)


_COUNTS = {"tokens", "tokens_floor"}


def _is_time(name: str) -> bool:
    return name not in _COUNTS and isinstance(getattr(Policy(), name), float)
