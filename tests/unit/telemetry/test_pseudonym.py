"""Pseudonyms stand for ids and cannot be turned back."""

import pytest

from personalize.telemetry.pseudonym import Pseudonyms

KEY = b"canary-key-never-shown"


def test_a_pseudonym_is_stable() -> None:
    """Replicas with one key, and one replica after its next start, find what another kept."""
    assert Pseudonyms(KEY)("users", "user_id:u1") == Pseudonyms(KEY)("users", "user_id:u1")
    assert Pseudonyms(b"a")("users", "user_id:u1") == "56daaf64069ec961d7f07a7653428944"


@pytest.mark.parametrize(
    ("key", "collection", "external_id"),
    [
        (b"another-key", "users", "user_id:u1"),
        (KEY, "accounts", "user_id:u1"),
        (KEY, "users", "user_id:u2"),
        (KEY, "users", "anonymous_id:u1"),
        (KEY, "users\0user_id", "u1"),
        (KEY, "", "user_id:u1"),
    ],
)
def test_a_pseudonym_is_of_one_key_collection_and_id(key: bytes, collection: str, external_id: str) -> None:
    """Whatever differs gives another hash, in whatever order they are asked for."""
    usual = Pseudonyms(KEY)
    first = usual("users", "user_id:u1")
    assert Pseudonyms(key)(collection, external_id) != first
    if key == KEY:
        assert usual(collection, external_id) == Pseudonyms(KEY)(collection, external_id)
    assert usual("users", "user_id:u1") == first


@pytest.mark.parametrize("external_id", ["user_id:u1", "user_id:", "user_id:ä€𝄞", "user_id:" + "x" * 10_000])
def test_a_pseudonym_is_short_and_says_nothing(external_id: str) -> None:
    """32 hexadecimal digits, whatever the id."""
    pseudonym = Pseudonyms(KEY)("users", external_id)
    assert len(bytes.fromhex(pseudonym)) == 16
    assert len(pseudonym) == 32


def test_a_long_key_counts_to_its_end() -> None:
    """Two keys that differ late are two keys: a hash function's own limit on keys is not felt."""
    assert Pseudonyms(b"k" * 100 + b"1")("users", "a:b") != Pseudonyms(b"k" * 100 + b"2")("users", "a:b")


def test_an_empty_key_is_refused() -> None:
    """Without a key anybody could hash every user id there is."""
    with pytest.raises(ValueError, match="needs a key"):
        Pseudonyms(b"")


def test_a_space_has_a_key_of_its_own() -> None:
    """Deployments without a key share hashes within a space and not beyond it."""
    assert Pseudonyms.of_space("s1")("users", "a:b") == Pseudonyms.of_space("s1")("users", "a:b")
    assert Pseudonyms.of_space("s1")("users", "a:b") != Pseudonyms.of_space("s2")("users", "a:b")
    assert Pseudonyms.of_space("s1")("users", "a:b") != Pseudonyms(b"s1")("users", "a:b")


def test_the_key_is_not_shown() -> None:
    """A representation in a log or a traceback tells nothing."""
    assert repr(Pseudonyms(KEY)) == str(Pseudonyms(KEY)) == "Pseudonyms(key=***)"
