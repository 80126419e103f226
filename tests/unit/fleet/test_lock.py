"""Locks on a real Redis, and without one."""

import signal
from itertools import count
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from personalize.fleet.budget import BURST, LEFT, Budget
from personalize.fleet.connection import Connection
from personalize.fleet.lock import Locks
from personalize.telemetry.metrics import Metrics
from tests.connections import Clock, connected, until
from tests.redises import Server, needs_redis

pytestmark = [needs_redis, pytest.mark.calm]  # an operation of Redis has 50 ms


ADA = "{ada}:lock"


async def taken(locks: Locks, name: str = ADA, *, seconds: float = 60) -> bool:
    """Try to take a lock; what it is about does not matter."""
    return (await locks.take(name, seconds=seconds, key="{ada}", fields=["plan"])).ours


async def test_one_holds_it(server: Server, connection: Connection) -> None:
    """Until it is released, and never without an end."""
    one, other = Locks(connection), Locks(connection)
    assert await taken(one)
    assert not await taken(other)
    assert await taken(other, "{ada}:other")
    assert 59_000 < server.client.pttl(ADA) <= 60_000
    await one.release(ADA)
    assert await taken(other)


async def test_whoever_holds_it_is_told_so_again(server: Server, connection: Connection) -> None:
    """For no longer than it was taken for: nobody holds a lock for ever by asking."""
    locks = Locks(connection)
    assert await taken(locks)
    server.client.pexpire(ADA, 30_000)
    assert await taken(locks)
    assert server.client.pttl(ADA) <= 30_000


async def test_what_somebody_else_holds_by_now_stays_held(server: Server, connection: Connection) -> None:
    """A holder that was too slow has nothing left to release."""
    slow, other = Locks(connection), Locks(connection)
    assert await taken(slow, seconds=0.0001)
    await until(lambda: not server.client.exists(ADA))
    assert await taken(other)
    await slow.release(ADA)
    assert not await taken(slow)


HASHES = [("{ada}", ("{ada}:plan", "{ada}:name")), ("{bob}", ("{bob}:plan", "{bob}:name"))]


async def test_what_is_not_there_is_locked_by_whoever_looks(server: Server, connection: Connection) -> None:
    """In one round trip for several, and for one at a time: until it is released, or for as long as it was said."""
    one, other = Locks(connection), Locks(connection)
    server.client.hset("{bob}", mapping={"stamp": "1.5", "plan": "pro"})
    await one.look([("{kim}", ("{kim}:plan",))], ["stamp", "plan"], seconds=60)  # the server knows the script now
    server.client.config_resetstat()
    absent = [([None, None, None], [True, True]), ([b"1.5", b"pro", None], [False, True])]
    assert await one.look(HASHES, ["stamp", "plan", "name"], seconds=60) == absent
    assert server.client.info("commandstats")["cmdstat_evalsha"]["calls"] == 1
    assert 59_000 < server.client.pttl("{bob}:name") <= 60_000
    assert not server.client.exists("{bob}:plan")
    assert await one.look(HASHES, ["stamp", "plan", "name"], seconds=60) == absent
    held = [(fields, [False, False]) for fields, _ in absent]
    assert await other.look(HASHES, ["stamp", "plan", "name"], seconds=60) == held
    await one.release("{ada}:name")
    assert await other.look(HASHES[:1], ["stamp", "plan", "name"], seconds=60) == [(absent[0][0], [False, True])]


def budgeted(connection: Connection) -> Budget:
    """Return a budget that is spent by eight calls, on a clock that stands still: what is in hand stays good."""
    return Budget(connection, name="space", rate=0.01, metrics=Metrics(CollectorRegistry()), clock=Clock())


async def taken_from_hand(budget: Budget, server: Server) -> int:
    """Take calls until Redis is asked for one; return how many there were before."""
    server.client.config_resetstat()
    for calls in count():
        assert (await budget.take("page")).wait == 0
        if "cmdstat_evalsha" in server.client.info("commandstats"):
            return calls
    raise AssertionError


async def test_with_what_is_to_be_read_comes_the_call_for_it(server: Server, connection: Connection) -> None:
    """By the same round trip; not for what is there, nor for what is being read by anybody."""
    budget = budgeted(connection)
    one, other = Locks(connection, budget), Locks(connection, budgeted(connection))
    server.client.hset("{bob}", "plan", "pro")
    for locks in (one, one, other):
        found = await locks.look([HASHES[1]], ["stamp", "plan", "name"], seconds=60)
        assert found == [([None, b"pro", None], [False, locks is one])]
    assert await taken_from_hand(budget, server) == 1
    spent = [(await budget.take("server")).wait > 0 for _ in range(BURST - 1)]
    assert spent == [False] * (BURST - 2) + [True]


async def test_calls_by_the_way_leave_most_of_a_burst(server: Server, connection: Connection) -> None:
    """As much as refreshes do; who finds none in hand asks for it."""
    budget = budgeted(connection)
    many = [(f"{{{name}}}", (f"{{{name}}}:plan",)) for name in "abcdef"]
    found = await Locks(connection, budget).look(many, ["stamp", "plan"], seconds=60)
    assert found == [([None, None], [True])] * len(many)
    assert await taken_from_hand(budget, server) == BURST - LEFT["refresh"]


async def test_in_a_pause_no_call_comes(server: Server, connection: Connection) -> None:
    """Though nobody here knows of it yet."""
    await budgeted(connection).pause(30)
    budget = budgeted(connection)
    assert await Locks(connection, budget).look(HASHES, ["stamp", "plan", "name"], seconds=60)
    assert (await budget.take("server")).paused


async def test_a_full_server_is_looked_at_all_the_same(server: Server, connection: Connection) -> None:
    """It keeps no lock, so none is had."""
    server.client.hset("{bob}", "plan", "pro")
    server.client.config_set("maxmemory", "1")
    try:
        found = await Locks(connection, budgeted(connection)).look(HASHES, ["stamp", "plan", "name"], seconds=60)
    finally:
        server.client.config_set("maxmemory", "0")
    assert found == [([None, None, None], [False, False]), ([None, b"pro", None], [False, False])]


async def test_whoever_takes_it_or_not_reads_what_it_is_about(server: Server, connection: Connection) -> None:
    """In the same step, so after whoever held it before."""
    locks = Locks(connection)
    server.client.hset("{ada}", "plan", "pro")
    for one in (locks, Locks(connection)):
        asked = await one.take(ADA, seconds=60, key="{ada}", fields=["plan", "name"])
        assert asked.fields == [b"pro", None]


async def test_a_lock_that_was_taken_unheard_is_given_back(server: Server) -> None:
    """Redis had taken it when the answer was no longer waited for."""
    async with connected(server.url, seconds=0.5) as connection:
        locks = Locks(connection)
        assert await taken(locks, "{ada}:warm")
        server.signal(signal.SIGSTOP)
        assert await taken(locks)
        server.signal(signal.SIGCONT)
        await until(lambda: server.client.exists(ADA))
        assert await taken(locks)
        await locks.release(ADA)
        assert not server.client.exists(ADA)


async def test_without_redis_everybody_may(tmp_path: Path) -> None:
    """And to release it is nobody's business; to look finds nothing."""
    async with connected(f"unix://{tmp_path}/none.sock") as away:
        for locks in (Locks(None), Locks(away)):
            for _ in range(2):
                asked = await locks.take(ADA, seconds=60, key="{ada}", fields=["plan"])
                assert (asked.ours, asked.fields) == (True, None)
                assert await locks.look(HASHES, ["stamp", "plan", "name"], seconds=60) is None
                await locks.release(ADA)
