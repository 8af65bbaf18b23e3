"""The event-stream reader: the 30 vectors at every split, then what they do not say."""

from __future__ import annotations

import base64
import json
import os
import random
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.sse import CAP, SseEvent, SseReader, TooLarge

VECTORS = json.loads(Path(__file__).with_name("sse_vectors.json").read_text("utf-8"))
KIB = 1 << 10

fuzz = settings(
    max_examples=10_000 if os.environ.get("CI") else 500,
    derandomize=True,
    deadline=None,
    database=None,
)


def read(pieces: Iterable[bytes], reader: SseReader | None = None) -> list[SseEvent]:
    reader = reader or SseReader()
    return [event for piece in pieces for event in reader.feed(piece)]


def sized(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def stream_of(vector: dict[str, Any]) -> bytes:
    parts = vector.get("bytes_parts") or [{"b64": vector["bytes_b64"], "times": 1}]
    return b"".join(base64.b64decode(part["b64"]) * part["times"] for part in parts)


def expected_of(vector: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (
            event["event"],
            event["data"]
            if "data" in event
            else "".join(part["text"] * part["times"] for part in event["data_parts"]),
            event["id"],
        )
        for event in vector["expected"]
    ]


def told(events: list[SseEvent]) -> list[tuple[str, str, str]]:
    return [(event.event, event.data, event.id) for event in events]


# The 30 vectors, rows 44 and 45 of the matrix


def test_there_are_thirty_vectors() -> None:
    assert len({vector["name"] for vector in VECTORS}) == 30


@pytest.mark.parametrize("vector", VECTORS[:-1], ids=lambda vector: vector["name"])
def test_a_vector_gives_its_events_at_every_split(vector: dict[str, Any]) -> None:
    stream, expected = stream_of(vector), expected_of(vector)
    assert len(stream) < 200, "every split, of all of it"
    for one in range(len(stream) + 1):
        for two in range(one, len(stream) + 1):
            pieces = [stream[:one], stream[one:two], stream[two:]]
            assert told(read(pieces)) == expected, pieces
    for size in range(1, len(stream) + 1):
        assert told(read(sized(stream, size))) == expected, size
    if lengths := vector.get("chunk_sizes"):
        ends = [sum(lengths[: count + 1]) for count in range(len(lengths))]
        assert ends[-1] == len(stream)
        pieces = [stream[end - length : end] for end, length in zip(ends, lengths, strict=True)]
        assert told(read(pieces)) == expected


def test_the_line_of_one_mib_gives_its_event_at_the_splits_of_a_sample() -> None:
    stream, expected = stream_of(VECTORS[-1]), expected_of(VECTORS[-1])
    assert len(stream) == (1 << 20) + 8
    near = [*range(10), *range(len(stream) - 4, len(stream) + 1)]
    for at in [*near, *random.Random(30).sample(range(len(stream)), 20)]:  # noqa: S311
        assert told(read([stream[:at], stream[at:]])) == expected, at
    for size in (len(stream), 65_536, 1_000, 97):
        assert told(read(sized(stream, size))) == expected, size


# Against a second reading of the standard, written line by line


def by_the_standard(stream: bytes) -> list[SseEvent]:
    """All at once and with no thought of time: the standard's words, in its order."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    events, data, kind, last, own = [], "", "", "", False
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]:
        if line == "":
            if data:
                events.append(SseEvent(data[:-1], kind or "message", last, own))
            data, kind, own = "", "", False
            continue
        field, colon, value = line.partition(":")
        value = value[1:] if value[:1] == " " else value
        if colon and not field:
            continue
        if field == "data":
            data += value + "\n"
        elif field == "event":
            kind = value
        elif field == "id" and "\0" not in value:
            last, own = value, True
    return events


ENDS = [b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b"\n\n\n"]
LINES = [b"data: a", b"data:", b"data", b"data:  b", b"data: {}", b"datas: a", b" data: a", b": c"]
LINES += [b"event: x", b"event", b"id: 1", b"id", b"id: \x00", b"retry: 3", b":", b"\xef\xbb\xbf"]
LINES += [b"data: \xe2\x80\xa8\xc2\x85\x0b", b"data: \xff", b"data: \xf0\x9f", b"\xf0\x9f\x98\x80"]
streams = st.lists(
    st.one_of(
        st.sampled_from(LINES),
        st.sampled_from(ENDS),
        st.just(b"data: {}\n\n"),
        st.binary(max_size=4),
    ),
    max_size=30,
).map(b"".join)


@fuzz
@given(streams, st.lists(st.integers(0, 20), min_size=1, max_size=8))
def test_any_stream_cut_anywhere_is_read_as_the_standard_says(
    stream: bytes, lengths: list[int]
) -> None:
    expected = by_the_standard(stream)
    assert read([stream]) == expected
    assert read(sized(stream, 1)) == expected
    pieces, at = [], 0
    for length in lengths:
        pieces.append(stream[at : at + length])
        at += length
    assert read([*pieces, stream[at:]]) == expected


@fuzz
@given(streams, st.integers(1, 12), st.integers(1, 12), st.integers(1, 9))
def test_a_cap_is_met_or_not_whatever_the_cuts(
    stream: bytes, line: int, event: int, size: int
) -> None:
    def tried(pieces: list[bytes]) -> list[SseEvent] | None:
        try:
            return read(pieces, SseReader(line, event))
        except TooLarge:
            return None

    assert tried(sized(stream, size)) == tried([stream]) == tried(sized(stream, 1))


def test_a_hundred_thousand_random_splits_change_nothing() -> None:
    ids = b"id: 7\nevent: tick\ndata: a\ndata: b\n\n"
    stream = b"\xef\xbb\xbf: hi\r\n\r\ndata: \xf0\x9f\xab\x81\r\n\r\n" + ids + b"data: {}\n\n" * 3
    expected, chance = read([stream]), random.Random(44)  # noqa: S311
    assert len(expected) == 5
    for _ in range(100_000 if os.environ.get("CI") else 5_000):
        cuts = sorted(chance.choices(range(len(stream) + 1), k=3))
        pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        assert read(pieces) == expected, cuts


# What the vectors do not say


def test_an_event_says_whether_it_brought_its_own_id() -> None:
    stream = b"id: 1\ndata: a\n\ndata: b\n\nid: 2\n\ndata: c\n\nid\ndata: d\n\n"
    for size in (1, 9, len(stream)):
        events = read(sized(stream, size))
        assert [(event.data, event.id, event.own_id) for event in events] == [
            ("a", "1", True),
            ("b", "1", False),
            ("c", "2", False),
            ("d", "", True),
        ]


def test_an_event_is_given_with_the_piece_that_ends_it() -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        reader = SseReader()
        assert reader.feed(b"data: a" + end) == []
        assert reader.feed(end) == [SseEvent("a")]  # with a lone CR too: nobody waits for its LF
        assert reader.feed(b"data: b" + end + end + b"data: c" + end) == [SseEvent("b")]
        assert reader.feed(b": comment" + end) == []
        assert reader.feed(end) == [SseEvent("c")]


def test_comments_are_no_events_and_leave_what_is_around_them_alone() -> None:
    reader = SseReader()
    assert read([b": keep-alive\n\n"] * 3, reader) == []
    assert read([b"data: a\n", b": keep-alive\n", b"data: b\n\n"], reader) == [SseEvent("a\nb")]


def test_a_byte_order_mark_is_one_only_at_the_very_beginning() -> None:
    mark = b"\xef\xbb\xbf"
    for before in (b"data: a\n\n", b"data: a\n\ndata: a\n\n", b": c\n", b"\n", mark + b"\n"):
        reader = SseReader()
        reader.feed(before)
        assert reader.feed(mark + b"data: b\n\ndata: c\n\n") == [SseEvent("c")], before


# Caps


def test_by_default_a_line_and_an_event_may_have_one_mib_and_a_margin() -> None:
    reader = SseReader()
    assert CAP == (1 << 20) + (64 << 10)
    line = b"data: " + b"x" * (CAP - 6)
    assert len(reader.feed(line + b"\n\n")[0].data) == CAP - 6
    with pytest.raises(TooLarge):
        reader.feed(line + b"x")
    with pytest.raises(TooLarge):
        SseReader().feed((b"data: " + b"x" * (CAP // 2) + b"\n") * 2)


@pytest.mark.parametrize("size", [1, 7, 1_000])
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_a_line_may_be_as_long_as_its_cap_and_no_longer(size: int, end: bytes) -> None:
    good, bad = b"data: " + b"x" * 94 + end, b"data: " + b"x" * 95 + end
    assert read(sized(good * 2, size), SseReader(max_line=100)) == [SseEvent("x" * 94)] * 2
    pieces = [good[:70], good[70:].rstrip() + b"\n" + good]
    assert read(pieces, SseReader(max_line=100)) == [SseEvent("x" * 94 + "\n" + "x" * 94)]
    with pytest.raises(TooLarge, match="line is longer than 100 bytes"):
        read(sized(good + bad, size), SseReader(max_line=100))
    with pytest.raises(TooLarge):  # an end is not needed
        read(sized(bad.rstrip(), size), SseReader(max_line=100))


@pytest.mark.parametrize("size", [1, 7, 1_000])
@pytest.mark.parametrize("line", [b"data: 456789\n", b"event: 456789\n", b"id: 456789\n"])
def test_an_events_lines_together_have_a_cap_too(size: int, line: bytes) -> None:
    good = line * 10 + b"data\n\n"  # 10 times 7, and 1
    events = read(sized(good * 3, size), SseReader(max_event=71))
    assert [event.data for event in events] == [events[0].data] * 3
    with pytest.raises(TooLarge, match="event is longer than 71 bytes"):
        read(sized(line * 10 + b"data\ndata\n", size), SseReader(max_event=71))
    with pytest.raises(TooLarge):
        read(sized(b"data: " + b"x" * 71 + b"\n\n", size), SseReader(max_event=71))


@pytest.mark.parametrize(
    "piece",
    [b"x" * 4 * KIB, b"data: " + b"x" * KIB + b"\n", b"data\n" * 800, b"data: x\n" * 500],
    ids=["one line", "lines of 1 KiB", "empty lines", "short lines"],
)
def test_what_never_ends_is_given_up_before_it_costs_more_than_its_cap(piece: bytes) -> None:
    cap = 256 * KIB
    reader = SseReader(cap, cap)

    def feed_without_end() -> None:
        for _ in range(100 * cap // len(piece)):
            assert reader.feed(piece) == []

    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            feed_without_end()
        # A growing buffer moves: for a moment there are two, and each may be an eighth too big.
        assert tracemalloc.get_traced_memory()[1] < 2.25 * cap + 4 * len(piece)
    finally:
        tracemalloc.stop()


def test_comments_without_end_cost_nothing() -> None:
    reader = SseReader()
    tracemalloc.start()
    try:
        for _ in range(20_000):
            assert reader.feed(b": keep-alive " + b"x" * 200 + b"\n\n") == []
        assert tracemalloc.get_traced_memory()[1] < 64 * KIB
    finally:
        tracemalloc.stop()


@pytest.mark.timeout(30)
def test_a_long_line_in_single_bytes_is_not_looked_at_again_for_each() -> None:
    """Well under a second; looked at or copied again for each byte it would be minutes."""
    line = b"data: " + b"x" * (1 << 20)
    assert [len(event.data) for event in read(sized(line + b"\n\n", 1))] == [1 << 20]


@pytest.mark.timeout(30)
def test_many_lines_of_one_event_in_single_bytes_are_not_either() -> None:
    lines = b"data: x\n" * (1 << 17)
    assert [len(event.data) for event in read(sized(lines + b"\n", 1))] == [(1 << 18) - 1]
