"""A real master with replica and Sentinel that fails over, and a real Cluster whose slots move."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import SlotNotCoveredError

from personalize.fleet.address import Address, Limits
from personalize.fleet.budget import Budget
from personalize.fleet.connection import Connection
from personalize.fleet.invalidations import Invalidations
from personalize.fleet.lock import Locks
from personalize.fleet.script import Script
from personalize.telemetry.metrics import Metrics
from tests import redises
from tests.conftest import free_port
from tests.connections import SET, Counts, connected, eventually, until
from tests.redises import SERVICE, Cluster, Guarded, Server, needs_redis

pytestmark = needs_redis

BACK_SECONDS = 5.0
"""Within which operations work again after a failover, or after a slot has moved."""

CHANNEL = "personalize:forgotten:test"
BOTH = Script("return {redis.call('HGET', KEYS[1], 'f'), redis.call('HGET', KEYS[2], 'f')}")


@pytest.fixture
def watched() -> Iterator[Guarded]:
    """Return a master that a Sentinel watches."""
    with redises.sentinels() as watched:
        yield watched


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Return a Cluster that tests share, and leave whole."""
    with redises.cluster(spare=True) as cluster:
        yield cluster


def promoted(watched: Guarded) -> bool:
    """Whether the Sentinels name the replica as the master, and it is one."""
    replica = watched.servers[1]
    return watched.master is replica and bool(replica.info("replication")["role"] == "master")


async def written(connection: Connection, key: str, value: bytes) -> None:
    """Write until Redis takes it, within the bound; then it can be read."""
    async with asyncio.timeout(BACK_SECONDS):
        while await connection.evaluate("write", SET, [key], ["f", value]) is None:  # noqa: ASYNC110 -- nothing announces it
            await asyncio.sleep(0.01)
    assert await eventually(connection, key, seconds=BACK_SECONDS) == value


@asynccontextmanager
async def listening(connection: Connection, heard: list[str]) -> AsyncIterator[Invalidations]:
    """Listen to what is forgotten, until cancelled."""
    invalidations = Invalidations(connection, channel=CHANNEL, metrics=Counts().metrics)
    task = asyncio.create_task(invalidations.listen(heard.append))
    try:
        yield invalidations
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def one_holds_it(connection: Connection) -> None:
    """Show that a lock is one's, and another's when that one has looked without it, and given it back."""
    one, other = Locks(connection), Locks(connection)
    assert (await one.take("{tag}:lock", seconds=60, key="{tag}", fields=["f"])).ours
    hashes, fields = [("{tag}", ["{tag}:lock"])], ["stamp", "f"]
    assert await other.look(hashes, fields, seconds=60) == [([None, None], [False])]
    await one.release("{tag}:lock")
    assert await other.look(hashes, fields, seconds=60) == [([None, None], [True])]


async def test_the_master_is_found(watched: Guarded) -> None:
    """Also when the first Sentinel is dead; every part of the fleet works as on one server."""
    url = f"redis+sentinel://127.0.0.1:{free_port()},{watched.hosts}/{SERVICE}/2"
    async with connected(url) as connection:
        await written(connection, "k", b"v")
        assert watched.servers[0].info("keyspace")["db2"]["keys"] == 1
        await one_holds_it(connection)
        budget = Budget(connection, name="n", rate=1, metrics=Metrics(CollectorRegistry()), fleet_size=1)
        assert (await budget.take("page")).wait == 0
        assert budget.grantable is not None
        assert await connection.memory() is not None
        assert await connection.delete("k")


async def test_a_sentinel_without_a_password_names_a_master_with_one() -> None:
    """The password is tried on both."""
    with redises.sentinels(password="secret-word") as watched:
        async with connected(f"redis+sentinel://:secret-word@{watched.hosts}/{SERVICE}") as connection:
            await written(connection, "k", b"v")
        async with connected(watched.url) as without:
            assert await without.read_fields("k", ["f"]) is None


async def test_an_ordered_failover_is_followed(watched: Guarded) -> None:
    """The old master lives on for a while and takes what it is told, but nobody goes there any more."""
    async with connected(watched.url) as connection:
        await written(connection, "k", b"before")
        await asyncio.to_thread(watched.fail_over)
        async with asyncio.timeout(BACK_SECONDS):
            while watched.servers[1].client.hget("k", "f") != b"after":
                await connection.evaluate("write", SET, ["k"], ["f", b"after"])


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_master_that_is_lost_is_followed(watched: Guarded, fault: signal.Signals) -> None:
    """Dead, or silent and back later: from the promotion on, all goes to the new one."""
    counts = Counts()
    async with connected(watched.url, counts) as connection:
        await written(connection, "k", b"before")
        watched.servers[0].signal(fault)
        await until(partial(promoted, watched))
        await written(connection, "k", b"after")
        assert watched.servers[1].client.hget("k", "f") == b"after"
        watched.servers[0].signal(signal.SIGCONT)
        await written(connection, "k", b"later")
        assert watched.servers[1].client.hget("k", "f") == b"later"
    assert counts.failures("write") < 30


@pytest.mark.parametrize("fault", [None, signal.SIGSTOP])
async def test_invalidations_follow_the_master(watched: Guarded, fault: signal.Signals | None) -> None:
    """Who listened knows that something may have been missed, and hears again."""
    heard: list[str] = []
    async with connected(watched.url) as connection, listening(connection, heard) as invalidations:
        await until(lambda: invalidations.live_since)
        before = invalidations.live_since
        assert before is not None
        if fault is None:
            await asyncio.to_thread(watched.fail_over)
        else:
            watched.servers[0].signal(fault)
            await until(partial(promoted, watched))
        await until(lambda: watched.servers[1].client.pubsub_numsub(CHANNEL) == [(CHANNEL.encode(), 1)], BACK_SECONDS)
        await until(lambda: invalidations.live_since)
        assert (invalidations.live_since or 0) > before
        watched.servers[1].client.publish(CHANNEL, "a")
        await until(lambda: heard == ["a"])
        async with asyncio.timeout(BACK_SECONDS):
            while "b" not in heard:
                await invalidations.tell(["b"])
                await asyncio.sleep(0.05)


async def test_a_cluster_is_one_redis(cluster: Cluster) -> None:
    """Every part of the fleet works as on one server, whatever node a key is on."""
    async with connected(cluster.url) as connection:
        for number in range(30):
            await written(connection, f"k{number}", b"v")
        assert await connection.evaluate("read", BOTH, ["{tag}:a", "{tag}:b"], []) == [None, None]
        await one_holds_it(connection)
        budget = Budget(connection, name="n", rate=0.01, metrics=Metrics(CollectorRegistry()), fleet_size=100)
        assert [(await budget.take("server")).wait for _ in range(8)] == [0] * 8
        assert budget.grantable is None  # for it is on one node, and what is looked up on another
        await budget.pause(10)
        assert (
            await Budget(connection, name="n", rate=1, metrics=Metrics(CollectorRegistry()), fleet_size=1).take(
                "server"
            )
        ).paused
        assert await connection.memory() is not None
        assert await connection.delete("k1")


@pytest.mark.parametrize("spare", [False, True], ids=["to a node with slots", "to a node without"])
async def test_a_slot_on_the_move_is_followed(cluster: Cluster, *, spare: bool) -> None:
    """While it moves and after, by many at once."""
    key = key_of(cluster.nodes[0], cluster)
    source, to = cluster.nodes[0], cluster.spare if spare else cluster.nodes[1]
    assert to is not None

    async def read(connection: Connection) -> set[bytes]:
        return set(await asyncio.gather(*(eventually(connection, key, seconds=BACK_SECONDS) for _ in range(20))))

    async with connected(cluster.url) as connection:
        await written(connection, key, b"before")
        for _ in range(5):
            assert await read(connection) == {b"before"}
        with cluster.moving(cluster.slot(key), to):
            for _ in range(5):
                assert await read(connection) == {b"before"}
            await written(connection, key, b"after")
            assert to.client.dbsize()
        for _ in range(5):
            assert await read(connection) == {b"after"}
    bring_back(cluster, [key], to, source)


async def test_many_slots_may_move(cluster: Cluster) -> None:
    """Each key is found where it is now."""
    source, to = cluster.nodes[1:]
    keys = [key for key in map("many-{}".format, range(60)) if cluster.owner(cluster.slot(key)) is source]
    async with connected(cluster.url) as connection:
        for key in keys:
            await written(connection, key, key.encode())
        for key in keys:
            cluster.move(cluster.slot(key), to)
        answers = await asyncio.gather(*(eventually(connection, key, seconds=BACK_SECONDS) for key in keys))
        assert answers == [key.encode() for key in keys]
    bring_back(cluster, keys, to, source)


def key_of(node: Server, cluster: Cluster) -> str:
    """Return a key that lies on a node."""
    return next(key for key in map("key-{}".format, range(100)) if cluster.owner(cluster.slot(key)) is node)


def bring_back(cluster: Cluster, keys: list[str], here: Server, to: Server) -> None:
    """Move keys' slots to where they were, for the next test."""
    for key in keys:
        with cluster.moving(cluster.slot(key), to, source=here):
            pass


async def test_a_cluster_that_does_not_answer_at_first_is_found_later(cluster: Cluster) -> None:
    """Looking for its nodes takes longer than an operation: nobody waits for it, and it is not begun anew each time."""
    async with connected(cluster.url) as connection:
        for node in cluster.nodes:
            node.signal(signal.SIGSTOP)
        try:
            assert await connection.read_fields("k", ["f"]) is None
        finally:
            for node in cluster.nodes:
                node.signal(signal.SIGCONT)
        assert await eventually(connection, seconds=BACK_SECONDS) == b""


async def test_a_node_that_dies_fails_operations_and_nothing_else() -> None:
    """They are answered without it, also when it takes the whole Cluster down; then all is back."""
    with redises.cluster() as cluster:
        dying = cluster.nodes[2]
        key = key_of(dying, cluster)
        async with connected(cluster.url) as connection:
            await written(connection, key, b"before")
            dying.stop()
            await until(lambda: "cluster_state:fail" in state(cluster.nodes[0]))
            for _ in range(20):
                assert await connection.read_fields(key, ["f"]) is None
            dying.start()
            await until(lambda: all("cluster_state:ok" in state(node) for node in cluster.nodes))
            await written(connection, key, b"after")


def state(node: Server) -> str:
    return str(node.run("CLUSTER", "INFO"))


async def test_a_slot_that_nobody_has_is_a_failure(cluster: Cluster) -> None:
    """Of the kind that is expected, though redis-py looks into a table that has no entry for it."""
    client = Address(cluster.url).client(Limits(seconds=5.0, connections=1))
    assert isinstance(client, RedisCluster)
    assert await client.get("k") is None
    assert client.get_node("127.0.0.1", cluster.nodes[0].port) is not None
    client.nodes_manager.slots_cache.clear()
    with pytest.raises(SlotNotCoveredError):
        await client.get("k")
    await client.aclose()


async def test_a_cluster_that_is_not_there_is_answered_without() -> None:
    """As one server is."""
    counts = Counts()
    async with connected(f"redis+cluster://127.0.0.1:{free_port()}", counts) as connection:
        for _ in range(10):
            assert await connection.read_fields("k", ["f"]) is None
        assert connection.away
    assert counts.failures("read") == 5


async def test_invalidations_reach_every_node(cluster: Cluster) -> None:
    """Whatever node each process listens to."""
    heards: list[list[str]] = [[], [], []]
    urls = [f"redis+cluster://127.0.0.1:{node.port}" for node in cluster.nodes]
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(connected(url)) for url in urls]
        replicas = [
            await stack.enter_async_context(listening(connection, heard))
            for connection, heard in zip(connections, heards, strict=True)
        ]
        await until(lambda: all(replica.live_since for replica in replicas))
        await eventually(connections[0])
        await until_told(replicas[0], ["x", "y"])
        await until(lambda: heards == [["x", "y"]] * 3)


async def until_told(invalidations: Invalidations, keys: list[str]) -> None:
    """Tell, again if the connection was not through yet."""
    async with asyncio.timeout(BACK_SECONDS):
        while not await invalidations.tell(keys):  # noqa: ASYNC110 -- nothing announces it
            await asyncio.sleep(0.05)
