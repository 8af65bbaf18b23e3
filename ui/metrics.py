"""Counts for the owner, in Prometheus' form. No text, no address and no key is in them.

Every label has a value of ours: how a run can end, the classes of errors, the ids of the safety
rules. Nothing that a visitor or a model wrote can become one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from backend.base import BackendError
from chat.reply import Reply
from safety.finding import Finding
from ui.budget import tokens_of

SECONDS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200)
RULE = re.compile(r"[a-z][a-z0-9_.-]{0,63}", re.ASCII)
MAX_RULES = 500
OTHER = "other"


class Uncounted:
    """Counts nothing: what stands in the place of `Metrics` where the owner wants none."""

    def ended(self, reply: Reply, error: BackendError | None) -> None:
        """A run has ended."""

    def refused(self, kind: str) -> None:
        """A question was not taken. `kind` is one of `ui.limits`."""

    def found(self, finding: Finding) -> None:
        """The safety layer has read a question."""

    def judged(self, verdict: str, reason: str) -> None:
        """A visitor has judged an answer. Both are words of `ui.feedback`."""


class Metrics(Uncounted):
    """Counters of this process, from its start. May be used from several threads."""

    def __init__(self) -> None:
        # Imported for those who want it: it takes as long as a twentieth of the page's start.
        from prometheus_client import (
            CollectorRegistry,
            Counter,
            Gauge,
            Histogram,
            disable_created_metrics,
        )

        disable_created_metrics()  # else the time at which a rule first fired would be told
        self._registry = own = CollectorRegistry()
        self._runs = Counter("medicalgpt_runs", "Runs by how they ended.", ["end"], registry=own)
        self._errors = Counter(
            "medicalgpt_errors", "Runs that failed, by class.", ["error"], registry=own
        )
        self._refused = Counter(
            "medicalgpt_refused", "Questions not taken, by why.", ["kind"], registry=own
        )
        self._levels = Counter(
            "medicalgpt_findings", "Questions by what was found.", ["level"], registry=own
        )
        self._rules = Counter(
            "medicalgpt_rules", "Safety rules that fired.", ["rule"], registry=own
        )
        self._judged = Counter(
            "medicalgpt_feedback", "Thumbs, by why.", ["verdict", "reason"], registry=own
        )
        self._tokens = Counter(
            "medicalgpt_tokens", "Tokens of replies; estimated where uncounted.", registry=own
        )
        self._seconds = Histogram(
            "medicalgpt_run_seconds", "Whole runs, queue included.", buckets=SECONDS, registry=own
        )
        self._first = Histogram(
            "medicalgpt_first_token_seconds",
            "From question to first text, queue included.",
            buckets=SECONDS,
            registry=own,
        )
        self._running = Gauge("medicalgpt_running", "Runs being answered.", registry=own)
        self._queued = Gauge("medicalgpt_queued", "Runs that wait for a place.", registry=own)
        self._known: set[str] = set()

    def watch(self, running: Callable[[], float], queued: Callable[[], float]) -> None:
        """Ask these two whenever somebody reads."""
        self._running.set_function(running)
        self._queued.set_function(queued)

    def ended(self, reply: Reply, error: BackendError | None) -> None:
        self._runs.labels(reply.end.value if reply.end else "none").inc()
        if error is not None:
            self._errors.labels(type(error).__name__).inc()
        self._tokens.inc(tokens_of(reply))
        self._seconds.observe((reply.ended_at or reply.started) - reply.started)
        if reply.time_to_first_token is not None:
            self._first.observe(reply.time_to_first_token)

    def refused(self, kind: str) -> None:
        self._refused.labels(kind).inc()

    def found(self, finding: Finding) -> None:
        self._levels.labels(finding.level.value).inc()
        for rule in set(finding.rules):
            self._rules.labels(self._bounded(rule)).inc()

    def judged(self, verdict: str, reason: str) -> None:
        self._judged.labels(verdict, reason).inc()

    def _bounded(self, rule: str) -> str:
        if rule not in self._known:
            if len(self._known) >= MAX_RULES or not RULE.fullmatch(rule):
                return OTHER
            self._known.add(rule)
        return rule

    def text(self) -> tuple[bytes, str]:
        """All of it as Prometheus reads it, and its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._registry), CONTENT_TYPE_LATEST
