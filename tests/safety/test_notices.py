"""The fixed texts and numbers: whole in every language and region, and chosen as they should."""

from __future__ import annotations

import re
import tomllib
from datetime import date

import pytest

from safety import notices, numbers, red_flags
from safety.finding import NOTHING, Finding, Level
from safety.numbers import ANY, Line, regions, said

EMERGENCY = Finding(Level.EMERGENCY, ("heart",), emergency=True)
CRISIS = Finding(Level.CRISIS, ("suicide",))
BOTH = Finding(Level.CRISIS, ("suicide", "overdose"), emergency=True)


def test_each_level_has_its_own_notice_and_both_stand_where_both_were_found() -> None:
    def levels(finding: Finding) -> list[Level]:
        return [notice.level for notice in notices.notices(finding)]

    assert levels(NOTHING) == []
    assert levels(EMERGENCY) == [Level.EMERGENCY]
    assert levels(CRISIS) == [Level.CRISIS]
    assert levels(BOTH) == [Level.EMERGENCY, Level.CRISIS]
    emergency, crisis = notices.notices(BOTH)
    assert emergency.heading != crisis.heading
    assert not set(emergency.sentences) & set(crisis.sentences)


def test_a_model_is_asked_in_an_emergency_only_where_it_is_reliable_and_in_a_crisis_never() -> None:
    for unreliable in (True, False):
        assert notices.fixed_reply(NOTHING, unreliable) is None
        assert notices.fixed_reply(CRISIS, unreliable)
        assert notices.fixed_reply(BOTH, unreliable) == notices.fixed_reply(CRISIS, unreliable)
    assert notices.fixed_reply(EMERGENCY, unreliable=False) is None
    assert notices.fixed_reply(EMERGENCY, unreliable=True)
    assert notices.fixed_reply(CRISIS, False, again=True) != notices.fixed_reply(CRISIS, False)


WRITTEN = {
    "I want to kill myself tonight.": "en",
    "I feel suicidal.": "en",
    "Quiero suicidarme esta noche": "es",
    "Ich will mich umbringen": "de",
    "Je veux me suicider": "fr",
    "Kendimi öldürmek istiyorum": "tr",
    "मैं आत्महत्या करना चाहता हूँ": "hi",
    "我想自杀": "zh",
}


@pytest.mark.parametrize(
    ("text", "page", "language"),
    [
        ("40 parasetamol içtim", "tr", "tr"),
        ("40 parasetamol içtim", "en", "en"),
        ("I took 40 paracetamol", "tr", "en"),
        ("I feel suicidal.", "tr", "en"),
        ("Ich will mich umbringen", "tr", "de"),
    ],
)
def test_of_several_languages_it_is_that_of_the_page(text: str, page: str, language: str) -> None:
    found = red_flags.read([text])
    assert {notice.language for notice in notices.notices(found, page)} == {language}


def test_where_no_rule_tells_it_is_that_of_the_page_if_it_has_texts() -> None:
    for page, language in (("tr", "tr"), ("ar", "en"), ("en", "en")):
        assert notices.language_of((), page) == language


def test_the_texts_are_in_the_language_that_the_rule_tells_and_else_in_english() -> None:
    for text, language in WRITTEN.items():
        found = red_flags.read([text])
        assert found.level is Level.CRISIS, text
        [notice] = notices.notices(found)
        assert (text, notice.language) == (text, language)
    assert {*WRITTEN.values()} == {*notices.languages()}
    said = {notices.fixed_reply(red_flags.read([text]), False) for text in WRITTEN}
    assert len(said) == len(notices.languages()) >= 7


@pytest.mark.parametrize("language", notices.languages())
def test_every_language_has_every_part(language: str) -> None:
    texts = tomllib.loads(notices.FILE.read_text("utf-8"))
    assert bool(texts[language].pop("rules")) is (language != "en")
    texts["en"].pop("rules", None)
    assert texts[language].keys() == texts["en"].keys()
    for part, words in texts[language].items():
        assert words.keys() == texts["en"][part].keys()
        assert all(text.strip() for text in words.values() if isinstance(text, str))
    for level in ("emergency", "crisis"):
        assert len(texts[language][level]["sentences"]) == 2


def test_no_fixed_text_names_a_method_or_promises_what_nobody_can() -> None:
    english = tomllib.loads(notices.FILE.read_text("utf-8"))["en"]
    said = str(english).lower()
    assert not re.search(r"\b(pill|rope|gun|knife|bridge|jump|overdose|mg)s?\b", said)
    assert "guarantee" not in said
    assert "everything will be" not in said


def test_every_region_has_an_emergency_number_a_crisis_line_and_a_source() -> None:
    given = tomllib.loads(numbers.FILE.read_text("utf-8"))
    assert date(2026, 1, 1) < numbers.as_of() <= date.today()
    codes = [region.code for region in regions()]
    assert codes[0] == ANY
    assert len(codes) == len(set(codes)) >= 15
    for region, raw in zip(regions(), given["region"], strict=True):
        assert region.emergency
        assert region.crisis
        assert raw["sources"]
        assert all(source.startswith("https://") for source in raw["sources"])
        fields = {"code", "name", "zones", "emergency", "crisis", "poison", "abuse", "sources"}
        assert set(raw) <= fields
        assert bool(region.name) is (region.code != ANY)


def test_a_number_is_a_call_and_a_host_a_page() -> None:
    assert Line("1-800-222-1222", "x").href == "tel:18002221222"
    assert Line("findahelpline.com", "x").href == "https://findahelpline.com"
    for region in regions():
        for line in region.emergency + region.poison + region.crisis + region.abuse:
            assert re.fullmatch(r"tel:\d{2,12}|https://[a-z.]+", line.href), line


KNOWN = [
    ("us", "911", "988"), ("ca", "911", "988"), ("gb", "999", "116 123"), ("au", "000", "13 11 14"),
    ("ie", "112", "116 123"), ("nz", "111", "1737"), ("in", "112", "14416"), ("fr", "112", "3114"),
    ("de", "112", "0800 111 0 111"), ("es", "112", "024"), ("cn", "120", "12356"),
    ("tr", "112", "112"), ("ch", "144", "143"), ("eu", "112", "116 123"),
    ("jp", "119", "0120-279-338"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "emergency", "crisis"), KNOWN)
def test_the_numbers_that_everybody_knows_come_first(
    code: str, emergency: str, crisis: str
) -> None:
    [region] = [region for region in regions() if region.code == code]
    [urgent], [desperate] = notices.notices(EMERGENCY), notices.notices(CRISIS)
    assert urgent.lines(region)[0].number == emergency
    assert desperate.lines(region)[0].number == crisis
    listed = [line.number for line in desperate.lines(region)]
    assert emergency in listed
    assert len(listed) == len(set(listed))


def test_who_chose_no_region_sees_the_main_numbers_side_by_side() -> None:
    urgent, desperate = notices.notices(BOTH)
    assert [line.number for line in urgent.lines(regions()[0])] == ["112", "911", "999"]
    assert "findahelpline.com" in [line.number for line in desperate.lines(regions()[0])]


def test_what_stands_beside_a_number_is_in_turkish_where_the_notice_is() -> None:
    for region in regions()[1:]:
        lines = region.emergency + region.crisis + region.poison + region.abuse
        for text in (region.name, *(line.note for line in lines if line.note)):
            assert said(text, "tr") != text, text
        assert said(region.emergency[0].name, "tr").startswith(("Acil", "Ambulans", "SAMU"))
    assert said("free, day and night", "en") == "free, day and night"


def test_no_time_zone_is_of_two_regions() -> None:
    zones = [zone for region in regions() for zone in region.zones]
    assert len(zones) == len(set(zones)) > 150
    assert [region.code for region in regions() if not region.zones] == ["any"]
