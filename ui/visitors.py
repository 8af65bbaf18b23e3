"""Who asks, as far as limits need to know: an address that no client can choose, and hashed.

Past the guard nobody sees an address: what the rest of the server is given instead is a key that
means nothing outside of this process and cannot be turned back without its salt.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.types import Scope

log = logging.getLogger("medicalgpt.server")

OWNER = ""
"""The key of whoever sits at this machine. The owner is not limited."""
NOBODY = "0.0.0.0"  # noqa: S104
FORWARDED = b"x-forwarded-for"

Address = IPv4Address | IPv6Address

_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|(\d+\.\d+\.\d+\.\d+):\d{1,5}")
"""Some proxies write the port of the connection too."""


class Visitors:
    """Keys for the visitors behind `trusted_proxies` proxies; 0 where clients connect directly.

    Each proxy adds the address it was contacted from at the right end of X-Forwarded-For, so that
    the n-th from the right is what the outermost of ours saw. What stands left of it a client
    may have written itself. Source: MDN, X-Forwarded-For, "Trusted proxy count".
    """

    def __init__(self, trusted_proxies: int = 0) -> None:
        self._trusted = trusted_proxies
        self._salt = secrets.token_bytes(16)
        self._told: set[int] = set()
        self._warned = False

    def key(self, scope: Scope) -> str:
        """16 hex digits for a visitor, or `OWNER`. The same address gives the same key."""
        client = scope.get("client")
        peer = _address(str(client[0])) if client else None
        given = b",".join(value for name, value in scope["headers"] if name == FORWARDED)
        hops = given.decode("latin-1").split(",") if given else []
        self._tell(len(hops))
        if self._trusted == 0 and peer is not None and peer.is_loopback:
            self._warn(bool(given))
            return OWNER
        told = _address(hops[-self._trusted]) if 0 < self._trusted <= len(hops) else None
        self._warn(bool(given) and told is None)
        return self._hashed(told or peer)

    def _warn(self, uncounted: bool) -> None:
        """Once, where a proxy's word about its visitors is not, or cannot be, taken."""
        if uncounted and not self._warned:
            self._warned = True
            log.warning(
                "visitors come through a proxy or tunnel and are not told apart: they have no "
                "limit each of their own. See TRUSTED_PROXIES"
            )

    def _tell(self, hops: int) -> None:
        """How many proxies there seem to be, once for each number: how an owner finds it."""
        if hops and hops not in self._told and len(self._told) < 10:
            self._told.add(hops)
            log.debug("a request came with %d addresses in X-Forwarded-For", hops)

    def _hashed(self, address: Address | None) -> str:
        # Whoever has an IPv6 address has 2**64 of them.
        network = int(address) >> 64 if isinstance(address, IPv6Address) else address or NOBODY
        return hashlib.blake2b(str(network).encode(), key=self._salt, digest_size=8).hexdigest()


def _address(text: str) -> Address | None:
    text = text.strip().partition("%")[0]
    if with_port := _PORT.fullmatch(text):
        text = with_port[1] or with_port[2]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
