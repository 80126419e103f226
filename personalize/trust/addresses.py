"""Addresses: where a request comes from, also behind proxies that are trusted to say so."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

NOWHERE = ""
"""Where requests come from of which no address is known, as those over a socket of this machine."""

_NETWORK_BYTES = 8
"""Of an IPv6 address: what follows a subscriber may choose, at each request anew (RFC 4291, 2.5.4; RFC 8981)."""


class Proxies:
    """The proxies that are believed when they say for whom they ask (`X-Forwarded-For`); nobody else is.

    Args:
        trusted: their addresses and networks.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted = tuple(ip_network(one) for one in trusted)

    def client_of(self, peer: str | None, forwarded: Sequence[str]) -> str:
        """Return where a request comes from: an IPv4 address, or the first one of an IPv6 network of 64 bits.

        Each proxy writes behind what it was told from whom it got the request. So this is the last address that a
        trusted one wrote; what stands before it anybody may have made up.

        Args:
            peer: the address at the other end of the connection, if it has one.
            forwarded: the `X-Forwarded-For` headers, in their order.
        """
        client = _parsed(peer or NOWHERE)
        said = ",".join(forwarded).split(",")
        while client is not None and said and self._trusts(client):
            before = _parsed(said.pop())
            if before is None:
                break
            client = before
        return NOWHERE if client is None else _subscriber(client)

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address, with or without a port behind it; `None` for what is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address  # as a socket for both families writes IPv4


def _subscriber(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Address(address.packed[:_NETWORK_BYTES].ljust(len(address.packed), b"\0")))
