"""Which address counts, and what of it is left past the guard."""

from __future__ import annotations

import logging

import pytest

from ui.visitors import OWNER, Visitors


def key(visitors: Visitors, peer: str, *lines: str) -> str:
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in lines]
    return visitors.key({"client": (peer, 1), "headers": [(b"host", b"x"), *headers]})


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_the_owner_unless_a_proxy_stands_before_it(peer: str) -> None:
    assert key(Visitors(0), peer) == OWNER
    assert key(Visitors(1), peer) != OWNER


def test_a_proxy_on_this_machine_that_nobody_named_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    visitors = Visitors(0)
    for _ in range(3):
        assert key(visitors, "127.0.0.1", "203.0.113.7") == OWNER
    assert caplog.text.count("TRUSTED_PROXIES") == 1


def test_without_proxies_the_peer_counts_and_the_header_does_not() -> None:
    visitors = Visitors(0)
    one = key(visitors, "203.0.113.7")
    assert key(visitors, "203.0.113.7", "198.51.100.1", "127.0.0.1") == one
    assert key(visitors, "203.0.113.8", "203.0.113.7") != one


@pytest.mark.parametrize(("proxies", "hop"), [(1, "10.0.0.9"), (2, "172.70.1.1"), (3, "192.0.2.1")])
def test_the_nth_address_from_the_right_counts_however_it_is_split(proxies: int, hop: str) -> None:
    visitors = Visitors(proxies)
    direct = key(Visitors(0), hop)
    assert direct != OWNER
    whole = key(visitors, "10.1.1.1", "6.6.6.6, 192.0.2.1, 172.70.1.1, 10.0.0.9")
    assert key(visitors, "10.1.1.1", "192.0.2.1", "172.70.1.1,10.0.0.9") == whole
    assert key(visitors, "10.2.2.2", "evil", "192.0.2.1,172.70.1.1", "10.0.0.9") == whole
    assert key(visitors, "10.1.1.1", "192.0.2.2, 172.70.1.2, 10.0.0.8") != whole


@pytest.mark.parametrize(
    "header",
    ["", " ", ",", "x", "1.2.3", "1.2.3.4:x", "[::1", "1.2.3.4, \xff", "9" * 5_000, "::1::"],
)
def test_a_header_that_is_none_leaves_the_peer(header: str) -> None:
    visitors = Visitors(1)
    assert key(visitors, "10.1.1.1", header) == key(visitors, "10.1.1.1")


@pytest.mark.parametrize(
    ("written", "address"),
    [("192.0.2.1:4711", "192.0.2.1"), ("[2001:db8::1]:80", "2001:db8::1"), ("[::2]", "::2")],
)
def test_a_port_beside_an_address_is_no_part_of_it(written: str, address: str) -> None:
    visitors = Visitors(1)
    assert key(visitors, "10.1.1.1", written) == key(visitors, "10.1.1.1", address)
    assert key(visitors, "10.1.1.1", written) != key(visitors, "10.1.1.1")


@pytest.mark.parametrize(("proxies", "header"), [(0, "192.0.2.1"), (3, "192.0.2.1, 10.0.0.1")])
def test_visitors_whom_nobody_tells_apart_are_spoken_of_once(
    proxies: int, header: str, caplog: pytest.LogCaptureFixture
) -> None:
    visitors = Visitors(proxies)
    for _ in range(3):
        key(visitors, "10.1.1.1", header)
    assert caplog.text.count("TRUSTED_PROXIES") == 1


def test_an_ipv6_address_counts_with_its_network() -> None:
    visitors = Visitors(1)
    one = key(visitors, "10.1.1.1", "2001:db8:1:2::1")
    assert key(visitors, "10.1.1.1", "2001:db8:1:2:ffff:ffff:ffff:ffff") == one
    assert key(visitors, "10.1.1.1", "2001:db8:1:3::1") != one
    mapped = key(visitors, "10.1.1.1", "::ffff:203.0.113.7")
    assert mapped == key(visitors, "10.1.1.1", "203.0.113.7")


def test_a_key_is_no_address_means_nothing_to_another_process_and_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    one, another = (key(Visitors(1), "10.1.1.1", "6.6.6.6, 203.0.113.7") for _ in range(2))
    assert one != another
    assert len(one) == 16
    assert "2 addresses" in caplog.text  # how an owner finds the number of proxies
    for secret in ("203.0", "6.6", "10.1", one, another):
        assert secret not in caplog.text
