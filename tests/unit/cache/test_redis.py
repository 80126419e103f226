"""The shared tier over a double of the fleet's connection: keys, fields, expiry, and values that cannot be read."""

from collections.abc import Sequence
from typing import cast

import pytest
from structlog.testing import capture_logs

from personalize.cache import entry
from personalize.cache.entry import Store
from personalize.cache.redis import RedisStore
from personalize.fleet.connection import Connection
from personalize.model import EventHistory, Section, Traits

PLAN: Traits = Section({"plan": "pro"}, ("plan",), 1000.5)
VIEWED: EventHistory = Section((), ("Viewed",), 1000.5)


class Hashes:
    """A Redis of hashes with the connection's three verbs, that records its calls; it may be away."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.stored: dict[str, dict[str, bytes]] = {}
        self.expires_ms: dict[str, int] = {}
        self.away = False

    async def read_fields(self, key: str, fields: Sequence[str]) -> list[bytes | None]:
        self.calls.append(f"read {','.join(fields)}")
        return [] if self.away else [self.stored.get(key, {}).get(field) for field in fields]

    async def write_field(self, key: str, field: str, value: bytes, *, expire_ms: int) -> None:
        self.calls.append(f"write {field}")
        if not self.away:
            self.stored.setdefault(key, {})[field] = value
            self.expires_ms[key] = expire_ms

    async def delete(self, key: str) -> None:
        self.calls.append("delete")
        self.stored.pop(key, None)


@pytest.fixture
def hashes() -> Hashes:
    return Hashes()


@pytest.fixture
def store(hashes: Hashes) -> Store:
    return RedisStore(cast("Connection", hashes), expire=86_400)


async def test_sections_are_read_back(store: Store) -> None:
    """Each under its own name."""
    await store.write("ada", "traits", PLAN)
    await store.write("ada", "events", VIEWED)
    assert await store.read("ada", ["events", "traits"]) == {"traits": PLAN, "events": VIEWED}


async def test_a_profile_is_one_hash_with_one_field_a_section(store: Store, hashes: Hashes) -> None:
    """One key a profile is erased at once, and lies in one slot of a cluster by the braces around its hash."""
    await store.write("ada", "traits", PLAN)
    await store.write("ada", "events", VIEWED)
    assert {key: sorted(fields) for key, fields in hashes.stored.items()} == {"personalize:{ada}": ["events", "traits"]}


async def test_a_profile_expires(store: Store, hashes: Hashes) -> None:
    """Redis forgets by itself, a day after the last write."""
    await store.write("ada", "traits", PLAN)
    assert hashes.expires_ms == {"personalize:{ada}": 86_400_000}


async def test_a_fraction_of_a_second_is_kept_in_the_expiry(hashes: Hashes) -> None:
    """Expiry is in milliseconds."""
    await RedisStore(cast("Connection", hashes), expire=0.25).write("ada", "traits", PLAN)
    assert hashes.expires_ms == {"personalize:{ada}": 250}


async def test_sections_are_read_in_one_call(store: Store, hashes: Hashes) -> None:
    """However many are asked for."""
    await store.read("ada", ["traits", "events"])
    assert hashes.calls == ["read traits,events"]


async def test_what_is_not_there_is_left_out(store: Store) -> None:
    """A section that nobody stored, and a profile that nobody stored."""
    await store.write("ada", "traits", PLAN)
    assert await store.read("ada", ["events", "traits"]) == {"traits": PLAN}
    assert await store.read("bob", ["events", "traits"]) == {}


@pytest.mark.parametrize("damaged", [b"", b"\x00x", entry.encode(PLAN)[:-1], entry.encode(VIEWED)])
async def test_a_value_that_cannot_be_read_is_absent(store: Store, hashes: Hashes, damaged: bytes) -> None:
    """The other sections are still served, and the log tells which one it was but not what was in it."""
    hashes.stored["personalize:{ada}"] = {"traits": damaged, "events": entry.encode(VIEWED)}
    with capture_logs() as logged:
        found = await store.read("ada", ["traits", "events"])
    assert found == {"events": VIEWED}
    assert logged == [{"event": "cached_value_unreadable", "log_level": "warning", "section": "traits"}]


async def test_while_redis_is_away_there_is_nothing(store: Store, hashes: Hashes) -> None:
    """Reading finds nothing, writing keeps nothing, and neither fails."""
    hashes.away = True
    await store.write("ada", "traits", PLAN)
    assert await store.read("ada", ["traits", "events"]) == {}


async def test_dropping_deletes_the_profile(store: Store, hashes: Hashes) -> None:
    """All of it in one call, and no other."""
    await store.write("ada", "traits", PLAN)
    await store.write("bob", "traits", PLAN)
    await store.drop("ada")
    assert list(hashes.stored) == ["personalize:{bob}"]
    assert hashes.calls[-1] == "delete"


def test_the_tier_is_called_redis() -> None:
    """In metrics."""
    assert RedisStore.tier == "redis"
