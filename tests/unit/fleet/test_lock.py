"""Locks on a real Redis: one holder at a time, nobody else's to give back, and nobody's when Redis is away."""

from pathlib import Path

from personalize.fleet.connection import Connection
from personalize.fleet.lock import Locks
from personalize.telemetry.metrics import Metrics
from tests.processes import until
from tests.redises import Server, needs_redis


@needs_redis
async def test_one_holds_it_until_it_is_released(connection: Connection) -> None:
    """Then the next one may."""
    locks = Locks(connection)
    mine = await locks.take("k", seconds=60)
    assert mine is not None
    assert await locks.take("k", seconds=60) is None
    assert await locks.take("other", seconds=60) is not None
    await mine.release()
    assert await locks.take("k", seconds=60) is not None


@needs_redis
async def test_a_lock_ends_by_itself(server: Server, connection: Connection) -> None:
    """Whoever died with it in hand."""
    locks = Locks(connection)
    assert await locks.take("k", seconds=60) is not None
    assert 59_000 < server.client.pttl("k") <= 60_000
    server.client.pexpire("k", 1)
    assert await until(lambda: locks.take("k", seconds=60), "the lock to end") is not None


@needs_redis
async def test_nobody_gives_back_what_is_anothers_by_now(server: Server, connection: Connection) -> None:
    """A holder that was slow."""
    locks = Locks(connection)
    slow = await locks.take("k", seconds=60)
    server.client.delete("k")
    assert await locks.take("k", seconds=60) is not None
    assert slow is not None
    await slow.release()
    assert await locks.take("k", seconds=60) is None


async def test_while_redis_is_away_nobody_holds_it(tmp_path: Path, metrics: Metrics) -> None:
    """Work is done twice rather than not at all."""
    connection = Connection(f"unix://{tmp_path}/none.sock", metrics=metrics)
    locks = Locks(connection)
    for _ in range(2):
        lease = await locks.take("k", seconds=60)
        assert lease is not None
        await lease.release()
    await connection.aclose()
