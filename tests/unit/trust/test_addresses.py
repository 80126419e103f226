"""Addresses: whose request it is, behind proxies that are trusted and others that are not."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.trust.addresses import NOWHERE, Proxies

TRUSTED = ("10.0.0.0/8", "192.0.2.1/32", "2001:db8:1::/48")
ADA, BOB, PROXY = "198.51.100.7", "203.0.113.9", "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        (ADA, [], ADA),
        (PROXY, [], PROXY),
        (PROXY, [ADA], ADA),
        (PROXY, [f"{BOB}, {ADA}"], ADA),
        (PROXY, [BOB, ADA], ADA),
        (PROXY, [f"{BOB}, {ADA}, 10.9.9.9,192.0.2.1"], ADA),
        (PROXY, [f"10.1.1.1, {ADA}"], ADA),
        (PROXY, ["10.1.1.1, 10.1.1.2"], "10.1.1.1"),
        (PROXY, [f"{ADA}:49152"], ADA),
        (PROXY, [f" {ADA} "], ADA),
        ("::ffff:10.0.0.1", [f"::ffff:{ADA}"], ADA),
        ("2001:db8:1::9", [ADA], ADA),
        ("2001:db8:2::9", [ADA], "2001:db8:2::"),
        (PROXY, ["2001:db8:2:3:4:5:6:7"], "2001:db8:2:3::"),
        (PROXY, ["[2001:db8:2:3::1]:443"], "2001:db8:2:3::"),
        ("fe80::1%eth0", [], "fe80::"),
        (None, [], NOWHERE),
        (None, [ADA], NOWHERE),
        ("/run/personalize.sock", [ADA], NOWHERE),
    ],
)
def test_a_request_is_of_the_last_address_that_a_trusted_proxy_wrote(
    peer: str | None, forwarded: list[str], client: str
) -> None:
    """Read from the right, past the trusted ones; a port does not matter, nor how IPv4 is written."""
    assert Proxies(TRUSTED).client_of(peer, forwarded) == client


@pytest.mark.parametrize("garbage", ["", "unknown", "_hidden", f"{ADA} {BOB}", f"{BOB};{ADA}", "1.2.3", "[", "::1::"])
def test_what_is_no_address_ends_the_search(garbage: str) -> None:
    """It is then the trusted proxy's own request: what stands before the garbage proves nothing."""
    assert Proxies(TRUSTED).client_of(PROXY, [f"{ADA}, {garbage}"]) == PROXY


def test_two_addresses_of_one_subscriber_are_one_client() -> None:
    """A subscriber has a whole IPv6 network of 64 bits, and could take a new address for each request."""
    clients = {Proxies(()).client_of(f"2001:db8:2:3::{number:x}", []) for number in range(1000)}
    assert len(clients) == 1


@given(forwarded=st.lists(st.text(max_size=60), max_size=4), peer=st.ip_addresses())
def test_nobody_but_a_trusted_proxy_chooses_an_address(forwarded: list[str], peer: object) -> None:
    """Whatever a header says; and none makes it fail."""
    strangers = Proxies(())
    assert strangers.client_of(str(peer), forwarded) == strangers.client_of(str(peer), [])
    Proxies(["0.0.0.0/0", "::/0"]).client_of(str(peer), forwarded)


@given(spoofed=st.lists(st.ip_addresses().map(str), max_size=4), client=st.ip_addresses(v=4))
def test_what_a_client_writes_itself_does_not_count(spoofed: list[str], client: object) -> None:
    """The proxy adds the address that it sees, behind all that was there."""
    seen = "198.51.100.1" if ip_address(str(client)) in ip_network("10.0.0.0/8") else str(client)
    told = [", ".join([*spoofed, seen])]
    assert Proxies(["10.0.0.0/8"]).client_of(PROXY, told) == Proxies([]).client_of(seen, [])
