"""The harmony reader against texts nobody would write: 10,000 for each property under CI.

The seed is fixed (`derandomize`), so that a failure here is a failure anywhere.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat.events import EndReason
from chat.harmony import HarmonyReader
from chat.think_tags import ThinkTagsReader
from chat.typed_markers import neutralise
from tests.chat.streams import MARKER, Reader, hear, sized

settings.register_profile(
    "readers",
    max_examples=10_000 if os.environ.get("CI") else 500,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
fuzz = settings(settings.get_profile("readers"))

NAMES = ["start", "end", "message", "channel", "constrain", "return", "call", "im_end", "foo"]
MARKERS = [*(f"<|{name}|>" for name in NAMES), "<think>", "</think>", "<THINK>"]
HALVES = ["<", "<|", "<|chan", "nnel|>", "<|end", "|", "|>", "|end|>", ">", "<th", "ink>", "</"]
WORDS = ["assistant", "analysis", "commentary", "final", " to=", "functions.x", "json", "user"]
OTHER = [" ", "\n", "\r\n", "é", "肺炎", "🫁", "\u200d", "\ud83e", "\udec1", "\x00", "a", "T", "."]

fragments = st.one_of(
    st.sampled_from(MARKERS),
    st.sampled_from(HALVES),
    st.sampled_from(WORDS),
    st.sampled_from(OTHER),
    st.text(max_size=4),
)
texts = st.lists(fragments, max_size=30).map("".join)
reasons = st.sampled_from([None, *EndReason])
readers = st.sampled_from([HarmonyReader, ThinkTagsReader, lambda: ThinkTagsReader(opened=True)])
sizes = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def chunks(text: str, lengths: list[int]) -> list[str | bytes]:
    """`text` in pieces of the `lengths`, over and over."""
    pieces: list[str | bytes] = []
    at = turn = 0
    while at < len(text):
        length = lengths[turn % len(lengths)]
        pieces.append(text[at : at + length])
        at, turn = at + length, turn + 1
    return pieces


@fuzz
@given(texts, reasons, readers, sizes)
def test_any_chunking_gives_the_same_events_and_one_ending_and_no_marker(
    text: str, reason: EndReason | None, reader: type[Reader], lengths: list[int]
) -> None:
    whole = hear([text], reason, reader)  # which looks for markers and counts the endings
    assert hear(sized(text, 1), reason, reader) == whole
    assert hear(chunks(text, lengths), reason, reader) == whole
    if reason is not None:
        kept = EndReason.UNKNOWN if reason is EndReason.FINISHED else reason
        assert whole.end in (reason, kept)
    if whole.end is EndReason.FINISHED:
        assert whole.answer.strip()


@fuzz
@given(st.lists(st.one_of(fragments.map(lambda f: f.encode("utf-8", "replace")), st.binary())))
def test_any_bytes_cut_anywhere_give_the_same_events(parts: list[bytes]) -> None:
    coded = b"".join(parts)
    whole = hear([coded])
    assert hear(parts) == whole
    assert hear(sized(coded, 1)) == whole
    assert hear([coded.decode("utf-8", "replace")]) == whole


# What follows writes reasoning in Cyrillic and answers in Greek, so that each can be told
# anywhere. Noise is anything but a whole header that says `final`.
noise = st.lists(
    st.one_of(
        st.sampled_from(["<|end|>", "<|start|>", "<|message|>", "<|constrain|>", "<|call|>"]),
        st.sampled_from(["<|return|>", "<|foo|>", "<|channel|>", "<think>", "</think>"]),
        st.sampled_from(HALVES),
        st.sampled_from([" ", "\n", "🫁", "assistant", "analysis", "user", "fin", "to=x", "1"]),
    ),
    max_size=3,
).map("".join)
cyrillic = st.text("абвгд", min_size=1, max_size=8)
greek = st.text("αβγδε", min_size=1, max_size=8)
thoughts = st.lists(st.tuples(noise, cyrillic), min_size=1, max_size=3).map(
    lambda pairs: "".join(part for pair in pairs for part in pair)
)
answers = st.lists(st.tuples(greek, noise), min_size=1, max_size=3).map(
    lambda pairs: "".join(part for pair in pairs for part in pair)
)
headers = st.sampled_from(["<|channel|>", "<|start|>assistant<|channel|>", "<|end|><|channel|>"])
messages = st.lists(
    st.one_of(
        st.tuples(headers, st.just("analysis<|message|>"), thoughts),
        st.tuples(headers, st.just("final<|message|>"), answers),
        st.tuples(headers, st.just("commentary to=functions.x<|message|>"), thoughts),
    ).map("".join),
    min_size=1,
    max_size=4,
).map("".join)


def has(text: str, alphabet: str) -> bool:
    return any(letter in text for letter in alphabet)


@fuzz
@given(messages, st.integers(0, 400), reasons, sizes)
def test_reasoning_is_never_in_the_answer_however_broken_the_messages(
    text: str, cut: int, reason: EndReason | None, lengths: list[int]
) -> None:
    heard = hear(chunks(text[:cut], lengths), reason)
    assert not has(heard.answer, "абвгд")


@fuzz
@given(cyrillic, thoughts, greek, st.sampled_from(["", "assistant"]), st.integers(0, 99), sizes)
def test_reasoning_is_never_in_the_answer_where_the_markers_were_stripped(
    first: str, rest: str, answer: str, role: str, cut: int, lengths: list[int]
) -> None:
    thought = first + MARKER.sub("", MARKER.sub("", rest))
    text = f"{role}analysis{thought}assistantfinal{answer}"
    heard = hear(chunks(text, lengths), EndReason.FINISHED)
    assert not has(heard.answer, "абвгд")
    assert has(heard.answer, "αβγδε")
    assert not has(hear(chunks(text[:cut], lengths), EndReason.LENGTH).answer, "абвгд")


@fuzz
@given(texts)
def test_neutralised_text_holds_no_marker_and_loses_no_letter(text: str) -> None:
    harmless = neutralise(text)
    assert not MARKER.search(harmless)
    assert harmless.replace(" ", "") == text.replace(" ", "")
    assert neutralise(harmless) == harmless
