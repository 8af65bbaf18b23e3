"""The page on a small web plan: 0.1 and 0.5 of a core, imitated on this machine.

    python -m benchmarks.small_cpu [--quick]

Beside a plain ChatInterface with its limits lifted: seconds from the start of the process to the
first 200; CPU while nobody asks; and how many chats of 20 tokens/s keep up. Of `python app.py`
with its model besides: how fast it answers, and in how much memory. The limit is a control
group's quota where one can be made, see `benchmarks/quota.py`; visitors, as in `many_chats`, and
the endpoint stand outside of it. A load keeps up if every reply of it is whole within 1.2 times
what its source needs, counted from the question; one that does not is tried a second time, since
other work on the machine can only make it worse.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from statistics import median

from benchmarks.quota import small_cpu
from benchmarks.report import aim, load, setting, table
from benchmarks.server import PLAIN
from benchmarks.small_plan import LATE, OPEN, RATE, Answered, Plan, Seen, measure

FULL = Plan({0.1: (2, 4, 6, 8, 12, 16, 20), 0.5: (10, 20, 30, 40, 60, 80, 100)}, 2, 200, 20.0)
QUICK = Plan({0.5: (2, 4)}, 1, 40, 3.0)


def starts_table(seen: Seen) -> str:
    plain = median(seen.starts[PLAIN].page)
    rows = [
        [
            which,
            f"{median(each.healthy):.1f}",
            f"{median(each.page):.1f}",
            f"{median(each.page) / plain:.2f}",
            f"{median(each.ready):.1f}" if each.ready else "",
            f"{median(each.cpu):.2f}",
            aim(median(each.page), 60) if which != PLAIN else "",
        ]
        for which, each in seen.starts.items()
    ]
    head = ["seconds from the start, median", "first 200 of its health", "of the page",
            "over plain", "model ready", "CPU s to the page", "aim for the page"]  # fmt: skip
    return table(head, rows)


def model_table(answered: Sequence[Answered]) -> str:
    def row(name: str, values: list[float], most: float | None = None) -> list[str]:
        return [name, f"{median(values):.3g}", aim(max(values), most) if most else ""]

    rows = [
        row("first text, s", [each.first for each in answered]),
        row("tokens/s", [each.speed for each in answered]),
        row("memory, one question, MB", [each.alone for each in answered]),
        row("memory, two at once, MB", [each.both for each in answered], 512),
        row("slowest /healthz meanwhile, s", [each.probe for each in answered], 5),
    ]
    return table(["its own model answers", "median", "aim, of the worst"], rows)


def idle_table(seen: Seen, share: float) -> str:
    rows = [
        [which, *(f"{seen.idle[which, pages] * 100:.2f}" for pages in (0, OPEN)),
         *(f"{seen.idle[which, pages] / share * 100:.0f}" for pages in (0, OPEN)),
         f"{seen.idle[which, 0] / seen.idle[PLAIN, 0]:.2f}"]
        for which in seen.loads
    ]  # fmt: skip
    head = ["idle CPU", "% of a core", f"with {OPEN} pages open", "% of what it has",
            f"with {OPEN} pages open", "over plain"]  # fmt: skip
    return table(head, rows)


def loads_table(seen: Seen) -> str:
    most = {which: max((each.chats for each in loads if each.late <= LATE), default=0)
            for which, loads in seen.loads.items()}  # fmt: skip
    rows: list[list[str]] = []
    for which, loads in seen.loads.items():
        kept = {each.chats: each for each in loads}.get(most[which])
        first = f"{loads[-1].late:.2f} with {loads[-1].chats}" if loads[-1].late > LATE else "none"
        rows.append(
            [
                which,
                str(most[which]),
                f"{most[which] / most[PLAIN]:.1f}" if most[PLAIN] else "",
                f"{kept.late:.2f}" if kept else "",
                f"{kept.probe:.2f}" if kept else "",
                first,
            ]
        )
    head = ["chats that keep up", "most", "over plain", "late then", "slowest health then, s",
            "the next: late"]  # fmt: skip
    return table(head, rows)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="two minutes; figures mean little")
    plan = QUICK if parser.parse_args(argv).quick else FULL
    print(setting())
    with small_cpu(0.5) as quota:
        print(f"* imitated by: {quota.how}")
    print(f"* {plan.starts} starts of each; {plan.tokens} tokens at {RATE:.0f}/s each", flush=True)
    for share in plan.loads:
        seen = measure(share, plan)
        print(f"\n### {share:g} CPU\n")
        print(starts_table(seen), model_table(seen.answered), sep="\n\n", end="\n\n")
        print(idle_table(seen, share), loads_table(seen), sep="\n\n", flush=True)
    print(f"\nLoad average at the end: {load()}")


if __name__ == "__main__":
    main()
