"""Emergencies told in Turkish: found as people type them, and left alone where nobody is in one."""

from __future__ import annotations

import pytest

from safety import learned, notices
from safety.finding import Level
from safety.red_flags import find, hear, read
from safety.rules import TURKISH, Rule, load

RULES = load(TURKISH).rules


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_fires_on_its_examples_and_not_on_its_near_misses(rule: Rule) -> None:
    for example in rule.examples:
        assert rule in find(load(TURKISH), [hear(load(TURKISH), example)]), example
    for example in rule.near_misses:
        assert rule not in find(load(TURKISH), [hear(load(TURKISH), example)]), example


def test_every_rule_says_in_its_id_that_it_is_turkish() -> None:
    assert all(rule.id.startswith("emergency.turkish-") for rule in RULES)
    assert all(rule.level is Level.EMERGENCY for rule in RULES)


@pytest.mark.parametrize(
    "text",
    [
        "Göğsümde çok şiddetli ağrı var, sol koluma vuruyor",
        "gogsumde cok siddetli agri var sol koluma vuruyor",
        "GÖĞSÜMDE ÇOK ŞİDDETLİ AĞRI VAR SOL KOLUMA VURUYOR",
        "nefes alamıyorum",
        "nefes alamiyom",
        "annem uyanmıyor",
        "Babam nefes almıyor!!!",
        "Kızım 3 haftalık, ateşi 38.6",
        "Ateşim yok ama yüzümün yarısı kaydı, konuşamıyorum",
        "Geçen yıl kalp krizi geçirdim, şimdi aynı göğüs ağrısı yine başladı",
    ],
)
def test_an_emergency_is_found_with_a_notice_and_a_reply_in_turkish(text: str) -> None:
    found = read([text])
    assert found.level is Level.EMERGENCY
    [notice] = notices.notices(found)
    assert notice.language == "tr"
    reply = notices.fixed_reply(found, unreliable=True)
    assert reply is not None
    assert "acil" in reply.lower()


@pytest.mark.parametrize(
    "text",
    [
        "Kalp krizinin belirtileri nelerdir?",
        "İnme nedir?",
        "Göğüs ağrım yok, nefes darlığım yok, sadece yorgunum",
        "Göğüs ağrım, çarpıntım, bayılmam yok. Hangi testler yapılmalı?",
        "Geçen yıl kalp krizi geçirdim, şimdi iyiyim, ne yiyeyim?",
        "Kızım düştü ama bayılmadı, kusmadı, oynuyor",
        "Gülmekten nefes alamadım ya",
        "TUS sorusu: 60 yaşında erkek hasta göğüs ağrısı ile başvuruyor, en olası tanı nedir?",
        "Kedim kustu, mamasını yedi",
        "Bebeğimin ateşi var",
    ],
)
def test_what_is_no_emergency_is_left_alone(text: str) -> None:
    assert read([text]).level is Level.NONE


@pytest.mark.parametrize("verb", ["uyanmıyor", "uyanıyor"])
def test_one_letter_that_negates_is_never_corrected_away(verb: str) -> None:
    expected = Level.EMERGENCY if verb == "uyanmıyor" else Level.NONE
    assert read([f"annem {verb}"]).level is expected


def test_a_negation_takes_its_list_back_and_no_verb() -> None:
    said = "Ateşim, kusmam yok. Dilim şişti, nefes alamıyorum, ağrım yok."
    assert read([said]).level is Level.EMERGENCY


def test_a_symptom_told_in_two_turns_is_read_together() -> None:
    first, second = "Göğsümde bir ağrı var", "Şimdi de soğuk soğuk terliyorum"
    assert read([second]).level is Level.NONE
    assert read([first, second]).level is Level.EMERGENCY


def test_a_crisis_stays_one_beside_an_emergency() -> None:
    found = read(["Ölmek için bir kutu hap içtim, şimdi nefes alamıyorum"])
    assert found.level is Level.CRISIS
    assert found.emergency


@pytest.mark.parametrize(
    "text",
    [
        "I have a pain in my knee.",
        "a on an is",
        "Me duele la rodilla desde ayer",
        "Ich habe seit gestern Schnupfen",
        "mere ghutne mein dard hai",
    ],
)
def test_the_turkish_weights_read_no_other_language(text: str) -> None:
    words = hear(load(TURKISH), text).words
    assert learned.load(learned.TURKISH).share(words) <= learned.MOST
