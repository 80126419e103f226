"""Locks on a real Redis, and without one."""

import signal
from pathlib import Path

import pytest

from personalize.fleet.connection import Connection
from personalize.fleet.lock import Lease, Locks
from tests.connections import connected, until
from tests.redises import Server, needs_redis

pytestmark = [needs_redis, pytest.mark.alone]  # an operation of Redis has 50 ms


async def taken(locks: Locks, name: str = "{ada}:lock", *, seconds: float = 60) -> Lease | None:
    """Try to take a lock; what it is about does not matter."""
    return (await locks.take(name, seconds=seconds, key="{ada}", fields=["plan"])).lease


async def test_one_holds_it(server: Server, connection: Connection) -> None:
    """Until it is released, and never without an end."""
    locks = Locks(connection)
    lease = await taken(locks)
    assert lease is not None
    assert await taken(locks) is None
    assert await taken(locks, "{ada}:other") is not None
    assert 59_000 < server.client.pttl("{ada}:lock") <= 60_000
    await lease.release()
    assert await taken(locks) is not None


async def test_what_somebody_else_holds_by_now_stays_held(server: Server, connection: Connection) -> None:
    """A holder that was too slow has nothing left to release."""
    locks = Locks(connection)
    slow = await taken(locks, seconds=0.0001)
    assert slow is not None
    await until(lambda: not server.client.exists("{ada}:lock"))
    assert await taken(locks) is not None
    await slow.release()
    assert await taken(locks) is None


async def test_whoever_takes_it_or_not_reads_what_it_is_about(server: Server, connection: Connection) -> None:
    """In the same step, so after whoever held it before."""
    locks = Locks(connection)
    server.client.hset("{ada}", "plan", "pro")
    for _ in range(2):
        asked = await locks.take("{ada}:lock", seconds=60, key="{ada}", fields=["plan", "name"])
        assert asked.fields == [b"pro", None]


async def test_a_lock_that_was_taken_unheard_is_given_back(server: Server) -> None:
    """Redis had taken it when the answer was no longer waited for."""
    async with connected(server.url, seconds=0.5) as connection:
        locks = Locks(connection)
        assert await taken(locks, "{ada}:warm") is not None
        server.signal(signal.SIGSTOP)
        lease = await taken(locks)
        assert lease is not None
        server.signal(signal.SIGCONT)
        await until(lambda: server.client.exists("{ada}:lock"))
        await lease.release()
        assert not server.client.exists("{ada}:lock")


async def test_without_redis_everybody_may(tmp_path: Path) -> None:
    """And to release it is nobody's business."""
    async with connected(f"unix://{tmp_path}/none.sock") as away:
        for locks in (Locks(None), Locks(away)):
            for _ in range(2):
                asked = await locks.take("{ada}:lock", seconds=60, key="{ada}", fields=["plan"])
                assert asked.fields is None
                assert asked.lease is not None
                await asked.lease.release()
