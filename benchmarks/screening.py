"""What screening an answer costs: the rules, the neutralised Markdown, the marks, the caution.

    python -m benchmarks.screening [--quick]

An answer grows by 40 characters at a time, which is more often than the page looks at it; its cost
is CPU time of this process for each kilobyte, and must not depend on how long the answer is. *Calm*
text says nothing that a rule could be about, *armed* speaks of fatal doses in every sentence but
names no amount, and *linked* is made of links, citations and markup.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from benchmarks.report import aim, setting, table
from safety.screen import Screen

SIZES = (1_000, 35_000)
PIECE = 40
TEXTS = {
    "calm": "Serum potassium rises when the kidneys fail, so that an ECG comes first. Then treat. ",
    "armed": "An overdose can be fatal and a lethal dose differs, so nobody names one. Call. ",
    "linked": "See [NHS](https://www.nhs.uk/a), PMID 12345678, <b>10.1000/abc</b> and `x`. Rest. ",
}


def microseconds(sentence: str, size: int, rounds: int) -> float:
    """For each kilobyte; the best of `rounds`."""
    text = (sentence * (size // len(sentence) + 1))[:size]

    def once() -> float:
        screen, began = Screen(), time.process_time()
        for end in range(PIECE, size + PIECE, PIECE):
            screen.read("", text[:end], ended=end >= size)
        return time.process_time() - began

    return min(once() for _ in range(rounds)) * 1e6 / (size / 1_000)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one round; figures mean little")
    rounds = 1 if parser.parse_args(argv).quick else 7
    rows: list[list[str]] = []
    for name, sentence in TEXTS.items():
        short, long = (microseconds(sentence, size, rounds) for size in SIZES)
        per_update = long * PIECE / 1_000
        ratio = long / short
        rows.append(
            [
                name,
                f"{short:.0f}",
                f"{long:.0f}",
                f"{ratio:.2f}",
                aim(ratio, 1.5),
                f"{per_update:.0f}",
            ]
        )
    print(setting(), end="\n\n")
    head = [f"µs per kB, answer of {size // 1_000} kB" for size in SIZES]
    print(table(["text", *head, "ratio", "aim", "µs per update"], rows))


if __name__ == "__main__":
    main()
