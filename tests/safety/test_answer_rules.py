"""The rules that an answer is held against: each fires on its examples, and on no near miss."""

from __future__ import annotations

import re
import time

import pytest

from safety.answer_rules import FILE, Kind, Rule, Rules, load, parse
from safety.rules import RuleError

EVERY = [rule for kind in Kind for rule in load()[kind].rules]
CASES = [(rule, text) for rule in EVERY for text in rule.examples]
MISSES = [(rule, text) for rule in EVERY for text in rule.near_misses]


@pytest.mark.parametrize(("rule", "text"), CASES, ids=lambda each: getattr(each, "id", None))
def test_a_rule_fires_on_each_of_its_examples(rule: Rule, text: str) -> None:
    assert Rules([rule]).judge(text, ended=True).rule == rule.id


@pytest.mark.parametrize(("rule", "text"), MISSES, ids=lambda each: getattr(each, "id", None))
def test_no_rule_that_withholds_fires_on_a_near_miss(rule: Rule, text: str) -> None:
    assert Rules([rule]).judge(text, ended=True).rule is None
    if rule.kind is Kind.WITHHOLD:
        assert load()[Kind.WITHHOLD].judge(text, ended=True).rule is None


@pytest.mark.parametrize(
    "unit",
    ["fatal ", "1 ", "kill you ", "1-", "to die, ", "LD50 ", "how to ", "a", " ", "*", "30 g "],
)
def test_no_text_takes_long(unit: str) -> None:
    text = unit * (35_000 // len(unit))
    began = time.process_time()
    for kind in Kind:
        load()[kind].judge(text + " 30 tablets", ended=True)
        Rules(load()[kind].rules).judge(text, ended=False)
    assert time.process_time() - began < 5.0


def first_rule(change: str, to: str) -> str:
    whole = FILE.read_text("utf-8")
    head, rule = whole.split("[[rule]]")[:2]
    changed = re.sub(change, to, rule, count=1, flags=re.S)
    assert changed != rule
    return f"{head}[[rule]]{changed}"


@pytest.mark.parametrize(
    ("change", "to", "says"),
    [
        (r"\nexamples = \[.*?\n\]", "\nexamples = []", "'lethal-dose' has no examples"),
        (r"\nnear_misses = \[.*?\n\]", "", "'lethal-dose' has no near_misses"),
        (r"\nsource = [^\n]*", "", "'lethal-dose' has no source"),
        (r'"lethal_dose"', '"letal_dose"', "'lethal-dose' names the concept 'letal_dose'"),
        (r"\nwithin", "\nwithn", "'lethal-dose' has a field 'withn'"),
        (r"\n", "\n[", "Expected"),
    ],
)
def test_a_rule_that_is_not_whole_does_not_load_and_its_fault_is_named(
    change: str, to: str, says: str
) -> None:
    with pytest.raises(RuleError, match=says):
        parse(first_rule(change, to))


def test_two_rules_of_one_name_do_not_load() -> None:
    whole = FILE.read_text("utf-8")
    with pytest.raises(RuleError, match="same id"):
        parse(whole + "[[rule]]" + whole.split("[[rule]]")[1])
