"""The rules' file: each rule against its own sentences, and what does not load."""

from __future__ import annotations

import pytest

from safety.red_flags import find, hear
from safety.rules import FILE, Rule, RuleError, load, parse

RULES = load().rules

SMALL = """
[sets]
small = "a, the, my, is"
dropped = "a, the, my, is"
barriers = "not"
negators = "no, not"
after = "yok"
passing = "any, have"
past_verbs = "had"
asking = "what"
saying = "tell"
first_person = "i, my"
persons = "i, my, he"
kin = "dad"
telling = "cannot"
present = "is"
[lists]
pain = "pain, hurts"
[concepts.chest]
source = "NICE CG95"
phrases = "chest @pain, @pain .. chest"
[[rules]]
id = "cardiac.chest"
level = "emergency"
category = "cardiac"
source = "NICE CG95"
all = ["chest"]
examples = ["my chest hurts"]
not = ["my knee hurts"]
"""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_fires_on_its_examples(rule: Rule) -> None:
    for example in rule.examples:
        assert rule in find(load(), [hear(load(), example)]), example


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_does_not_fire_on_its_near_misses(rule: Rule) -> None:
    for example in rule.near_misses:
        assert rule not in find(load(), [hear(load(), example)]), example


def test_a_small_file_of_rules_works_by_itself() -> None:
    rules = parse(SMALL)
    assert [rule.id for rule in find(rules, [hear(rules, "It hurts in my chest")])] == [
        "cardiac.chest"
    ]
    assert find(rules, [hear(rules, "It hurts in my knee")]) == []


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ('examples = ["my chest hurts"]', "", "has no test"),
        ('examples = ["my chest hurts"]', "examples = []", "has no test"),
        ('not = ["my knee hurts"]', "", "has no near miss"),
        ('source = "NICE CG95"\nall', "all", "has no source"),
        ('source = "NICE CG95"\nphrases', "phrases", "'chest' has no source"),
        ('all = ["chest"]', 'all = ["chset"]', "concept 'chset': there is none"),
        ('all = ["chest"]', 'all = ["chest"]\nunles = []', "field 'unles' that means nothing"),
        ('all = ["chest"]', 'all = ["chest"]\nwithin = "page"', "no reach"),
        ('all = ["chest"]', 'all = ["chest"]\nleast = 2', "needs 2 of 1"),
        ('level = "emergency"', 'level = "severe"', "level 'severe'"),
        ("chest @pain", "chest @pian", "no word list 'pian'"),
        ("chest @pain", "chest ..", "does not begin and end with a word"),
        ("[sets]", "[sets", "not valid TOML"),
    ],
)
def test_a_slip_in_the_file_is_one_sentence(line: str, instead: str, said: str) -> None:
    assert line in SMALL
    with pytest.raises(RuleError, match=r"\.$") as caught:
        parse(SMALL.replace(line, instead, 1))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_id_is_never_used_twice() -> None:
    with pytest.raises(RuleError, match="Two rules have the id"):
        parse(SMALL + SMALL[SMALL.index("[[rules]]") :])


def test_a_concept_that_no_rule_uses_does_not_load() -> None:
    with pytest.raises(RuleError, match="No rule uses the concept 'spare'"):
        parse(SMALL + '[concepts.spare]\nsource = "x"\nphrases = "spare"\n')


def test_the_file_says_at_its_top_how_to_change_it() -> None:
    top = FILE.read_text("utf-8")[:3_000]
    for word in (
        "clinician",
        "HOW TO WRITE A PHRASE",
        "HOW TO CHANGE A RULE",
        "examples",
        "source",
    ):
        assert word in top
