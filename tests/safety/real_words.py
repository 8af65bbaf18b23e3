"""Which English words are spelt like a misspelling of one of the rules', and must not be taken so.

    python -m tests.safety.real_words words.txt

`words.txt` has one word a line; `safety/real_words.txt` is what remains of Debian's `wamerican`
(SCOWL, free to use). Run it after adding words to the rules. A regular form of a rule's own word
("chests") is not in the list, because it is well read as that word.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from safety.lexicon import Lexicon
from safety.rules import load
from safety.typos import LONGEST, SHORTEST, Typos

FILE = Path(__file__).parents[2] / "safety" / "real_words.txt"


def mistaken(words: Iterable[str], lexicon: Lexicon) -> list[str]:
    """Those of `words` that would be read as another."""
    typos = Typos(lexicon.correctable, frozenset())
    found: list[str] = []
    for word in sorted({word.strip().lower() for word in words}):
        if not (word.isascii() and word.isalpha() and SHORTEST - 1 <= len(word) <= LONGEST):
            continue
        if lexicon.knows(word):
            continue
        meant = typos.meant(word)
        if meant is None:
            if typos.parts(word):
                found.append(word)
        elif not _is_form(word, meant):
            found.append(word)
    return found


def _is_form(word: str, of: str) -> bool:
    endings = ("s", "es", "d", "ed", "ing")
    return word in {of + ending for ending in endings} or word == of.removesuffix("e") + "ing"


def main() -> int:
    if len(sys.argv) != 2:
        print("Name one file of words: python -m tests.safety.real_words words.txt")
        return 2
    words = Path(sys.argv[1]).read_text("utf-8").splitlines()
    FILE.write_text("\n".join(mistaken(words, load().lexicon)) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
