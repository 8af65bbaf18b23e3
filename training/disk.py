"""Whether an error says that the disk is full."""

from __future__ import annotations

import errno

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
IN_WORDS = (
    *(f"os error {number}" for number in FULL),  # what is written in Rust
    "file write failed",  # torch.save
    "unexpected pos",  # torch.save
)
SENTENCE = "The disk is full. Make room and run the same command again: it goes on."


def disk_full(error: BaseException | None) -> bool:
    """Of it, or of any that it came of: libraries wrap such errors in their own."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if any(words in str(error) for words in IN_WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False
