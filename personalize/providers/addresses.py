"""Which addresses content may come from: those of the Internet, not those of one's own machine and network. Pure."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

_UNICAST = ip_network("2000::/3")
"""All that has been given out for the Internet (RFC 4291, section 2.4)."""

_TRANSLATED = ip_network("64:ff9b::/96")
"""IPv4 as it is reached from a network of IPv6 alone (RFC 6052)."""


def is_public(address: Address) -> bool:
    """Whether an address is reached over the Internet: not loopback, private, link-local, multicast or reserved.

    The metadata services of clouds are link-local (169.254.169.254) or private (fd00:ec2::254). An address that carries
    another one, as `::ffff:127.0.0.1` does, is what that one is.
    """
    if isinstance(address, IPv6Address) and (carried := _carried(address)) is not None:
        return is_public(carried)
    reserved = address.is_multicast or address.is_reserved
    return address.is_global and not reserved and (address.version == 4 or address in _UNICAST)  # noqa: PLR2004 -- IPv4


def written(host: str) -> Address | None:
    """Return the address that a URL's host is, and none of a name, as of an address in a strange spelling."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_spelled_strangely(host: str) -> bool:
    """Whether a host is an IPv4 address as only the C library reads it: `2130706433`, `0x7f.1`, `0177.0.0.1`."""
    if written(host) is not None:
        return False
    try:
        socket.inet_aton(host)
    except (OSError, ValueError):
        return False
    return True


def _carried(address: IPv6Address) -> IPv4Address | None:
    if address in _TRANSLATED:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour
