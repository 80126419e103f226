"""Locks on a real Redis, and without one."""

from pathlib import Path

from personalize.fleet.connection import Connection
from personalize.fleet.lock import Locks
from tests.connections import connected, until
from tests.redises import Server, needs_redis

pytestmark = needs_redis


async def test_one_holds_it(server: Server, connection: Connection) -> None:
    """Until it is released, and never without an end."""
    locks = Locks(connection)
    lease = await locks.take("name", seconds=60)
    assert lease is not None
    assert await locks.take("name", seconds=60) is None
    assert await locks.take("other", seconds=60) is not None
    assert 59_000 < server.client.pttl("name") <= 60_000
    await lease.release()
    assert await locks.take("name", seconds=60) is not None


async def test_what_somebody_else_holds_by_now_stays_held(server: Server, connection: Connection) -> None:
    """A holder that was too slow has nothing left to release."""
    locks = Locks(connection)
    slow = await locks.take("name", seconds=0.0001)
    assert slow is not None
    await until(lambda: not server.client.exists("name"))
    assert await locks.take("name", seconds=60) is not None
    await slow.release()
    assert await locks.take("name", seconds=60) is None


async def test_without_redis_everybody_may(tmp_path: Path) -> None:
    """And to release it is nobody's business."""
    async with connected(f"unix://{tmp_path}/none.sock") as away:
        for locks in (Locks(None), Locks(away)):
            for _ in range(2):
                lease = await locks.take("name", seconds=60)
                assert lease is not None
                await lease.release()
