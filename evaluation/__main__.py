"""Measure what an endpoint serves, and write it down:

    python -m evaluation medqa --endpoint http://127.0.0.1:8000/v1 --n 300 --effort low,medium,high
    python -m evaluation medqa medmcqa pubmedqa mmlu --model all     # the embedded model, both ways
    python -m evaluation rescore                                     # kept replies, today's rules
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
from evaluation.tasks import Effort, Interrupted, Sampling, Unfinished, Where, finished, run

TASKS = (*multiple_choice.NAMES, "open", "refusal", "emergency")
REPORT, RESCORE = "report", "rescore"
EFFORTS = ("low", "medium", "high")
UNSET = "unset"
LOGS = Path("runs/evaluation")
MAX_TOKENS = 4_096


def main(given: Sequence[str] | None = None) -> int:
    """Exit codes: 0 all was measured, 1 not all was answered, 2 it could not be asked."""
    wanted = _flags().parse_args(given)
    try:
        if wanted.tasks == [RESCORE]:
            _rescore(wanted)
        elif wanted.tasks != [REPORT]:
            asked = [_ask(name, wanted) for name in wanted.tasks]
            with _endpoint(wanted.endpoint) as base:
                unfinished = _measure(asked, base, wanted)
            if unfinished:
                return 1
    except (QuestionsError, EndpointError) as error:
        print(error, file=sys.stderr)
        return 2
    except Interrupted as error:
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
    flags.add_argument("tasks", nargs="+", choices=(*TASKS, REPORT, RESCORE), metavar="TASK",
                       help=f"some of {', '.join(TASKS)}; or {REPORT}, or {RESCORE}")  # fmt: skip
    flags.add_argument("--endpoint", help="its address, ending in /v1; our own, embedded, if none")
    flags.add_argument("--model", help="model ids, with commas between, or all; the first if none")
    flags.add_argument("--revision", default="", help="of the model, where the endpoint tells none")
    flags.add_argument("--parent", default="", help="its base's id, where the endpoint tells none")
    flags.add_argument("--n", type=_count, default=300, help="questions of each task (300)")
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
    flags.add_argument("--failed-unscored", action="store_true",
                       help="publish although some failed to the last: as unscored")  # fmt: skip
    flags.add_argument("--judge", help="a judge's endpoint for open answers; key in JUDGE_API_KEY")
    flags.add_argument("--judge-model", help="the judge's model id")
    flags.add_argument("--logs", type=Path, default=LOGS, help=f"where replies are kept ({LOGS})")
    flags.add_argument("--results", type=Path, default=RESULTS, help="(evaluation/results)")
    flags.add_argument("--page", type=Path, default=report.PAGE, help="(docs/evaluation.md)")
    flags.add_argument("--no-report", action="store_true", help="leave the page as it is")
    return flags


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of questions: 1 or more")
    return int(text)


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
        case "report" | "rescore":
            raise QuestionsError(f"{name} stands alone: measure first, then {name}.")
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


def _measure(asked: Sequence[Asked], base: str, wanted: argparse.Namespace) -> bool:
    """Whether some have questions left. Raises `EndpointError` and `Interrupted`."""
    served = chosen(models(base), wanted.model)
    where = Where(
        base=base,
        named=wanted.endpoint or "our own, embedded",
        logs=wanted.logs,
        concurrent=wanted.concurrent or (8 if wanted.endpoint else 1),
        retries=wanted.retries,
        display="rich" if sys.stdout.isatty() else "plain",
        judge=_judge(wanted),
        failures=wanted.failed_unscored,
    )
    unfinished = False
    for task in asked:
        for effort in wanted.effort:
            # One model after the other for each task: what is cut short still has pairs.
            for each in served:
                try:
                    _one(task, each, effort, where, wanted)
                except Interrupted:
                    raise
                except Unfinished as error:
                    print(error, file=sys.stderr)
                    unfinished = True
    return unfinished


def _rescore(wanted: argparse.Namespace) -> None:
    """The results of all finished logs again, by the rules of today. Asks nobody anything."""
    for log in finished(wanted.logs):
        result = of_log(log, {str(sample.id) for sample in log.samples or []})
        print(f"wrote {save(result, wanted.results)}", flush=True)


def _one(
    task: Asked, served: Served, effort: Effort | None, where: Where, wanted: argparse.Namespace
) -> None:
    known = replace(
        served,
        revision=served.revision or wanted.revision,
        parent=served.parent or (wanted.parent if wanted.parent != served.id else None) or None,
    )
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
