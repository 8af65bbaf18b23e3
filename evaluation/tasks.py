"""A task on inspect-ai: its samples, its scorer, and the log that holds every reply.

inspect-ai asks, retries, shows progress and keeps each reply as it comes. What is scored for the
report is scored again from the log (`result.py`), by the same rule.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

from inspect_ai import Task, eval_set  # pyright: ignore[reportUnknownVariableType]
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog, EvalSample, list_eval_logs, read_eval_log
from inspect_ai.model import GenerateConfig, Model, ModelOutput, get_model
from inspect_ai.scorer import Score as Scored
from inspect_ai.scorer import Scorer, Target, mean, scorer
from inspect_ai.solver import TaskState, generate

from evaluation import emergencies, multiple_choice, open_answers, refusals
from evaluation.asked import Asked, Score, unscored
from evaluation.client import ENDPOINT, reply_of
from evaluation.served import Served

GRADER = "grader"
JUDGE_TOKENS = 2_048
VERDICT = "verdict"
Effort = Literal["low", "medium", "high"]


class Unfinished(Exception):
    """Some questions have no reply yet; those that have are kept, and the same command goes on."""


class Interrupted(Unfinished):
    """The same, because somebody pressed Ctrl-C: nothing else is to be begun."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """What is asked of the endpoint with each question. `effort` None asks for none."""

    effort: Effort | None
    max_tokens: int
    temperature: float
    top_p: float
    seed: int


@dataclass(frozen=True, slots=True)
class Where:
    """The endpoint, and how it is asked. `judge` is a model of another endpoint, or None."""

    base: str
    named: str
    """What `base` was asked for as: the same for one of our own, whatever its port."""
    logs: Path
    concurrent: int
    retries: int
    """Of one question, each after a longer wait, so that an endpoint that is full is let be."""
    display: Literal["rich", "plain", "none"]
    judge: Model | None = None
    failures: bool = False
    """Whether questions that failed to the last are given, to be counted as unscored."""


def run(asked: Asked, served: Served, sampling: Sampling, where: Where) -> EvalLog:
    """Ask what was not asked yet, and give the log of all. Raises `Unfinished`, `Interrupted`."""
    model = get_model(
        f"{ENDPOINT}/{served.id}", base_url=where.base, memoize=False,
        config=GenerateConfig(max_connections=where.concurrent),
    )  # fmt: skip
    done, logs = eval_set(
        _task(asked, served, sampling, where),
        log_dir=str(where.logs),
        log_dir_allow_dirty=True,
        model=model,
        model_roles={GRADER: where.judge} if where.judge else None,
        metadata={
            "data": dict(asked.data), "model": asdict(served), "sampling": asdict(sampling),
            "judge": where.judge.name if where.judge else None,
        },
        display=where.display,
        max_samples=where.concurrent,
        log_buffer=1,
        log_realtime=False,
        log_model_api=False,
        continue_on_fail=True,  # one question that always fails keeps no other from being asked
        retry_attempts=0,
        retry_immediate=False,
        ctl_server=False,
    )  # fmt: skip
    # Interrupted by Ctrl-C, it says that all is done, and gives no log.
    log = read_eval_log(logs[0].location) if logs else None
    samples = (log.samples or []) if log else []
    ids = {item.id for item in asked.items}
    answered = sum(each.error is None and str(each.id) in ids for each in samples)
    if log is None:
        raise Interrupted(
            f"{asked.name}: what was answered is kept. The same command goes on from there."
        )
    tried = sum(str(each.id) in ids for each in samples) == len(ids)
    if (done and answered == len(ids)) or (where.failures and tried):
        return log
    raise Unfinished(
        f"{asked.name}: {answered} of {len(ids)} questions are answered and kept. The same command "
        f"goes on from there.{_why(samples)}"
    )


def finished(logs: Path) -> Iterator[EvalLog]:
    """The logs in the folder that have a reply to every question, oldest first."""
    for each in reversed(list_eval_logs(str(logs))):
        log = read_eval_log(each)
        if log.status == "success" and not any(map(failure, log.samples or [])):
            yield log


def rule_of(name: str) -> Any:
    """The rule that scores a reply to the task `name`, as `Asked.rule`."""
    others = {"open": open_answers.score, "refusal": refusals.score, "emergency": emergencies.score}
    return others.get(name, multiple_choice.score)


def scored(name: str, sample: EvalSample) -> Score:
    """The score of one reply in a log, by the rules of today."""
    facts, reply = _facts(sample.metadata), reply_of(sample.output)
    for each in (sample.scores or {}).values():
        verdict = (each.metadata or {}).get(VERDICT)
        if verdict is not None:
            none = unscored(reply, safety_of(sample.output))
            return none or open_answers.judged(facts, verdict)
    return cast("Score", rule_of(name)(facts, reply, safety_of(sample.output)))


def safety_of(output: ModelOutput) -> dict[str, Any]:
    """What the endpoint said in `safety`; empty where it found nothing."""
    return (output.metadata or {}).get("safety") or {}


def _task(asked: Asked, served: Served, sampling: Sampling, where: Where) -> Task:
    samples = [
        Sample(id=item.id, input=item.prompt, metadata={"group": item.group, "facts": item.facts})
        for item in asked.items
    ]
    return Task(
        name=asked.name,
        # What makes two runs one: the same questions of the same model, asked the same way.
        version=_hash(
            [
                asked.data,
                asked.items[0].prompt if asked.items else "",  # the first is the same for every n
                where.named,
                served.revision,
                sampling.seed,
                where.judge.name if where.judge else None,
            ]
        ),
        dataset=MemoryDataset(samples, name=asked.name),
        solver=generate(),
        scorer=_judged(where.retries) if where.judge else _by_rule(asked),
        config=GenerateConfig(
            max_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=sampling.seed,
            reasoning_effort=sampling.effort,
            max_retries=where.retries,
        ),
    )


def _by_rule(asked: Asked) -> Scorer:
    @scorer(metrics=[mean()], name="by_rule")
    def by_rule() -> Scorer:
        async def score(state: TaskState, target: Target) -> Scored:
            safety = safety_of(state.output)
            return _told(asked.rule(_facts(state.metadata), reply_of(state.output), safety))

        return score

    return by_rule()


@scorer(metrics=[mean()], name="judged")
def _judged(retries: int) -> Scorer:
    async def score(state: TaskState, target: Target) -> Scored:
        facts, reply = _facts(state.metadata), reply_of(state.output)
        if (none := unscored(reply, safety_of(state.output))) is not None:
            return _told(none)
        question = open_answers.judging(state.input_text, facts, reply)
        config = GenerateConfig(temperature=0.0, max_tokens=JUDGE_TOKENS, max_retries=retries)
        output = await get_model(role=GRADER).generate(question, config=config)
        verdict = reply_of(output).answer
        told = _told(open_answers.judged(facts, verdict))
        return told.model_copy(update={"metadata": {VERDICT: verdict}})

    return score


def _told(score: Score) -> Scored:
    if score.value is None:
        return Scored.unscored(reason=score.why)
    return Scored(value=score.value, answer=score.read)


def _facts(metadata: dict[str, Any] | None) -> dict[str, Any]:
    return (metadata or {}).get("facts") or {}


def _hash(parts: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]


def failure(sample: EvalSample) -> str:
    """The kind of what kept a reply from coming, "" where one came. Its text may quote what was
    said, and is not told."""
    if sample.error is None:
        return ""
    kind = sample.error.message.partition("(")[0].strip()
    return kind if kind.isidentifier() else "an error"


def _why(samples: Sequence[EvalSample]) -> str:
    failed = [kind for kind in map(failure, samples) if kind]
    return f" The first failure: {failed[0]}." if failed else ""
