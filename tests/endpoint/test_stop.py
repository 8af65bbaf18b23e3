"""Where an answer is cut, however its text comes in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.events import AnswerDelta, Ended, EndReason, Event, ReasoningDelta, Usage
from endpoint.stop import Stops

END = Ended(EndReason.LENGTH, Usage(1, 2, 3))


def told(stops: tuple[str, ...], pieces: list[str]) -> tuple[str, Ended]:
    """The answer and its end, of an answer that comes in `pieces`."""
    cut = Stops(stops)
    events: list[Event] = []
    for event in [*map(AnswerDelta, pieces), END]:
        events += cut.take(event)
        if isinstance(events[-1] if events else None, Ended):
            break
    *words, end = events
    assert isinstance(end, Ended)
    return "".join(word.text for word in words if isinstance(word, AnswerDelta)), end


@pytest.mark.parametrize(
    ("stops", "text", "answer"),
    [
        (("END",), "one END two", "one "),
        (("END",), "one EN", "one EN"),
        (("END", "two"), "one two END", "one "),
        (("abcd", "bc"), "abcd", "a"),
        (("abc", "c"), "abc", ""),
        (("aab",), "aaab", "a"),
        ((), "one", "one"),
    ],
)
def test_it_is_cut_before_the_sequence_that_is_complete_first(
    stops: tuple[str, ...], text: str, answer: str
) -> None:
    for pieces in ([text], list(text)):
        said, end = told(stops, pieces)
        assert said == answer
        assert end == (END if answer == text else Ended(EndReason.FINISHED))


def test_what_may_begin_a_sequence_is_held_back_and_nothing_else() -> None:
    stops = Stops(("END",))
    assert stops.take(AnswerDelta("one E")) == [AnswerDelta("one ")]
    assert stops.take(AnswerDelta("N")) == []
    assert stops.take(AnswerDelta("ough")) == [AnswerDelta("ENough")]
    assert stops.take(AnswerDelta("EN")) == []
    assert stops.take(END) == [AnswerDelta("EN"), END]


def test_reasoning_is_not_cut() -> None:
    thought = ReasoningDelta("before END after")
    assert Stops(("END",)).take(thought) == [thought]


short = st.text("ab", min_size=1, max_size=4)


@given(st.lists(short, max_size=4), st.lists(st.text("abc", max_size=6), max_size=8))
def test_any_pieces_of_one_text_are_cut_at_the_same_place(
    stops: list[str], pieces: list[str]
) -> None:
    text = "".join(pieces)
    assert told(tuple(stops), pieces) == told(tuple(stops), list(text))
    # The same found naively, by looking at every beginning of the text.
    cut = text
    for end in range(len(text) + 1):
        ending = [stop for stop in stops if text[:end].endswith(stop)]
        if ending:
            cut = text[: end - max(map(len, ending))]
            break
    assert told(tuple(stops), pieces)[0] == cut
