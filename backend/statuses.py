"""What an HTTP status other than success means, and how often it may be tried again."""

from __future__ import annotations

import contextlib
import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from backend.attempts import Failure
from backend.base import BackendError, BrokeContract, Busy, Refused, TooLong, Unreachable
from backend.transport import Answer

ERROR_BYTES = 64 * 1024
DAY = 86_400.0

ASLEEP = frozenset({408, 502, 503, 504})
"""What the door of a service says while nothing runs behind it."""

# As vLLM, llama.cpp, OpenAI and our own endpoint say it, in words or as a code.
_CONTEXT = re.compile(
    r"context[ _](?:length|size|window)|maximum context|exceed_context|too many tokens",
    re.IGNORECASE,
)


def failure_of(answer: Answer) -> Failure:
    """What `answer`, whose status is no success, means. Closes it."""
    try:
        return _failure(answer.status, answer)
    finally:
        answer.close()


def says_too_long(text: str) -> bool:
    """Whether an error's own words mean that the conversation does not fit the model."""
    return _CONTEXT.search(text) is not None


def _failure(status: int, answer: Answer) -> Failure:
    wait = retry_after(answer.headers.get("retry-after", ""))
    match status:
        case 401 | 403:
            return Failure(Refused("The endpoint refuses our keys: check them."))
        case 402 | 404 | 405 | 410:
            return Failure(Refused(f"The endpoint says {status}: check MODAL_ENDPOINT."))
        case 413:
            return Failure(TooLong("The endpoint takes no request of this size."))
        case 429:
            busy = Busy("The endpoint has too many questions.", wait)
            return Failure(busy, 2, wait=wait)
        case 500:
            return Failure(Unreachable("The endpoint failed inside."), 1, wait=wait, down=True)
        case _ if status in ASLEEP or status > 500:
            retries = 2 if status in ASLEEP else 0
            down = Unreachable(f"The endpoint says {status}.")
            return Failure(down, retries, wait=wait, down=True)
        case 400 | 422 if says_too_long(_text(answer)):
            return Failure(TooLong("The conversation is more than the model's context."))
        case _:
            return Failure(BrokeContract(f"The endpoint says {status}."))


def retry_after(value: str) -> float | None:
    """Seconds that a Retry-After header asks for, 0 to a day; None where it makes no sense."""
    value = value.strip()
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        seconds = float(value)
        return seconds if math.isfinite(seconds) and 0 <= seconds <= DAY else None
    with contextlib.suppress(ValueError, TypeError, OverflowError, IndexError):
        date = parsedate_to_datetime(value)
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
        return seconds if 0 <= seconds <= DAY else None
    return None


def _text(answer: Answer) -> str:
    # Looked at, never repeated: an endpoint's words may hold what was asked, or its own secrets.
    with contextlib.suppress(Failure):
        return answer.body(ERROR_BYTES).decode("utf-8", "replace")
    return ""


def error_in_reply(words: str) -> BackendError | None:
    """`TooLong` where an error that came inside a reply means that, else None."""
    return (
        TooLong("The conversation is more than the model's context.")
        if says_too_long(words)
        else None
    )
