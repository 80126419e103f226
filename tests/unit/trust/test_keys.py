"""API keys are recognised by their digests."""

import hashlib

import pytest

from personalize.trust.keys import ApiKeys


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


KEYS = ApiKeys([("web-2025", digest("fake-key-of-last-year")), ("web-2026", digest("fake-key-of-this-year"))])


@pytest.mark.parametrize(
    ("key", "name"), [("fake-key-of-last-year", "web-2025"), ("fake-key-of-this-year", "web-2026")]
)
def test_a_live_key_has_a_name(key: str, name: str) -> None:
    """While one key replaces another, both are good, and it can be told which was used."""
    assert KEYS.name_of(key) == name


@pytest.mark.parametrize(
    "key",
    [
        "",
        "fake-key-of-last-yea",
        "fake-key-of-last-year ",
        "FAKE-KEY-OF-LAST-YEAR",
        "web-2025",
        "ä€𝄞",
        "\udcff",
        digest("fake-key-of-last-year").hex(),
    ],
)
def test_any_other_key_has_none(key: str) -> None:
    """Neither a part of one, nor its name or digest."""
    assert KEYS.name_of(key) is None


def test_without_keys_no_key_has_one() -> None:
    """A deployment without servers of its own trusts none."""
    assert ApiKeys([]).name_of("fake-key-of-last-year") is None


def test_keys_are_those_of_the_start() -> None:
    """A list that changes later changes nothing."""
    given = [("web", digest("fake-key-of-this-year"))]
    keys = ApiKeys(given)
    given.clear()
    assert keys.name_of("fake-key-of-this-year") == "web"


def test_no_key_is_shown() -> None:
    """A representation holds neither keys nor digests."""
    assert "fake-key" not in repr(KEYS)
    assert repr(digest("fake-key-of-last-year")) not in repr(KEYS)


def test_two_keys_of_one_name_are_both_live() -> None:
    """While one replaces the other, the server keeps its name."""
    keys = ApiKeys([("web", digest("fake-key-of-last-year")), ("web", digest("fake-key-of-this-year"))])
    assert keys.name_of("fake-key-of-last-year") == keys.name_of("fake-key-of-this-year") == "web"
