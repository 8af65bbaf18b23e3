"""What a client is told instead of a reply: a status, a sentence, and OpenAI's names for it.

No sentence repeats what was said, and none holds a backend's own words: those are for the
owner's terminal.
"""

from __future__ import annotations

import math

from backend.base import (
    BackendError,
    BrokeContract,
    Busy,
    Interrupted,
    NotReady,
    Refused,
    TooLong,
    TooSlow,
    Unreachable,
)

CLIENT, SERVER, LIMIT = "invalid_request_error", "server_error", "rate_limit_error"
RETRY_SECONDS = 10.0
"""Told where the backend is busy and does not say for how long."""


class Refusal(Exception):
    """A request that gets no reply. `param` names the field at fault, where there is one."""

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.headers = headers or {}

    @property
    def body(self) -> dict[str, object]:
        """The refusal in OpenAI's shape."""
        kind = LIMIT if self.status == 429 else CLIENT if self.status < 500 else SERVER
        return {
            "error": {
                "message": self.message,
                "type": kind,
                "param": self.param,
                "code": self.code,
            }
        }


def bad_request(message: str, param: str | None = None, code: str | None = None) -> Refusal:
    """Something about the request that its sender can change."""
    return Refusal(400, message, param, code)


def refusal_of(error: BackendError) -> Refusal:
    """What a client is told of a backend's failure."""
    match error:
        case TooLong():
            return bad_request(
                "The conversation does not fit the model's context. Send less of it.",
                "messages",
                "context_length_exceeded",
            )
        case Busy():
            seconds = math.ceil(error.retry_after or RETRY_SECONDS)
            again = {"retry-after": str(seconds)}
            return Refusal(429, "Too many are asking. Try again in a moment.", None, "busy", again)
        case NotReady():
            return Refusal(503, "The model is not ready. Try again later.", None, "not_ready")
        case Refused():
            return Refusal(
                500, "What answers here refused; its owner can tell why.", None, "backend_refused"
            )
        case Unreachable():
            return Refusal(502, "What answers here cannot be reached.", None, "unreachable")
        case TooSlow():
            return Refusal(504, "What answers here took too long.", None, "too_slow")
        case Interrupted():
            return Refusal(502, "The reply broke off.", None, "interrupted")
        case BrokeContract():
            return Refusal(502, "The reply was not understood.", None, "bad_reply")
        case _:
            return Refusal(502, "The reply failed.", None, "failed")
