"""Measure what an endpoint serves, and write it down:

    python -m evaluation medqa --endpoint http://127.0.0.1:8000/v1 --n 300 --effort low,medium,high
    python -m evaluation medqa medmcqa pubmedqa mmlu --model all     # the embedded model, both ways
    python -m evaluation report                                      # docs/evaluation.md again

Questions come from the folder that MEDICAL_DATA names, or from the hub where it is not set. Every
reply is kept in --logs as it comes; the same command again asks only what is missing. Results go to
evaluation/results, without a word of what was said.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

if importlib.util.find_spec("inspect_ai") is None:
    sys.exit("inspect-ai is missing: run `python -m pip install -r requirements-evaluation.txt`.")

from inspect_ai.model import GenerateConfig, Model, get_model

from evaluation import emergencies, multiple_choice, open_answers, refusals, report
from evaluation.asked import Asked
from evaluation.client import ENDPOINT, JUDGE
from evaluation.questions import QuestionsError
from evaluation.result import RESULTS, of_log, save
from evaluation.served import EndpointError, Served, chosen, models, own
from evaluation.tasks import Effort, Sampling, Unfinished, Where, run

TASKS = (*multiple_choice.NAMES, "open", "refusal", "emergency")
REPORT = "report"
EFFORTS = ("low", "medium", "high")
UNSET = "unset"
LOGS = Path("runs/evaluation")
MAX_TOKENS = 4_096


def main(given: Sequence[str] | None = None) -> int:
    """Exit codes: 0 all was measured, 1 not all was answered, 2 it could not be asked."""
    wanted = _flags().parse_args(given)
    try:
        if wanted.tasks != [REPORT]:
            asked = [_ask(name, wanted) for name in wanted.tasks]
            with _endpoint(wanted.endpoint) as base:
                _measure(asked, base, wanted)
    except (QuestionsError, EndpointError) as error:
        print(error, file=sys.stderr)
        return 2
    except Unfinished as error:
        print(error, file=sys.stderr)
        return 1
    if not wanted.no_report:
        for path in report.write(wanted.results, wanted.page):
            print(f"wrote {path}")
    return 0


def _flags() -> argparse.ArgumentParser:
    flags = argparse.ArgumentParser(
        "python -m evaluation", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    flags.add_argument("tasks", nargs="+", choices=(*TASKS, REPORT), metavar="TASK",
                       help=f"one or more of {', '.join(TASKS)}; or {REPORT} alone")  # fmt: skip
    flags.add_argument("--endpoint", help="its address, ending in /v1; our own, embedded, if none")
    flags.add_argument("--model", help="model ids, with commas between, or all; the first if none")
    flags.add_argument("--revision", default="", help="of the model, where the endpoint tells none")
    flags.add_argument("--n", type=int, default=300, help="questions of each task (300)")
    flags.add_argument("--effort", type=_efforts, default=["medium"],
                       help="low,medium,high, or some of them, or unset (medium)")  # fmt: skip
    flags.add_argument("--max-tokens", type=int, default=MAX_TOKENS,
                       help=f"of a reply, its reasoning included ({MAX_TOKENS})")  # fmt: skip
    flags.add_argument("--temperature", type=float, default=1.0, help="(1.0, gpt-oss's own)")
    flags.add_argument("--top-p", type=float, default=1.0, help="(1.0, gpt-oss's own)")
    flags.add_argument("--seed", type=int, default=42, help="of questions and sampling (42)")
    flags.add_argument("--concurrent", type=int, default=0,
                       help="questions at once (8; of our own 1: seeds hold)")  # fmt: skip
    flags.add_argument("--retries", type=int, default=8, help="of a question that fails (8)")
    flags.add_argument("--judge", help="a judge's endpoint for open answers; key in JUDGE_API_KEY")
    flags.add_argument("--judge-model", help="the judge's model id")
    flags.add_argument("--logs", type=Path, default=LOGS, help=f"where replies are kept ({LOGS})")
    flags.add_argument("--results", type=Path, default=RESULTS, help="(evaluation/results)")
    flags.add_argument("--page", type=Path, default=report.PAGE, help="(docs/evaluation.md)")
    flags.add_argument("--no-report", action="store_true", help="leave the page as it is")
    return flags


def _efforts(text: str) -> list[Effort | None]:
    names = text.split(",")
    if unknown := [name for name in names if name not in (*EFFORTS, UNSET)]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(EFFORTS)}, {UNSET}")
    return [None if name == UNSET else cast("Effort", name) for name in names]


def _ask(name: str, wanted: argparse.Namespace) -> Asked:
    """Raises `QuestionsError`."""
    data = os.environ.get("MEDICAL_DATA")
    folder = Path(data) if data else None
    match name:
        case "open":
            return open_answers.ask(wanted.seed, wanted.n)
        case "refusal":
            return refusals.ask(folder, wanted.seed, wanted.n)
        case "emergency":
            return emergencies.ask(wanted.seed, wanted.n)
        case "report":
            raise QuestionsError("report stands alone: measure first, then report.")
        case _:
            return multiple_choice.ask(name, folder, wanted.seed, wanted.n)


@contextmanager
def _endpoint(given: str | None) -> Generator[str]:
    if given is None:
        with own("embedded") as base:
            yield base
    elif given.startswith(("http://", "https://")) and given.rstrip("/").endswith("/v1"):
        yield given.rstrip("/")
    else:
        raise EndpointError("--endpoint must be an http address that ends in /v1.")


def _measure(asked: Sequence[Asked], base: str, wanted: argparse.Namespace) -> None:
    """Raises `EndpointError` and `Unfinished`."""
    served = chosen(models(base), wanted.model)
    where = Where(
        base=base,
        logs=wanted.logs,
        concurrent=wanted.concurrent or (8 if wanted.endpoint else 1),
        retries=wanted.retries,
        display="rich" if sys.stdout.isatty() else "plain",
        judge=_judge(wanted),
    )
    for task in asked:
        for effort in wanted.effort:
            # One model after the other for each task: what is cut short still has pairs.
            for each in served:
                _one(task, each, effort, where, wanted)


def _one(
    task: Asked, served: Served, effort: Effort | None, where: Where, wanted: argparse.Namespace
) -> None:
    known = Served(served.id, served.revision or wanted.revision, served.parent, served.unreliable)
    sampling = Sampling(
        effort, wanted.max_tokens, wanted.temperature, wanted.top_p, wanted.seed
    )  # fmt: skip
    if where.judge is not None and task.name != "open":
        where = replace(where, judge=None)
    log = run(task, known, sampling, where)
    result = of_log(log, {item.id for item in task.items})
    print(f"wrote {save(result, wanted.results)}", flush=True)


def _judge(wanted: argparse.Namespace) -> Model | None:
    if not wanted.judge:
        return None
    if not wanted.judge_model:
        raise EndpointError("--judge needs --judge-model, the id of the model that judges.")
    return get_model(
        f"{ENDPOINT}/{wanted.judge_model}", base_url=wanted.judge.rstrip("/"), service=JUDGE,
        memoize=False, config=GenerateConfig(max_connections=4),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
