"""The form of replies: what counts as both channels, cut off, and going in circles."""

from __future__ import annotations

from evaluation.form import CUT, Reply, circles, form, lengths

GOOD = Reply("It starves the brain.", "A stroke is an emergency.", "finished", 12)


def test_both_channels_are_there_only_where_both_have_words_and_no_marker() -> None:
    assert GOOD.well_formed
    for reply in (
        Reply("", "An answer.", "finished"),
        Reply("Only thoughts.", " \n", "finished"),
        Reply("Thoughts.", "<|channel|>final", "finished"),
        Reply("</think>", "An answer.", "finished"),
    ):
        assert not reply.well_formed


def test_a_text_goes_in_circles_where_eight_words_come_three_times() -> None:
    line = "the left ventricle pumps blood into the large aorta. "
    assert not circles(line * 2)
    assert circles(line * 3)
    assert Reply(line * 3, "An answer.", "finished").in_circles


def test_the_form_of_several_replies_is_counted() -> None:
    cut = Reply("one two three", "", CUT, 128)
    found = form([GOOD, cut])
    assert (found["n"], found["well_formed"], found["cut_off"], found["tokens"]) == (2, 1, 1, 140)
    assert found["answer_words"] == [2.5, 0, 5]
    assert lengths([]) == [0, 0, 0]
