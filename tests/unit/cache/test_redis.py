"""The shared tier on a real Redis: keys, fields, expiry, stamps, and values that cannot be read."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from personalize.cache import entry
from personalize.cache.aliases import MAX_ALIASES
from personalize.cache.amendment import Amend, Amended, Record
from personalize.cache.redis import Expiry, RedisStore
from personalize.cache.store import Known
from personalize.fleet.connection import Connection
from personalize.fleet.invalidations import Invalidations
from personalize.fleet.lock import Locks
from personalize.fleet.patience import Patience, hurried
from personalize.model import AnySection, EventHistory, Section, SectionName, Traits
from personalize.telemetry.metrics import Metrics
from tests.connections import connected
from tests.processes import until
from tests.redises import Server, needs_redis

PLAN: Traits = Section({"plan": "pro"}, ("plan",), 1000.5)
NOBODY: Traits = Section(None, ("plan",), 1000.5)
ONE: tuple[SectionName, ...] = ("traits",)
BOTH: tuple[SectionName, ...] = ("events", "traits")
VIEWED: EventHistory = Section((), ("Viewed",), 1000.5)


def store_of(connection: Connection) -> RedisStore:
    invalidations = Invalidations(connection, channel="space", metrics=Metrics(CollectorRegistry()))
    return RedisStore(connection, Locks(connection), invalidations, Expiry(known=86_400, unknown=0.25))


@pytest.fixture
async def store(server: Server) -> AsyncIterator[RedisStore]:
    connection = Connection(server.url, metrics=Metrics(CollectorRegistry()))
    store = store_of(connection)
    await until(lambda: store.read("warm", ["traits"]), "Redis to answer")
    server.client.config_resetstat()
    yield store
    await connection.aclose()


pytestmark = [needs_redis, pytest.mark.calm]  # an operation of Redis has 50 ms


async def test_sections_are_read_back(store: RedisStore) -> None:
    """Each under its own name; what nobody stored is left out."""
    await store.write("ada", "traits", PLAN, b"")
    assert await store.read("ada", ["events", "traits"]) == Known(b"", {"traits": PLAN})
    await store.write("ada", "events", VIEWED, b"")
    assert await store.read("ada", ["events", "traits"]) == Known(b"", {"traits": PLAN, "events": VIEWED})
    assert await store.read("bob", ["events", "traits"]) == Known()


async def test_a_profile_is_one_hash_with_one_field_a_section(store: RedisStore, server: Server) -> None:
    """One key a profile is forgotten at once, and lies in one slot of a Cluster by the braces around its hash."""
    await store.write("ada", "traits", PLAN, b"")
    await store.write("ada", "events", VIEWED, b"")
    assert server.client.keys() == [b"personalize:{ada}"]
    assert sorted(server.client.hkeys("personalize:{ada}")) == [b"events", b"traits"]


async def test_reading_and_writing_are_one_round_trip_each(store: RedisStore, server: Server) -> None:
    """However many sections."""
    await store.read("ada", ["traits", "events"])
    assert server.calls() == {"hmget": 1}


async def test_a_profile_expires(store: RedisStore, server: Server) -> None:
    """Redis forgets by itself, a day after the last write; one that does not exist much sooner."""
    await store.write("ada", "traits", PLAN, b"")
    await store.write("nobody", "traits", NOBODY, b"")
    assert 86_390_000 < server.client.pttl("personalize:{ada}") <= 86_400_000
    assert 0 < server.client.pttl("personalize:{nobody}") <= 250


async def test_an_expiry_is_only_ever_lengthened(store: RedisStore, server: Server) -> None:
    """One section that is not there does not take the others with it."""
    await store.write("ada", "traits", PLAN, b"")
    await store.write("ada", "events", Section(None, ("Viewed",), 1.0), b"")
    assert server.client.pttl("personalize:{ada}") > 86_390_000


@pytest.mark.parametrize("damaged", [b"", b"\x00x", entry.encode(PLAN)[:-1], entry.encode(VIEWED)])
async def test_a_value_that_cannot_be_read_is_absent(store: RedisStore, server: Server, damaged: bytes) -> None:
    """The other sections are still served, and the log tells which one it was but not what was in it."""
    server.client.hset("personalize:{ada}", mapping={"traits": damaged, "events": entry.encode(VIEWED)})
    with capture_logs() as logged:
        assert await store.read("ada", ["traits", "events"]) == Known(b"", {"events": VIEWED})
    assert logged == [{"event": "cached_value_unreadable", "log_level": "warning", "section": "traits"}]


async def test_forgetting_leaves_nothing_but_a_stamp(store: RedisStore, server: Server) -> None:
    """A new one each time, which itself expires."""
    await store.write("ada", "traits", PLAN, b"")
    assert await store.forget("ada")
    first = await store.read("ada", ["traits"])
    await store.forget("ada")
    second = await store.read("ada", ["traits"])
    assert first is not None
    assert second is not None
    assert (first.sections, second.sections) == ({}, {})
    assert b"" != first.stamp != second.stamp
    assert server.client.pttl("personalize:{ada}") > 0


async def test_a_read_from_before_cannot_bring_back_what_was_forgotten(store: RedisStore) -> None:
    """Only who knows the new stamp may write."""
    await store.forget("ada")
    await store.write("ada", "traits", PLAN, b"")
    known = await store.read("ada", ["traits"])
    assert known is not None
    assert known.sections == {}
    await store.write("ada", "traits", PLAN, known.stamp)
    assert await store.read("ada", ["traits"]) == Known(known.stamp, {"traits": PLAN})


async def test_related_keys_are_known_until_they_are_parted(store: RedisStore, server: Server) -> None:
    """The first of them; they expire with the profile, and outlive its being forgotten."""
    await store.relate("ada", ["a", "b"], proven=True)
    assert server.client.pttl("personalize:{ada}:aliases") > 0
    assert await store.forget("ada")
    assert await store.related("ada") == frozenset({"a", "b"})
    assert await store.part("ada")
    assert await store.related("ada") == frozenset()
    for number in range(2 * MAX_ALIASES):
        await store.relate("ada", [f"k{number:03}"], proven=True)
    assert await store.related("ada") == frozenset(f"k{number:03}" for number in range(MAX_ALIASES))


TEAM: Traits = Section({"plan": "team"}, ("plan",), 1000.5)


def to(sections: Mapping[SectionName, AnySection], said: Mapping[str, float] | None = None) -> Amend:
    """Return an amendment that makes these sections of whatever there is."""
    return lambda record: Amended(Record({**record.sections, **sections}, {**record.said, **(said or {})}), "written")


async def test_an_amended_profile_has_a_new_stamp_and_its_other_sections(store: RedisStore, server: Server) -> None:
    """A read from before may not be written any more; nothing lives longer for it."""
    await store.write("ada", "traits", PLAN, b"")
    await store.write("ada", "events", VIEWED, b"")
    server.client.pexpire("personalize:{ada}", 60_000)
    assert await store.amend("ada", to({"traits": TEAM}, {"plan": 7.0})) == "written"
    known = await store.read("ada", ["traits", "events"])
    assert known is not None
    assert known.sections == {"traits": TEAM, "events": VIEWED}
    assert known.stamp
    await store.write("ada", "traits", PLAN, b"")
    assert await store.read("ada", ["traits", "events"]) == known
    assert 0 < server.client.pttl("personalize:{ada}") <= 60_000
    seen: list[Record] = []

    def repeated(record: Record) -> Amended:
        seen.append(record)
        return Amended(record, "repeated")

    assert await store.amend("ada", repeated) == "repeated"
    assert seen == [Record({"traits": TEAM, "events": VIEWED}, {"plan": 7.0})]
    assert await store.read("ada", ["traits", "events"]) == known


async def test_what_is_gone_from_a_profile_is_removed(store: RedisStore, server: Server) -> None:
    """As that somebody is not there."""
    await store.write("ada", "traits", NOBODY, b"")
    assert await store.amend("ada", lambda record: Amended(Record({}, record.said), "invalidated")) == "invalidated"
    assert sorted(server.client.hkeys("personalize:{ada}")) == [b"said", b"stamp"]


async def test_of_somebody_who_is_not_here_a_mark_is_kept(store: RedisStore, server: Server) -> None:
    """As long as any replica may still have what was evicted here; and a read under way may not be written."""
    assert await store.amend("ada", lambda record: Amended(record, "uncached")) == "uncached"
    assert 86_000_000 < server.client.pttl("personalize:{ada}") <= 86_400_000
    await store.write("ada", "traits", PLAN, b"")
    known = await store.read("ada", ["traits"])
    assert known is not None
    assert known.sections == {}


async def test_who_changes_a_profile_meanwhile_is_not_overwritten(store: RedisStore, server: Server) -> None:
    """The amendment is made anew of what is there then, also of what was not there before."""
    await store.write("ada", "traits", PLAN, b"")
    meanwhile = [("traits", TEAM), ("all_traits", TEAM)]

    def amend(record: Record) -> Amended:
        if meanwhile:
            name, section = meanwhile.pop()
            server.client.hset("personalize:{ada}", name, entry.encode(section))
        return Amended(Record({name: Section({}, one.asked, 1.0) for name, one in record.sections.items()}), "written")

    assert await store.amend("ada", amend) == "written"
    known = await store.read("ada", ["traits", "all_traits"])
    assert known is not None
    assert known.sections == {"traits": Section({}, ("plan",), 1.0), "all_traits": Section({}, ("plan",), 1.0)}


async def test_a_profile_that_never_rests_is_not_amended(store: RedisStore, server: Server) -> None:
    """Whoever wants that hears it, and may try again."""
    await store.write("ada", "traits", PLAN, b"")
    count = iter(range(100))

    def amend(record: Record) -> Amended:
        server.client.hset("personalize:{ada}", "traits", entry.encode(Section({"n": next(count)}, (), 1.0)))
        return Amended(Record({"traits": TEAM}), "written")

    assert await store.amend("ada", amend) is None


async def test_what_cannot_be_read_is_amended_away(store: RedisStore, server: Server) -> None:
    """It was a miss before."""
    server.client.hset("personalize:{ada}", mapping={"traits": b"?", "said": b"?", "events": entry.encode(VIEWED)})
    with capture_logs():
        assert await store.amend("ada", to({})) == "written"
    assert sorted(server.client.hkeys("personalize:{ada}")) == [b"events", b"said", b"stamp"]


async def test_a_full_redis_still_forgets_and_amends(store: RedisStore, server: Server) -> None:
    """It refuses to keep more, and takes what is to go."""
    await store.write("ada", "traits", PLAN, b"")
    await store.write("bob", "traits", PLAN, b"")
    server.client.config_set("maxmemory", "1")
    try:
        assert await store.amend("ada", to({"traits": TEAM})) == "written"
        assert await store.forget("bob")
    finally:
        server.client.config_set("maxmemory", "0")
    known = await store.read("ada", ["traits"])
    assert known is not None
    assert known.sections == {"traits": TEAM}


async def test_one_replica_at_a_time_may_read_a_section(store: RedisStore, server: Server) -> None:
    """Of a profile; another section is another's to read."""
    async with connected(server.url) as connection:
        other = store_of(connection)
        assert (await store.claim("ada", "traits")).granted
        assert not (await other.claim("ada", "traits")).granted
        assert (await other.claim("ada", "events")).granted
        await store.release("ada", "traits")
        assert (await other.claim("ada", "traits")).granted


async def test_whoever_looks_may_read_what_is_not_there(store: RedisStore, server: Server) -> None:
    """If that is what it looks for, and nobody else may: in the same round trip, also for several profiles."""
    await store.write("ada", "events", VIEWED, b"")
    async with connected(server.url) as connection:
        other = store_of(connection)
        await until(lambda: other.read("warm", ["traits"], claiming=True), "Redis to answer")
        assert await store.read("ada", ["events", "traits"]) == Known(b"", {"events": VIEWED})
        server.client.config_resetstat()
        looks = [store.read(key, ["events", "traits"], claiming=True) for key in ("ada", "bob")]
        assert await asyncio.gather(*looks) == [
            Known(b"", {"events": VIEWED}, BOTH[1:]),
            Known(claimed=BOTH),
        ]
        assert server.client.info("commandstats")["cmdstat_evalsha"]["calls"] == 1
        assert await other.read("ada", ["events", "traits"], claiming=True) == Known(b"", {"events": VIEWED})
        assert not (await other.claim("ada", "traits")).granted
        await store.release("ada", "traits")
        assert (await other.claim("ada", "traits")).granted


async def test_whoever_does_not_claim_keeps_nobody_from_it(store: RedisStore) -> None:
    """Also where both ask in one turn: a flood that may not read must not cost those who may."""
    looks = [store.read("ada", ["traits"], claiming=True), store.read("bob", ["traits"])]
    assert await asyncio.gather(*looks) == [Known(claimed=ONE), Known()]


async def test_who_asks_for_different_things_at_once_claims_nothing(store: RedisStore) -> None:
    """It is claimed afterwards, by whoever reads."""
    looks = [store.read("ada", [name], claiming=True) for name in ("traits", "events")]
    assert await asyncio.gather(*looks) == [Known(), Known()]


async def test_a_shared_round_trip_costs_each_its_time(server: Server) -> None:
    """And who has no patience left takes nobody's answer away."""
    async with connected(server.url, seconds=0.5) as connection:
        store = store_of(connection)
        await until(lambda: store.read("warm", ["traits"]), "Redis to answer")
        patient = [Patience(10), Patience(10), Patience(0.5)]
        server.client.client_pause(150, all=True)
        told = await asyncio.gather(*(asked(store, *one) for one in zip(("ada", "bob", "kim"), patient, strict=True)))
    assert told == [Known(), Known(), None]
    assert patient[0].spent == patient[1].spent > 0.05
    assert patient[2].spent == 0


async def asked(store: RedisStore, key: str, patience: Patience) -> Known | None:
    with hurried(patience):
        return await store.read(key, ["traits"])


async def test_a_claim_knows_what_the_last_reader_left(store: RedisStore, server: Server) -> None:
    """In the same round trip: the section and the profile's stamp."""
    assert (await store.claim("ada", "traits")).known == Known()
    await store.forget("ada")
    forgotten = (await store.claim("ada", "traits")).known
    assert forgotten is not None
    assert forgotten.stamp
    await store.write("ada", "traits", PLAN, forgotten.stamp)
    server.client.config_resetstat()
    assert (await store.claim("ada", "traits")).known == Known(forgotten.stamp, {"traits": PLAN})
    assert server.client.info("commandstats")["cmdstat_evalsha"]["calls"] == 1


async def test_what_was_compared_a_moment_ago_is_trusted(server: Server) -> None:
    """For a second while nothing is heard."""
    connection = Connection(server.url, metrics=Metrics(CollectorRegistry()))
    now = 100.0
    store = RedisStore(
        connection,
        Locks(connection),
        Invalidations(connection, channel="space", metrics=Metrics(CollectorRegistry())),
        Expiry(known=60, unknown=60),
        clock=lambda: now,
    )
    assert (store.trusts(99.5), store.trusts(99.0)) == (True, False)
    await connection.aclose()


async def test_while_redis_is_away_there_is_nothing(tmp_path: Path) -> None:
    """Nothing is known, nothing is kept, anybody may read, and forgetting says that it failed."""
    connection = Connection(f"unix://{tmp_path}/none.sock", metrics=Metrics(CollectorRegistry()))
    store = store_of(connection)
    await store.write("ada", "traits", PLAN, b"")
    await store.relate("ada", ["a"], proven=True)
    assert await store.read("ada", ["traits"]) is None
    assert await store.read("ada", ["traits"], claiming=True) is None
    for _ in range(2):
        claim = await store.claim("ada", "traits")
        assert (claim.granted, claim.known) == (True, None)
    await store.release("ada", "traits")
    assert not await store.forget("ada")
    assert await store.amend("ada", lambda record: Amended(record, "written")) is None
    assert await store.related("ada") is None
    assert not await store.part("ada")
    assert not await store.tell(["ada"])
    await connection.aclose()
