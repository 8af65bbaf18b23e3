"""What the red flags cost: to load, and to read a message, by length and kind of text.

    python -m benchmarks.red_flags [--quick]

Beside it the plain alternative: the same phrases, each as one regular expression, all tried on the
text; without misspellings, negation, or any other guard. Each figure is the best of its rounds.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from benchmarks.report import aim, load, setting, table
from chat.conversation import MAX_QUESTION_CHARS
from safety.red_flags import read
from safety.rules import FILE, Rules
from safety.rules import load as load_rules

SEED = 5
ROUNDS = 30
AIM = 10.0
"""Milliseconds for a message at the length limit."""
LOAD = "import time; t = time.process_time(); from safety.rules import load; load(); "
LOAD += "print(time.process_time() - t)"


def best(run: Callable[[], object], rounds: int) -> float:
    """Milliseconds of CPU of the quickest round."""
    times: list[float] = []
    for _ in range(rounds):
        began = time.process_time()
        run()
        times.append(time.process_time() - began)
    return min(times) * 1_000


def loading(rounds: int) -> float:
    """Milliseconds of CPU that a new process needs for the rules, imports included."""
    command = [sys.executable, "-c", LOAD]
    runs = [
        subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(rounds)
    ]
    return min(float(run.stdout) for run in runs) * 1_000


def texts(rules: Rules) -> dict[str, str]:
    """At the length limit: prose, the rules' own sentences, their words alone, and no words."""
    chance = random.Random(SEED)  # noqa: S311
    examples = [each for rule in rules.rules for each in (*rule.examples, *rule.near_misses)]
    chance.shuffle(examples)
    words = sorted(word for word in rules.lexicon.vocabulary if word.isascii())
    prose = (
        "We were at my sister's place by the lake for the weekend, and it rained most of the time. "
        "The children played cards while the adults cooked something with beans and far too much "
        "garlic. On Sunday I noticed that my knee was a little stiff after the long drive home. "
    )
    letters = "abcdefghijklmnopqrstuvwxyz    "
    whole = {
        "prose": prose * 40,
        "sentences of the rules": " ".join(examples),
        "words of the rules": " ".join(chance.choice(words) for _ in range(3_000)),
        "letters at random": "".join(chance.choice(letters) for _ in range(MAX_QUESTION_CHARS)),
        "Chinese": "我昨天和朋友去公园散步,天气很好,我们吃了面条。" * 400,
    }
    return {name: text[:MAX_QUESTION_CHARS] for name, text in whole.items()}


def plain() -> Callable[[str], int]:
    """One regular expression for each phrase of the file."""
    parts = re.findall(r'^phrases = """\n(.*?)"""', FILE.read_text("utf-8"), re.DOTALL | re.M)
    phrases = {each.strip() for part in parts for each in re.split(r"[,\n]", part) if each.strip()}
    patterns = [re.compile(_pattern(phrase)) for phrase in sorted(phrases)]
    return lambda text: sum(pattern.search(text) is not None for pattern in patterns)


def _pattern(phrase: str) -> str:
    words = re.sub(r"[@#?]", "", phrase).split()
    gaps = {"..": r"(?:\w+\W+){0,3}", "...": r"(?:\w+\W+){0,6}"}
    return r"\b" + "".join(gaps.get(word) or _alternatives(word) for word in words)


def _alternatives(word: str) -> str:
    forms = re.escape(word).replace(r"\|", "|").replace(r"\*", r"\w*")
    return f"(?:{forms})" + r"\W+"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.red_flags")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 3 if parser.parse_args(argv).quick else ROUNDS
    rules = load_rules()
    print(setting())
    print(f"* {len(rules.rules)} rules, best of {rounds} rounds, CPU time\n")
    print(f"Loading the rules in a new process: {loading(min(rounds, 5)):.0f} ms\n")
    scan = plain()
    rows: list[list[str]] = []
    for name, text in texts(rules).items():
        ours = best(lambda text=text: read([text]), rounds)
        half = best(lambda text=text: read([text[: len(text) // 2]]), rounds)
        theirs = best(lambda text=text: scan(text.lower()), min(rounds, 3))
        row = [name, f"{ours:.1f}", f"{half / ours:.2f}", f"{theirs:.0f}", f"{ours / theirs:.3f}"]
        rows.append([*row, aim(ours, AIM)])
    head = [f"{MAX_QUESTION_CHARS:,} characters", "ours, ms", "half of it / all"]
    print(table([*head, "plain, ms", "ours / plain", "aim, ms"], rows))
    print(f"\nLoad average at the end: {load()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
