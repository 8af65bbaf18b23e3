"""A model's text and a person's, disarmed: what becomes text, what stays a link, how it grows."""

from __future__ import annotations

import random
import re
import time
from itertools import pairwise

import pytest

from chat.conversation import clean
from safety.links import AS_SHOWN, NIL, translated, without_marks
from safety.markdown import MOST_HELD, Neutraliser, inert, neutralised
from tests.safety.hostile import REPLIES

M = f" ({NIL}unverified)"


def marked(host: str) -> str:
    return f" ({NIL}{host}, unverified)"


def grown(text: str, cut: random.Random) -> list[str]:
    """What is shown of `text` as it comes in pieces, after each."""
    whole, shown, at = Neutraliser(), [""], 0
    while at < len(text):
        size = cut.randint(1, 7)
        whole.write(text[at : at + size])
        shown.append(whole.text)
        at += size
    whole.close()
    return [*shown, whole.text]


LINKS = [
    ("[NHS](https://www.nhs.uk/a)", "[NHS](https://www.nhs.uk/a)" + marked("www.nhs.uk")),
    ('[NHS](<http://nhs.uk> "t")', "[NHS](http://nhs.uk)" + marked("nhs.uk")),
    ("[a](HTTPS://NHS.uk/A)", "[a](https://nhs.uk/A)" + marked("nhs.uk")),
    ("[https://bank.example](https://nhs.uk)",
     f"[https:{NIL}//bank.example](https://nhs.uk)" + marked("nhs.uk")),
    ("[p](https://раypal.com/x)",
     "[p](https://xn--ypal-43d9g.com/x)" + marked("xn--ypal-43d9g.com")),
    ("[a](https://nhs\u3002uk\u2044x/)",
     "[a](https://nhs.xn--ukx-pt0a/)" + marked("nhs.xn--ukx-pt0a")),
    ("See https://nhs.uk/a_(b). So", f"See https://nhs.uk/a_(b){M}. So"),
    ("https://раypal.com!", f"https://xn--ypal-43d9g.com{M}!"),
]  # fmt: skip
NO_LINKS = [
    "[a](javascript:alert(1))", "[a](java&#115;cript:x)", "[a](//nhs.uk/x)", "[a](/config)",
    "[a](https://bank.example@nhs.uk/)", "[a](http://127.0.0.1/)", "[a](http://[::1]/)",
    "[a](https://localhost:7860/)", "[a](https://nhs.uk\\@x.org)",
    "[a][b]", "[b]: https://nhs.uk", "[b]", "![a](https://nhs.uk/p.png)", "<https://nhs.uk>",
    "https://bank.example@nhs.uk/", "ftp://nhs.uk/x", "www.nhs.uk", "a@nhs.uk", "http://0x7f000001/",
]  # fmt: skip
# What the page's parser would make something of.
ALIVE = ["](", "]:", "![", "<h", "<a", "<i", "://b", "://l", "://1", "://0", "ftp://", "www."]


@pytest.mark.parametrize(("wrote", "shown"), LINKS)
def test_a_link_keeps_its_words_and_shows_its_host(wrote: str, shown: str) -> None:
    assert neutralised(wrote) == shown


@pytest.mark.parametrize("wrote", NO_LINKS)
def test_what_is_no_plain_link_to_a_host_by_name_is_text(wrote: str) -> None:
    shown = neutralised(wrote)
    assert not [each for each in ALIVE if each in shown], shown
    assert without_marks(shown) == wrote


CITED = [
    "doi:10.1056/NEJMoa1200303", "DOI 10.1000/abc.def", "https://doi.org/10.1000/182",
    "PMID: 12345678", "PMID 12345678, 23456789",
    "PMCID: PMC1234567", "PMC1234567", "NCT01234567",
    "ISBN 978-3-16-148410-0", "ISBN-10: 0 306 40615 X", "www.nhs.uk/a", "PubMed ID: 12345678",
]  # fmt: skip


@pytest.mark.parametrize("cited", CITED)
def test_a_citation_is_marked_once_wherever_its_pieces_end(cited: str) -> None:
    text = f"As shown ({cited}). More."
    for seed in range(40):
        shown = grown(text, random.Random(seed))[-1]  # noqa: S311
        assert shown.count("unverified") == 1
        assert f"{M}). More." in shown
        assert without_marks(shown) == text


def test_marks_are_in_the_language_of_the_page_and_known_again_there() -> None:
    text = "See [a](https://a.example/x), https://b.example and PMID 12345678."
    shown = neutralised(text)
    turkish = translated(shown, "tr")
    assert turkish.count("doğrulanmamış)") == shown.count("unverified)") == 3
    assert "unverified" not in turkish
    assert len(list(re.finditer(AS_SHOWN, turkish))) == 2
    assert without_marks(turkish) == text
    assert translated(shown, "en") == shown


@pytest.mark.parametrize(
    "text", ["Na 145, K 3.5 on 10.1.2024", "PMI, DOI and NCT", "[see p. 3] a/b"]
)
def test_what_only_looks_like_the_beginning_of_one_is_not_marked(text: str) -> None:
    assert neutralised(text) == text


PARTS = [
    "[", "]", "(", ")", "!", "https://", "http://", "www.", "nhs.uk", "/", "@", ":", "<", "img",
    " ", "\n", "\\",
    "rule", "frac", "&", "lt;", "#", "`", "```", "mermaid", "doi", "10.1000/x", "PMID",
    ": ", "123456", "NCT", "01234567", "ISBN 978", "0-306-40615-7", "é", "x", "1", "w", "ht", "tps",
    '"t"', "-", "раypal.com", ".", ", ", "$$", "PMC", *REPLIES[60:],
]  # fmt: skip


def test_what_is_shown_only_grows_and_does_not_depend_on_the_pieces() -> None:
    draw = random.Random(5)  # noqa: S311
    for _ in range(3_000):
        text = "".join(draw.choice(PARTS) for _ in range(draw.randint(1, 20)))
        shown = grown(text, draw)
        for before, after in pairwise(shown):
            assert after.startswith(before)
        if len(text) < MOST_HELD:
            assert shown[-1] == neutralised(text)


def test_a_person_s_text_comes_back_as_it_was_typed() -> None:
    for typed in map(clean, REPLIES):
        assert clean(inert(typed)) == typed
        assert not [each for each in ("](", "![", "<s", "<i") if each in inert(typed)]


def test_a_word_without_an_end_is_shown_and_stays_text() -> None:
    shown = grown("[a](https://nhs.uk/" + "a" * 5_000 + ") <" + "b" * 5_000, random.Random(1))  # noqa: S311
    assert len(shown[len(shown) // 4]) > 1_000
    assert "](" not in shown[-1]


FORMULA = [
    (
        r"$$\frac{\text{Na}}{2} \times \Delta \le 3$$",
        r"$$\frac{\text{Na}}{2} \times \Delta \le 3$$",
    ),
    (r"$$\href{x}{y}$$", rf"$$\{NIL}href{{x}}{{y}}$$"),
    (r"\\rule{9em}{9em}", rf"\\{NIL}rule{{9em}}{{9em}}"),
    ("&#92;rule &bsol;rule &alpha; &lt;", f"&{NIL}#92;rule &{NIL}bsol;rule &alpha; &lt;"),
]


@pytest.mark.parametrize(("wrote", "shown"), FORMULA)
def test_a_formula_keeps_what_sets_type_and_nothing_else(wrote: str, shown: str) -> None:
    assert neutralised(wrote) == shown


@pytest.mark.parametrize(
    "unit",
    ["[", "<", "![a](", "[a](https://", "`", "a@b", "PMID ", "$$", "www.", "é", "\n", "[[]("],
)
def test_no_text_costs_more_than_its_length(unit: str) -> None:
    def seconds(size: int) -> float:
        text, whole = (unit * size)[:size], Neutraliser()
        began = time.process_time()
        for at in range(0, size, 50):
            whole.write(text[at : at + 50])
        whole.close()
        return time.process_time() - began

    assert seconds(40_000) < 10 * seconds(10_000) + 0.2
    assert seconds(40_000) < 4.0
