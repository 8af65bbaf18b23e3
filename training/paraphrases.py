"""Which questions restate one of another set: what an evaluation asks must not be trained on.

By the cosine of word weights (tf-idf). The data's keepers searched with it too, but read what they
found: all pairs above 0.5, and down to about 0.3 where the patient's age agreed; they call that not
exhaustive. Here whatever is close enough goes, unread: some restatements are missed, and some rows
go that are none.
"""

# scikit-learn is not in the environment of the page, where types are checked.
# pyright: reportMissingImports=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BLOCK = 1_000
"""Questions compared at once: bounds the memory."""


def paraphrased(questions: Sequence[str], others: Sequence[str], similarity: float) -> set[int]:
    """The places in `questions` of those that restate one of `others`."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not questions or not others:
        return set()
    words: Any = TfidfVectorizer(stop_words="english", sublinear_tf=True)
    words.fit([*questions, *others])
    known: Any = words.transform(others).T
    found: set[int] = set()
    for start in range(0, len(questions), BLOCK):
        nearest: Any = (words.transform(questions[start : start + BLOCK]) @ known).max(axis=1)
        found |= {start + int(n) for n in (nearest.toarray().ravel() >= similarity).nonzero()[0]}
    return found
