"""Messages between replicas over a real Redis: heard by all, and silence is never taken for peace."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from personalize.fleet.connection import Connection
from personalize.fleet.invalidations import Invalidations
from personalize.telemetry.metrics import Metrics
from tests import redises
from tests.processes import until
from tests.redises import needs_redis

pytestmark = needs_redis


class Replica:
    """What one replica has heard."""

    def __init__(self, connection: Connection, channel: str = "space") -> None:
        self.invalidations = Invalidations(connection, channel=channel)
        self.heard: list[str] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Replica"]:
        task = asyncio.create_task(self.invalidations.listen(self.heard.append))
        try:
            await self.live()
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def live(self) -> float:
        return await until(self._live_since, "a subscription")

    async def lost(self) -> bool:
        return await until(self._not_live, "the silence to be noticed")

    async def hears(self, count: int) -> list[str]:
        return await until(lambda: self._heard(count), f"{count} messages")

    async def _live_since(self) -> float | None:
        return self.invalidations.live_since

    async def _not_live(self) -> bool | None:
        return True if self.invalidations.live_since is None else None

    async def _heard(self, count: int) -> list[str] | None:
        return self.heard if len(self.heard) >= count else None


async def test_all_replicas_hear_what_one_tells(connection: Connection) -> None:
    """The teller too, every key; those of another space do not."""
    one, two, stranger = Replica(connection), Replica(connection), Replica(connection, "another")
    async with one.listening(), two.listening(), stranger.listening():
        assert await one.invalidations.tell(["a", "b"])
        assert await two.invalidations.tell(["c"])
        assert await one.hears(3) == await two.hears(3) == ["a", "b", "c"]
    assert stranger.heard == []


async def test_nobody_listens_before_he_has_subscribed(connection: Connection) -> None:
    """Nothing is claimed to have been heard."""
    assert Invalidations(connection, channel="space").live_since is None


async def test_telling_says_when_nobody_could_be_told(metrics: Metrics) -> None:
    """So that whoever asked can try again."""
    with redises.server() as server:
        connection = Connection(server.url, metrics=metrics)
        server.stop()
        assert not await Invalidations(connection, channel="space").tell(["a"])
        await connection.aclose()


async def test_a_stopped_redis_is_noticed_and_listened_to_again(metrics: Metrics) -> None:
    """What was told meanwhile may be lost: so it counts as live only since it was subscribed anew."""
    with redises.server() as server:
        connection = Connection(server.url, metrics=metrics)
        async with Replica(connection).listening() as replica:
            before = await replica.live()
            server.signal(signal.SIGSTOP)
            assert await replica.lost()
            await asyncio.sleep(2.5)  # longer than the connection is given up after, which is what is tested here
            server.signal(signal.SIGCONT)
            assert await replica.live() > before
            assert await until(lambda: _told(replica, "a"), "Redis to take it")
            assert await replica.hears(1) == ["a"]
        await connection.aclose()


async def test_a_restarted_redis_is_listened_to_again(metrics: Metrics) -> None:
    """Within a moment of its return."""
    with redises.server() as server:
        connection = Connection(server.url, metrics=metrics)
        async with Replica(connection).listening() as replica:
            before = await replica.live()
            server.stop()
            assert await replica.lost()
            server.start()
            assert await replica.live() > before
        await connection.aclose()


async def _told(replica: Replica, key: str) -> bool | None:
    return True if await replica.invalidations.tell([key]) else None


async def test_listening_ends_whenever_it_is_cancelled(connection: Connection) -> None:
    """At any moment of connecting, subscribing and waiting: a service that stops must not wait for it."""
    for moment in range(60):
        listening = asyncio.create_task(Invalidations(connection, channel="space").listen(print))
        await asyncio.sleep(0.0002 * moment)
        listening.cancel()
        done, _ = await asyncio.wait([listening], timeout=5)
        assert done, moment
