"""The safety layer, one part of it after the other switched off: its tests must fail.

A copy of the project gets one change, which takes out what a part does, and the part's tests are
run there. That they pass without the change is what the rest of the suite shows.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT


@dataclass(frozen=True, slots=True)
class Switch:
    """What is written in place of `old` in `file`, and the tests that must notice."""

    part: str
    file: str
    old: str
    new: str
    tests: str


SWITCHES = [
    Switch(
        "1 red flags",
        "safety/red_flags.py",
        "    if not found:\n",
        "    if found or not found:\n",
        "tests/safety/test_red_flags.py",
    ),
    Switch(
        "1 every rule has its sentences",
        "safety/red_flags.py",
        "    return [rule for rule in rules.rules if _fires(rule, places[rule.level])]\n",
        "    return [rule for rule in rules.rules[1:] if _fires(rule, places[rule.level])]\n",
        "tests/safety/test_rules.py",
    ),
    Switch(
        "1 the learned weights",
        "safety/red_flags.py",
        "    for level in sorted(alarms - {Level.NONE}, key=lambda each: each.value):\n",
        "    for level in set():\n",
        "tests/safety/test_learned.py",
    ),
    Switch(
        "2 the page's notices",
        "ui/asking.py",
        "    return emergency or KEEP, crisis or KEEP\n",
        "    return KEEP, KEEP\n",
        "tests/ui/test_alarm.py::test_the_notice_comes_where_every_place_is_taken",
    ),
    Switch(
        "2 the page asks no model in a crisis",
        "ui/asking.py",
        "        if replied := self.fixed(finding, posed.so_far):\n",
        "        if replied := []:\n",
        "tests/ui/test_alarm.py"
        "::test_whoever_calls_the_pages_function_by_hand_reaches_no_model_either",
    ),
    Switch(
        "2 the endpoint asks no model in a crisis",
        "endpoint/asking.py",
        "        text = fixed_reply(finding, self.backend.info.unreliable)\n",
        "        text = None\n",
        "tests/endpoint/test_safety.py",
    ),
    Switch(
        "3 what kills is withheld",
        "safety/watch.py",
        "            self.rule = verdict.rule\n",
        "            self.rule = None\n",
        "tests/safety/test_screen.py",
    ),
    Switch(
        "3 what is disarmed",
        "safety/screen.py",
        "            self._markdown.write(passed)\n",
        "            self._markdown.text += passed\n",
        "tests/safety/test_screen.py",
    ),
    Switch(
        "4 control tokens",
        "chat/typed_markers.py",
        '    return _MARKER.sub(r"\\g<0> ", text)\n',
        "    return text\n",
        "tests/chat/test_typed_markers.py tests/backend/test_typed_tokens.py",
    ),
    Switch(
        "4 forged history",
        "chat/conversation.py",
        "            return Turn(Role.ASSISTANT, text) if finished else None\n",
        "            return Turn(Role.ASSISTANT, text)\n",
        "tests/chat/test_conversation.py",
    ),
    Switch(
        "5 how often",
        "ui/limits.py",
        "        return key != OWNER and self._rates.limited\n",
        "        return False\n",
        "tests/ui/test_limits.py::test_the_seventh_question_in_a_minute_is_told_how_long_to_wait",
    ),
    Switch(
        "5 the day's budget",
        "ui/limits.py",
        "        if self._budget.used_up:\n",
        "        if False:\n",
        "tests/ui/test_limits.py::test_when_the_days_tokens_are_used_up_it_says_so_until_tomorrow",
    ),
    Switch(
        "6 no text in the log",
        "ui/logs.py",
        '        return place(ei[1]) if ei[1] is not None else ""\n',
        "        return super().formatException(ei)\n",
        "tests/ui/test_logs.py",
    ),
    Switch(
        "7 reasoning is not shown",
        "ui/page.py",
        "        self._show_reasoning = settings.show_reasoning\n",
        '        self._show_reasoning = "open"\n',
        "tests/ui/test_page.py::test_a_trace_that_is_switched_off_never_reaches_the_browser",
    ),
]
LEFT = (".*", "__pycache__", "models")


@pytest.mark.browser
@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.part)
def test_a_part_that_is_switched_off_is_noticed(switch: Switch, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT))
    (copy / "models").symlink_to(ROOT / "models")
    file = copy / switch.file
    written = file.read_text("utf-8")
    assert written.count(switch.old) == 1
    file.write_text(written.replace(switch.old, switch.new), "utf-8")
    asked = [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", *switch.tests.split()]
    run = subprocess.run(asked, check=False, cwd=copy, capture_output=True, text=True, timeout=120)
    # 1 is that tests failed; nothing collected, a fault in the change or in an import are others.
    assert run.returncode == 1, run.stdout[-2000:]
    assert " failed" in run.stdout.splitlines()[-1]


def test_every_part_has_a_switch() -> None:
    assert {switch.part[0] for switch in SWITCHES} == set("1234567")
