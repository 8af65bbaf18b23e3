"""Ugly answers, and what is read in each: an option, or the reason why none."""

from __future__ import annotations

import pytest

from evaluation.reading import (
    BEGINS,
    DIFFER,
    NAMED,
    NO_ANSWER,
    SEVERAL,
    STATED,
    UNREADABLE,
    read_option,
)

DRUGS = ("Gentamicin", "Ciprofloxacin", "Ceftriaxone", "Trimethoprim")
WORDS = ("yes", "no", "maybe")
LIKE = ("Heparin", "Heparin and warfarin", "Aspirin", "None of the above")

READ = [
    ("The answer is (B).", "B"),
    ("ANSWER: C", "C"),
    ("answer: c", "C"),
    ("**Answer:** **D**", "D"),
    ("**ANSWER: A**", "A"),
    ("The correct answer is option B, because it enters bone.", "B"),
    ("Therefore, the answer would be: (A) Gentamicin", "A"),
    ("The final answer is $\\boxed{C}$.", "C"),
    ("\\boxed{\\text{B}}", "B"),
    ("B", "B"),
    ("(B)", "B"),
    ("b", "B"),
    ("**d**", "D"),
    ("B.", "B"),
    ("B. Ciprofloxacin", "B"),
    ("**B** Ciprofloxacin", "B"),
    ("B) Ciprofloxacin. It is a fluoroquinolone.", "B"),
    ("Ceftriaxone", "C"),
    ("Ceftriaxone.", "C"),
    ("ceftriaxone, since it blocks the cell wall", "C"),
    ("The answer is Ceftriaxone.", "C"),
    ("The correct answer is ceftriaxone, a cephalosporin.", "C"),
    ("Option D is correct.", "D"),
    ("C is the most likely answer.", "C"),
    ("After much thought A is wrong. The answer is B. Answer: B", "B"),
    ("ＡＮＳＷＥＲ：Ｂ", "B"),
    ("In this case the most appropriate drug would be ceftriaxone, once a day.", "C"),
    ("Ciprofloxacin enters bone well, rather than gentamicin or trimethoprim.", "B"),
    ("It is not gentamicin. Trimethoprim covers it.", "D"),
    ("The correct option is C. It blocks the cell wall.", "C"),
    ("The correct answer for the above question is C. Ceftriaxone.", "C"),
    ("The drug that blocks the cell wall is C. Ceftriaxone.", "C"),
    # other languages
    ("La respuesta correcta es la que mata la pared. Respuesta: C", "C"),
    ("Die Antwort ist B.", "B"),
    ("La réponse est (D).", "D"),
    ("Cevap: A", "A"),
    ("答案是B", "B"),
    ("La respuesta correcta es B.", "B"),
    ("A resposta correta é a B", "B"),
    ("Option B", "B"),
    ("C. Because it blocks the cell wall.", "C"),
    ("B. because it enters bone", "B"),
    ("Do not wait. The answer is B.", "B"),
    ("So B is correct.", "B"),
]


@pytest.mark.parametrize(("answer", "letter"), READ)
def test_a_stated_option_is_read(answer: str, letter: str) -> None:
    option = read_option(answer, DRUGS).option
    assert option == "ABCD".index(letter)


UNSCORED = [
    ("", NO_ANSWER),
    ("  \n ", NO_ANSWER),
    ("...", NO_ANSWER),
    ("B or C", SEVERAL),
    ("The answer is B or C.", SEVERAL),
    ("The answer is (A) and (C).", SEVERAL),
    ("Answer: A, B, or D", SEVERAL),
    ("A/B", SEVERAL),
    ("The answer is A. No, the answer is B.", SEVERAL),
    ("A. Gentamicin\nB. Ciprofloxacin\nC. Ceftriaxone\nD. Trimethoprim", SEVERAL),
    ("The answer is B) Ceftriaxone.", DIFFER),
    ("B. Ceftriaxone", DIFFER),
    ("The correct answer for the above question is D. Ceftriaxone.", DIFFER),
    ("The drug that blocks the cell wall is D. Ceftriaxone.", DIFFER),
    ("answer is b and c", SEVERAL),
    ("ANSWER: b, c", SEVERAL),
    ("ANSWER: B | C", SEVERAL),
    ("ANSWER: B vs C", SEVERAL),
    ("The answer is B or, less likely, C.", SEVERAL),
    ("ANSWER: B\nC", SEVERAL),
    ("The incorrect answer is B.", UNREADABLE),
    ("Neither B nor C is correct.", UNREADABLE),
    ("It is unlikely that B is correct.", UNREADABLE),
    ("If B is correct, bone is reached.", UNREADABLE),
    ("It is not true that the answer is B.", UNREADABLE),
    ("Hepatitis B is the most likely cause.", UNREADABLE),
    ("Vitamin B is correct here.", UNREADABLE),
    ("C. difficile infection follows such drugs.", UNREADABLE),
    ("B. burgdorferi is spread by ticks.", UNREADABLE),
    ("The answer is C. difficile.", UNREADABLE),
    ("Ceftriaxone is contraindicated.", UNREADABLE),
    ("Ceftriaxone is the incorrect choice; ceftriaxone should be avoided.", UNREADABLE),
    ("The answer is not B.", UNREADABLE),
    ("B is not the answer.", UNREADABLE),
    ("A 21-year-old man with a swollen knee needs an antibiotic.", UNREADABLE),
    ("The answer is a cephalosporin.", UNREADABLE),
    ("Ceftriaxone and gentamicin both act here.", SEVERAL),
    ("It cannot be gentamicin.", UNREADABLE),
    ("Ceftriaxone or trimethoprim would do.", SEVERAL),
    ("I cannot help with that.", UNREADABLE),
    ("The answer is E.", UNREADABLE),
    ("Is the answer B? It may be.", UNREADABLE),
    ("ANSWER: X", UNREADABLE),
    ("La paciente debe tomar antibióticos.", UNREADABLE),
    ("Je ne sais pas.", UNREADABLE),
    ("The dose is given once daily; vitamin B helps.", UNREADABLE),
]


@pytest.mark.parametrize(("answer", "why"), UNSCORED)
def test_what_cannot_be_told_has_its_reason(answer: str, why: str) -> None:
    read = read_option(answer, DRUGS)
    assert (read.option, read.why) == (None, why)


@pytest.mark.parametrize(
    ("answer", "option"),
    [
        ("Yes.", 0),
        ("No, it does not.", 1),
        ("maybe", 2),
        ("The answer is yes.", 0),
        ("The answer to your question is yes.", 0),
        ("ANSWER: B", 1),
        ("ANSWER: B. no", 1),
        ("No studies have shown that.", None),
        ("Yes and no.", None),
        ("The answer is no longer known.", None),
        ("No, the evidence suggests yes.", None),
        ("Yes, as the trial found no difference.", 0),
    ],
)
def test_words_are_an_option_only_where_they_end(answer: str, option: int | None) -> None:
    assert read_option(answer, WORDS).option == option


def test_an_option_within_another_is_told_from_it() -> None:
    assert read_option("The answer is heparin and warfarin.", LIKE).option == 1
    assert read_option("The answer is heparin.", LIKE).option == 0
    assert read_option("The answer is A) Heparin and warfarin", LIKE).why == DIFFER
    assert read_option("One would give heparin and warfarin here.", LIKE).option == 1


def test_it_is_kept_how_an_option_was_read() -> None:
    assert read_option("The answer is C.", DRUGS).how == STATED
    assert read_option("C", DRUGS).how == BEGINS
    assert read_option("One would give ceftriaxone.", DRUGS).how == NAMED
    assert read_option("The answer is B) Ceftriaxone.", DRUGS).how == ""
