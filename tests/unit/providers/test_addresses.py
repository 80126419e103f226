"""Content may come from the Internet, and from nowhere nearer."""

from ipaddress import ip_address

import pytest

from personalize.providers.addresses import is_public, is_spelled_strangely, written


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"),
        *("169.254.169.254", "169.254.170.2", "0.0.0.0", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1"),
        *("255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1"),
        *("2001:db8::1", "2001::1", "100::1", "4000::1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a9fe:a9fe::1"),
    ],
)
def test_an_address_of_ones_own_is_not_public(address: str) -> None:
    """Neither plainly nor inside another one."""
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    """Also where a network of IPv6 alone translates it."""
    assert is_public(ip_address(address))


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "0"])
def test_an_address_in_a_strange_spelling_is_told(host: str) -> None:
    """The C library would connect to it."""
    assert is_spelled_strangely(host)
    assert written(host) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "blog.example.com", "localhost", "1password.example.com", ""])
def test_plain_addresses_and_names_are_not_strange(host: str) -> None:
    """Those are checked as they are, and when they are looked up."""
    assert not is_spelled_strangely(host)
