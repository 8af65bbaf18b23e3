"""Learns the weights of `safety/learned.py` from the messages in `sets/dev`; writes them.

    python -m tests.safety.learn            # safety/learned.tsv
    python -m tests.safety.learn turkish    # safety/learned_tr.tsv, from `sets/dev_turkish` as well

Needs scikit-learn (`requirements-train.txt`). Multinomial logistic regression with an L2 penalty on
features that are there or not, weighed by how rare they are (`safety.learned.scaled`). The
sentences under every rule's `examples` and `not` are learned from too. Prints which share of each
writer's messages reaches each of `BOUNDS` where it learned from the others' alone: which writer it
was, an id begins with. The bounds in `safety/learned.py` were chosen on writers so left out.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix, diags
from sklearn.linear_model import LogisticRegression

from safety import learned
from safety.finding import Level
from safety.learned import features, scaled
from safety.red_flags import hear
from safety.rules import TURKISH, load
from tests.safety.sets import rows

PENALTY = 0.7
"""The inverse of the penalty, as scikit-learn's `C`."""
BOUNDS = (0.2, 0.4, 0.6, 0.7)
"""The probabilities of danger that are counted."""
RARE = 3
"""Messages that a feature must be in."""
RARE_TURKISH = 2
"""The same where there are few messages."""
LEVELS = [Level.NONE, Level.EMERGENCY, Level.CRISIS]

Told = tuple[frozenset[str], Level, str]
"""A message's features, what it is, and who wrote it."""


def told() -> list[Told]:
    """Everything that is learned from."""
    rules = load()
    found = [(row.text, row.level, row.id.split("-")[0]) for row in rows("dev")]
    for rule in rules.rules:
        found += [(text, rule.level, "rules") for text in rule.examples]
        found += [(text, Level.NONE, "rules") for text in rule.near_misses]
    return [(features(hear(rules, text).words), level, who) for text, level, who in found]


def told_in_turkish() -> list[Told]:
    """What the Turkish weights are learned from: the Turkish messages of `dev` too."""
    rules = load(TURKISH)
    some = [*rows("dev_turkish"), *(row for row in rows("dev") if row.variant == "tr")]
    found = [(row.text, row.level, row.id.split("-")[0]) for row in some]
    for rule in rules.rules:
        found += [(text, rule.level, "rules") for text in rule.examples]
        found += [(text, Level.NONE, "rules") for text in rule.near_misses]
    return [(features(hear(rules, text).words), level, who) for text, level, who in found]


class Fit:
    """What a regression on `some` gives."""

    def __init__(self, some: Sequence[Told], rare: int) -> None:
        counted = Counter(each for features, _, _ in some for each in features)
        names = sorted(each for each, n in counted.items() if n >= rare)
        self.index = {each: at for at, each in enumerate(names)}
        in_how_many = np.array([counted[each] for each in names])
        self.rarity = np.log((1 + len(some)) / (1 + in_how_many)) + 1
        labels = [LEVELS.index(level) for _, level, _ in some]
        model = LogisticRegression(C=PENALTY, max_iter=2_000, class_weight="balanced")
        model.fit(self.matrix(some), labels)
        self.weights = model.coef_ - model.coef_[0]
        self.bias = model.intercept_ - model.intercept_[0]

    def matrix(self, some: Sequence[Told]) -> csr_matrix:
        places = [[self.index[f] for f in each[0] if f in self.index] for each in some]
        ends = np.cumsum([0, *map(len, places)])
        flat = np.concatenate([np.array(each, dtype=int) for each in places])
        shape = (len(some), len(self.index))
        weighed = csr_matrix((np.ones(len(flat)), flat, ends), shape) @ diags(self.rarity)
        squares = np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel()
        return diags([scaled(each) for each in squares]) @ weighed

    def odds(self, some: Sequence[Told]) -> np.ndarray:
        """Of each message, the odds of either level against none."""
        scores = self.matrix(some) @ self.weights.T + self.bias
        return np.exp(scores[:, 1:])

    def written(self) -> str:
        """The file: the bias, and a line for each feature."""
        lines = [_line("", 1.0, self.bias)]
        for name, at in self.index.items():
            lines.append(_line(name, self.rarity[at], self.weights[:, at]))
        return "\n".join(lines) + "\n"


def _line(name: str, rarity: float, weights: np.ndarray) -> str:
    return f"{name}\t{rarity:.2f}\t{weights[1]:.3f}\t{weights[2]:.3f}"


def crossed(some: Sequence[Told], rare: int) -> np.ndarray:
    """The probability of either level, of each message by what the other writers' say."""
    found = np.zeros(len(some))
    for writer in {who for _, _, who in some}:
        own = [at for at, each in enumerate(some) if each[2] == writer]
        fit = Fit([each for each in some if each[2] != writer], rare)
        either = fit.odds([some[at] for at in own]).sum(axis=1)
        found[own] = either / (1 + either)
    return found


def main() -> int:
    turkish = sys.argv[1:] == ["turkish"]
    some, rare = (told_in_turkish(), RARE_TURKISH) if turkish else (told(), RARE)
    likely = crossed(some, rare)
    levels = np.array([LEVELS.index(level) for _, level, _ in some])
    writers = np.array([who for _, _, who in some])
    for writer in ["", *sorted(set(writers))]:
        parts: list[str] = []
        for at, level in enumerate(LEVELS):
            own = likely[(levels == at) & ((writers == writer) | (writer == ""))]
            if len(own):
                shares = [f"{np.mean(own >= bound):.1%}" for bound in BOUNDS]
                parts.append(f"{level.value} {' '.join(shares)} of {len(own)}")
        print(f"{writer or 'all'}: {', '.join(parts)}", flush=True)
    (learned.TURKISH if turkish else learned.FILE).write_text(Fit(some, rare).written(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
