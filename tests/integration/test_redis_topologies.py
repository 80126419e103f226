"""The fleet's parts over a master that fails over, and over a Cluster whose slots move."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry

from personalize.fleet.budget import Budget
from personalize.fleet.connection import Connection, Script
from personalize.fleet.invalidations import Invalidations
from personalize.fleet.lock import Locks
from personalize.telemetry.metrics import Metrics
from tests import redises
from tests.processes import until, wait_until
from tests.redises import Cluster, Guarded, needs_redis

pytestmark = needs_redis

KEEP = Script("redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) return 1")
KEYS = [f"personalize:{{{number}}}" for number in range(30)]
BACK_SECONDS = 5.0
SLACK_SECONDS = 5.0
"""For a machine on which all the servers share two cores."""


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    with redises.sentinels() as guarded:
        yield guarded


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with redises.cluster() as cluster:
        yield cluster


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    connection = Connection(url, metrics=Metrics(CollectorRegistry()))
    try:
        await until(lambda: kept(connection, "warm"), "Redis to answer")
        yield connection
    finally:
        await connection.aclose()


async def kept(connection: Connection, key: str) -> object | None:
    return await connection.evaluate("write", KEEP, [key], ["traits", key])


async def test_a_failover_is_followed(guarded: Guarded) -> None:
    """The replica that became master takes writes within seconds of the old one's death."""
    async with connected(guarded.url) as connection:
        old = guarded.master
        invalidations, heard = Invalidations(connection, channel="space"), list[str]()
        listening = asyncio.create_task(invalidations.listen(heard.append))
        await until(lambda: _live(invalidations), "a subscription")
        old.stop()
        await asyncio.to_thread(wait_until, lambda: guarded.master is not old, "a new master", 20)
        failed_over = time.monotonic()
        assert await until(lambda: kept(connection, "k"), "the new master", BACK_SECONDS + SLACK_SECONDS)
        assert time.monotonic() - failed_over < BACK_SECONDS + SLACK_SECONDS
        assert guarded.master.client.hget("k", "traits") == b"k"
        await until(lambda: _live(invalidations), "a subscription at the new master")
        assert await until(lambda: _told(invalidations), "the new master to take a message")
        assert await until(lambda: _first(heard), "the message") == "forgotten"
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_every_slot_of_a_cluster_is_reached(cluster: Cluster) -> None:
    """Reads, scripts, locks and the budget, wherever their keys lie."""
    async with connected(cluster.url) as connection:
        for key in KEYS:
            assert await kept(connection, key) == 1
            assert await connection.read_fields(key, ["traits", "events"]) == [key.encode(), None]
        lease = await Locks(connection).take(f"{KEYS[0]}:lock:traits", seconds=60)
        assert lease is not None
        assert await Locks(connection).take(f"{KEYS[0]}:lock:traits", seconds=60) is None
        await lease.release()
        assert (await Budget(connection, name="space", rate=1).take("page")).wait == 0
        await Budget(connection, name="space", rate=1).pause(20)
        assert (await Budget(connection, name="space", rate=1).take("page")).paused
        assert await connection.memory() is not None


async def test_a_message_reaches_listeners_at_any_node(cluster: Cluster) -> None:
    """The bus of a Cluster carries it to all."""
    async with connected(cluster.url) as one, connected(cluster.url) as two:
        heard = list[str]()
        hearing = Invalidations(two, channel="space")
        listening = asyncio.create_task(hearing.listen(heard.append))
        await until(lambda: _live(hearing), "a subscription")
        assert await Invalidations(one, channel="space").tell(["forgotten"])
        assert await until(lambda: _first(heard), "the message") == "forgotten"
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_a_slot_that_moves_is_followed(cluster: Cluster) -> None:
    """While it is on its way (ASK) and when it has arrived (MOVED), keys are read and written."""
    async with connected(cluster.url) as connection:
        for key in KEYS:
            await until(lambda key=key: kept(connection, key), "Redis to take it")  # type: ignore[misc]  # mypy cannot infer a default
        slot = int(cluster.nodes[0].run("CLUSTER", "KEYSLOT", KEYS[0]))
        source = cluster.owner(slot)
        target = next(node for node in cluster.nodes if node is not source)
        cluster.begin_move(slot, source, target)
        assert await until(lambda: connection.read_fields(KEYS[0], ["traits"]), "an answer on the way")
        cluster.move(slot, target)
        moved = time.monotonic()
        answer = await until(lambda: connection.read_fields(KEYS[0], ["traits"]), "an answer after it")
        assert answer == [KEYS[0].encode()]
        assert await until(lambda: kept(connection, KEYS[0]), "a write after it") == 1
        assert time.monotonic() - moved < BACK_SECONDS + SLACK_SECONDS


async def _live(invalidations: Invalidations) -> float | None:
    return invalidations.live_since


async def _told(invalidations: Invalidations) -> bool | None:
    return True if await invalidations.tell(["forgotten"]) else None


async def _first(heard: list[str]) -> str | None:
    return heard[0] if heard else None
