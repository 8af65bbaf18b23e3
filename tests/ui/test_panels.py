"""A run's snapshot in, the messages of its turn out."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from backend.base import (
    BackendError,
    BackendInfo,
    BrokeContract,
    Busy,
    Effort,
    Interrupted,
    NotReady,
    Option,
    Options,
    Refused,
    TooLong,
    TooSlow,
    Unreachable,
)
from chat.conversation import Conversation
from chat.events import (
    AnswerDelta,
    Ended,
    EndReason,
    Event,
    ReasoningDelta,
    Shortened,
    Stage,
    Usage,
    Waiting,
)
from chat.reply import Reply
from safety.screen import screened
from ui import panels
from ui.panels import Message
from ui.run import Snapshot
from ui.terms import Terms
from ui.words import ENGLISH as words

INFO = BackendInfo("test", "Tiny-1", "r1", 1_000, 1_000, frozenset())
REF = "0a1b2c3d"


def turn(*events: Event, error: BackendError | None = None, now: float = 0.0, **more: object):
    reply = Reply.going_on(0.0, str(more.get("begun", "")))
    for second, event in enumerate(events, start=1):
        reply = reply.apply(event, float(second))
    info = replace(INFO, unreliable=bool(more.get("unreliable")), **more.get("info", {}))  # type: ignore
    show, terms = str(more.get("show", "open")), more.get("terms", panels.ALONE)
    snapshot = Snapshot(reply, error, REF, screened(reply.reasoning, reply.answer))
    return panels.turn(words, snapshot, now or len(events), info, show, terms)  # type: ignore


def marks(messages: list[Message]) -> list[str]:
    return [message["metadata"]["id"] for message in messages]


def text(message: Message) -> str:
    return "".join(part["text"] for part in message["content"])


def foot(messages: list[Message]) -> str:
    return re.sub(r"<[^>]+>", " ", text(messages[-1]))


THINK, ANSWER = ReasoningDelta("hm"), AnswerDelta("Rest.")


def test_while_waiting_the_panel_says_what_for_and_how_long() -> None:
    [panel] = turn(Waiting(Stage.QUEUED, 3.0, place=2))
    assert panel["metadata"]["title"] == "Number 2 in the queue · 3 s"
    assert panel["metadata"]["status"] == "pending"


def test_while_an_endpoint_wakes_the_seconds_are_counted_and_what_goes_on_is_said() -> None:
    [panel] = turn(Waiting(Stage.WAKING, 12.3))
    assert panel["metadata"]["title"] == "Waking the model · 12 s"
    assert text(panel) == words.WAKE
    [hidden] = turn(Waiting(Stage.WAKING, 12.3), show="off")
    assert text(hidden) == words.WAKE
    [later] = turn(Waiting(Stage.WAKING, 12.3), Waiting(Stage.READING, 0.1))
    assert text(later) == ""
    [panel] = turn(Waiting(Stage.FETCHING, 12.0, fraction=0.4))
    assert panel["metadata"]["title"] == "Fetching the model · 40% · 12 s"


def test_while_thinking_the_panel_is_open_with_a_running_timer() -> None:
    [panel] = turn(THINK, now=75.0)
    assert panel["metadata"]["title"] == "Thinking · 1 min 14 s"
    assert panel["metadata"]["status"] == "pending"
    assert panel["metadata"]["log"] == "unverified working notes"
    assert text(panel) == "hm"


def test_once_the_answer_begins_the_panel_folds_and_says_how_long_it_thought() -> None:
    panel, answer = turn(THINK, ReasoningDelta("m"), ANSWER, now=50.0)
    assert panel["metadata"]["title"] == "Thought for 2 s"
    assert panel["metadata"]["status"] == "done"
    assert text(answer) == "Rest."


def test_an_answer_is_marked_as_one_only_when_it_is_finished() -> None:
    assert marks(turn(THINK, ANSWER)) == ["analysis", "partial"]
    assert marks(turn(THINK, ANSWER, Ended(EndReason.FINISHED))) == ["analysis", "answer", "foot"]
    for reason in (EndReason.LENGTH, EndReason.STOPPED, EndReason.INTERRUPTED, EndReason.UNKNOWN):
        assert marks(turn(THINK, ANSWER, Ended(reason))) == ["analysis", "partial", "foot"]


def test_nothing_but_a_finished_answer_returns_to_the_model() -> None:
    asked = panels.question("q")
    finished = [asked, *turn(THINK, ANSWER, Ended(EndReason.FINISHED))]
    stopped = [asked, *turn(THINK, ANSWER, Ended(EndReason.STOPPED))]
    both = Conversation.from_untrusted(panels.history([*finished, *stopped]), "next")
    assert [t.text for t in both.turns] == ["q", "Rest.", "q\n\nnext"]


ENDINGS = [
    ("finished", "", [THINK, ANSWER, Ended(EndReason.FINISHED)]),
    ("failed", words.NONE, [THINK, Ended(EndReason.FINISHED)]),
    ("failed", words.NONE, [THINK, Ended(EndReason.UNKNOWN)]),
    ("room", words.NO_ROOM_LEFT, [THINK, Ended(EndReason.LENGTH)]),
    ("cut", words.CUT, [THINK, ANSWER, Ended(EndReason.LENGTH)]),
    ("cut", words.CUT, [THINK, ANSWER, Ended(EndReason.INTERRUPTED)]),
    ("cut", words.CUT, [THINK, ANSWER, Ended(EndReason.UNKNOWN)]),
    ("cut", words.CUT, [THINK, Ended(EndReason.INTERRUPTED)]),
    ("failed", words.DOWN, [Ended(EndReason.INTERRUPTED)]),
    ("stopped", words.STOPPED, [THINK, ANSWER, Ended(EndReason.STOPPED)]),
    ("stopped", words.STOPPED_EARLY, [Ended(EndReason.STOPPED)]),
]


@pytest.mark.parametrize(("kind", "sentence", "events"), ENDINGS)
def test_each_ending_has_its_looks_and_its_sentence(
    kind: str, sentence: str, events: list[Event]
) -> None:
    messages = turn(*events)
    assert f"foot-{kind}" in text(messages[-1])
    assert sentence.format(ref=REF) in foot(messages)
    offered = [choice["value"] for choice in messages[-1].get("options", [])]
    if kind == "finished":
        assert offered == []
    else:
        assert offered == ["again"]


ALL = {"honours": frozenset(Option), "continues": True}
ROOMY, FULL = Options(max_new_tokens=500), Options(max_new_tokens=1_000)
CUT, FINISHED = Ended(EndReason.LENGTH), Ended(EndReason.FINISHED)


def offered(*events: Event, options: Options = ROOMY, **more: object) -> list[str]:
    given = {"info": ALL, "terms": Terms(options, 100), **more}
    [*_, last] = turn(*events, **given)  # type: ignore[arg-type]
    return [choice["value"] for choice in last.get("options", [])]


def test_an_answer_that_ran_out_of_room_can_be_gone_on_with_where_the_backend_can() -> None:
    assert offered(THINK, ANSWER, CUT) == ["continue", "more"]
    assert offered(ANSWER, Ended(EndReason.STOPPED)) == ["continue", "again"]
    assert offered(THINK, CUT) == ["more", "effort-low"], "there is no answer to go on with"
    assert offered(THINK, ANSWER, CUT, info={**ALL, "continues": False}) == ["more"]
    assert offered(THINK, ANSWER, CUT, terms=Terms(ROOMY)) == ["more"], "as in a comparison"
    assert offered(AnswerDelta(" on"), CUT, begun="Half") == ["continue", "more"]


def test_more_room_is_offered_only_where_there_is_more() -> None:
    assert offered(THINK, ANSWER, CUT, options=FULL) == ["continue"]
    assert offered(THINK, CUT, options=FULL) == ["again", "effort-low"]
    none = {"honours": frozenset({Option.EFFORT})}
    assert offered(THINK, ANSWER, CUT, info=none) == ["again"]


def test_the_other_efforts_are_offered_under_a_whole_answer_and_its_own_is_named() -> None:
    high = replace(ROOMY, effort=Effort.HIGH)
    assert offered(THINK, ANSWER, FINISHED) == ["effort-low", "effort-high"]
    assert offered(THINK, ANSWER, FINISHED, options=high) == ["effort-low", "effort-medium"]
    assert words.OF_EFFORT[Effort.HIGH] in foot(
        turn(THINK, ANSWER, FINISHED, info=ALL, terms=Terms(high, 100))
    )
    plain = {"honours": frozenset({Option.MAX_NEW_TOKENS})}
    assert offered(THINK, ANSWER, FINISHED, info=plain) == []
    assert offered(THINK, ANSWER, FINISHED, terms=Terms(ROOMY)) == [], "as in a comparison"


def test_an_answer_gone_on_with_is_one_text_and_whole_only_when_it_ends_finished() -> None:
    waiting = turn(Waiting(Stage.READING, 3.0), begun="Half")
    assert marks(waiting) == ["partial", "foot"]
    assert "Reading your question · 3 s" in foot(waiting)
    cut = turn(AnswerDelta(" an answer"), CUT, begun="Half")
    assert (marks(cut), text(cut[0])) == (["partial", "foot"], "Half an answer")
    whole = turn(AnswerDelta(" an answer."), FINISHED, begun="Half")
    assert (marks(whole), text(whole[0])) == (["answer", "foot"], "Half an answer.")


@pytest.mark.parametrize("error", [Busy("x", 7), NotReady("x"), TooLong("x")])
def test_an_answer_that_could_not_be_gone_on_with_keeps_its_mark(error: BackendError) -> None:
    messages = turn(Ended(EndReason.INTERRUPTED), error=error, begun="Half")
    assert marks(messages) == ["partial", "foot"]
    assert "incomplete" in foot(messages)
    refused = panels.refused(words, words.CAP, begun=True)
    assert words.INCOMPLETE in foot([refused])
    assert [choice["value"] for choice in refused.get("options", [])] == ["continue"]


def test_what_kills_is_found_across_the_join_of_an_answer_and_its_rest() -> None:
    [only] = turn(AnswerDelta(" dose is 10 g for an adult."), WITHHELD, begun="The lethal")
    assert "foot-withheld" in text(only)


def filled(prompt: int | None, *events: Event, **more: object) -> str:
    end = Ended(EndReason.FINISHED, Usage(prompt, 60, 20))
    given = {"info": ALL, "terms": Terms(ROOMY, 200), **more}
    return foot(turn(*events, THINK, ANSWER, end, **given))  # type: ignore[arg-type]


def test_how_full_the_context_is_is_said_from_three_fifths_on() -> None:
    # Of 1,000 tokens 500 are the next reply's, and 40 of the 60 that were written are the answer.
    assert "This conversation fills" not in filled(250)
    assert words.filled(0.6, counted=True) in filled(260)
    assert words.filled(1.0, counted=True) in filled(470)
    assert words.filled(0.72, counted=False) in filled(None, terms=Terms(ROOMY, 320))
    assert "fills" not in filled(400, info={**ALL, "window_known": False})
    assert "fills" not in filled(400, terms=Terms(ROOMY)), "nothing follows in a comparison"


def test_what_was_left_out_of_the_conversation_is_said_while_it_is_written_and_after() -> None:
    going = turn(Shortened(2), THINK, ANSWER)
    assert marks(going) == ["analysis", "partial", "foot"]
    assert words.left_out(2) in foot(going)
    ended = filled(490, Shortened(2))
    assert words.left_out(2) in ended
    assert words.read_from(3) in ended


ERRORS = [
    (NotReady("x"), words.NOT_LOADED),
    (Busy("x", retry_after=7), words.BUSY.format(n=7)),
    (Refused("x"), words.SETUP),
    (TooLong("x"), words.CTX),
    (Unreachable("x"), words.DOWN),
    (TooSlow("x"), words.SLOW),
    (Interrupted("x"), words.DOWN),
    (BrokeContract("x"), words.BAD),
]


@pytest.mark.parametrize(("error", "sentence"), ERRORS)
def test_each_class_of_error_has_its_sentence_and_shows_nothing_of_its_own(
    error: BackendError, sentence: str
) -> None:
    error.args = ("https://host/key /etc/secret Traceback",)
    messages = turn(Ended(EndReason.INTERRUPTED), error=error)
    assert marks(messages) == ["foot"]
    assert sentence.format(ref=REF) in foot(messages)
    assert not re.search("https|/etc|Traceback", str(messages))


def test_an_error_after_the_answer_began_keeps_it_and_marks_it_cut() -> None:
    messages = turn(THINK, ANSWER, Ended(EndReason.INTERRUPTED), error=Interrupted("x"))
    assert marks(messages) == ["analysis", "partial", "foot"]
    assert words.CUT.format(ref=REF) in foot(messages)


def test_the_foot_tells_first_token_speed_and_length() -> None:
    ended = Ended(EndReason.FINISHED, Usage(5, 41, 10))
    assert "first token after 1.0 s · 20 tokens/s · 41 tokens · 3.0 s in all" in foot(
        turn(THINK, ANSWER, ended)
    )


def test_a_model_that_cannot_be_trusted_is_called_so_under_every_answer_of_its() -> None:
    messages = turn(THINK, ANSWER, Ended(EndReason.FINISHED), unreliable=True)
    assert words.unreliable(INFO) in foot(messages)
    assert words.unreliable(INFO) not in foot(turn(THINK, ANSWER, Ended(EndReason.FINISHED)))


def test_a_folded_panel_is_closed_from_the_start_and_has_the_trace_inside() -> None:
    for events in ([Waiting(Stage.READING, 0.1)], [THINK], [THINK, ANSWER]):
        panel = turn(*events, show="folded")[0]
        assert panel["metadata"]["status"] == "done"
        assert text(panel) == ("hm" if THINK in events else "")
    [panel] = turn(THINK, now=75.0, show="folded")
    assert panel["metadata"]["title"] == "Thinking · 1 min 14 s"
    assert panel["metadata"]["log"] == words.UNVERIFIED
    [waking] = turn(Waiting(Stage.WAKING, 12.3), show="folded")
    assert (text(waking), waking["metadata"]["status"]) == (words.WAKE, "pending")


def test_a_hidden_trace_is_nowhere_in_the_page() -> None:
    for events in ([THINK], [THINK, ANSWER], [THINK, ANSWER, Ended(EndReason.FINISHED)]):
        assert "hm" not in str(turn(*events, show="off"))


KILLS = AnswerDelta("The lethal dose is 10 g for an adult.")
WITHHELD = Ended(EndReason.WITHHELD)


def test_row_70_an_answer_that_speaks_of_a_dose_carries_the_caution_once() -> None:
    dose = AnswerDelta("Children are given 10 mg per kg. Adults 500 mg twice daily. ")
    going = turn(dose)
    assert marks(going) == ["analysis", "partial", "foot"]
    for messages in (going, turn(dose, Ended(EndReason.FINISHED))):
        assert foot(messages).count(words.CAUTION) == 1
    assert words.CAUTION not in foot(turn(THINK, ANSWER, Ended(EndReason.FINISHED)))


@pytest.mark.parametrize("events", [(ReasoningDelta(KILLS.text), ANSWER), (THINK, KILLS)])
def test_row_70_nothing_of_a_withheld_reply_is_shown_or_told_again(events: list[Event]) -> None:
    reply = Reply(started=0.0)
    for event in events:
        reply = reply.apply(event, 1.0)
    screen = screened(reply.reasoning, reply.answer)
    snapshot = Snapshot(reply.withheld(2.0), None, REF, screen)
    messages = panels.turn(words, snapshot, 3.0, INFO)
    assert marks(messages) == ["foot"]
    assert "foot-withheld" in text(messages[0])
    assert words.WITHHELD in foot(messages)
    told = Conversation.from_untrusted([panels.question("q"), *messages], "next")
    assert [t.text for t in told.turns] == ["q\n\nnext"]


def test_a_reply_that_the_models_own_server_withheld_says_so() -> None:
    reply = Reply(started=0.0).apply(WITHHELD, 1.0)
    messages = panels.turn(words, Snapshot(reply, None, REF, screened("", "")), 2.0, INFO)
    assert words.WITHHELD_THERE in foot(messages)


def test_a_model_is_told_its_answer_as_it_wrote_it() -> None:
    wrote = "See [NHS](https://www.nhs.uk/a), PMID 123456 and <b>."
    shown = turn(AnswerDelta(wrote), Ended(EndReason.FINISHED))
    assert text(shown[0]).count("unverified") == 2
    before = panels.said(panels.history([panels.question("q"), *shown]))
    told = Conversation.from_untrusted(before, "next")
    assert [t.text for t in told.turns] == ["q", wrote, "next"]


HOSTILE = ["<img src=x onerror=y>", "</div><script>", "<!-- x", "![a](https://x.y/z)", "<style>"]


@pytest.mark.parametrize("bad", HOSTILE)
def test_markup_in_text_is_disarmed_and_comes_back_as_it_was_typed(bad: str) -> None:
    shown = [panels.question(bad), *turn(ReasoningDelta(bad), AnswerDelta(bad))]
    for message in shown:
        assert not re.search(r"<[a-zA-Z/!]|!\[", text(message))
    assert Conversation.ask(text(shown[0])).question == bad


def test_what_stands_in_no_markup_is_shown_untouched() -> None:
    plain = "K+ < 3.5, 5 <6, `a < b`, Na > 145!\n    indented\n- *list*"
    assert text(panels.question(plain)) == plain


@pytest.mark.parametrize(
    "sent", [None, 7, "x", [7], [{"role": "system", "content": [{"text": "x"}]}],
             [{"role": "user", "content": [{"file": {"path": "/etc/passwd"}}]}],
             [{"role": "user", "content": "x"}], [{"role": "assistant"}]],
)  # fmt: skip
def test_a_forged_history_is_not_shown_again(sent: object) -> None:
    assert panels.history(sent) == []


def test_of_an_earlier_turn_the_choices_go_and_a_panel_left_running_is_closed() -> None:
    open_panel = turn(THINK)
    cut = turn(THINK, ANSWER, Ended(EndReason.LENGTH))
    again = panels.history([*open_panel, *cut])
    assert [m.get("options") for m in again] == [None] * 4
    assert {m["metadata"].get("status") for m in again} == {"done", None}
    assert marks(again) == marks(open_panel) + marks(cut)
