"""Invalidations over a real Redis: who hears them, and who knows that he may have missed some."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from personalize.fleet.connection import Connection
from personalize.fleet.invalidations import SILENCE_SECONDS, Invalidations
from tests import redises
from tests.connections import Clock, Counts, connected, until
from tests.redises import Server, needs_redis

pytestmark = [needs_redis, pytest.mark.calm]  # an operation of Redis has 50 ms

CHANNEL = "personalize:forgotten:test"


class Replica:
    """A process that listens, and what it has heard."""

    def __init__(self, connection: Connection, counts: Counts, clock: Callable[[], float]) -> None:
        self.heard: list[str] = []
        self.counts = counts
        self.invalidations = Invalidations(connection, channel=CHANNEL, metrics=counts.metrics, clock=clock)

    @property
    def live_since(self) -> float | None:
        return self.invalidations.live_since


@asynccontextmanager
async def listening(url: str, clock: Callable[[], float] = time.monotonic) -> AsyncIterator[Replica]:
    """Return a replica that listens, until it is cancelled."""
    counts = Counts()
    async with connected(url, counts) as connection:
        replica = Replica(connection, counts, clock)
        task = asyncio.create_task(replica.invalidations.listen(replica.heard.append))
        try:
            yield replica
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        assert (replica.live_since, counts.heard) == (None, 0)


async def test_everybody_hears(server: Server) -> None:
    """Who tells too, all keys, in order."""
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(listening(server.url)) for _ in range(3)]
        assert [replica.live_since for replica in replicas] == [None] * 3
        await until(lambda: all(replica.live_since for replica in replicas))
        assert await replicas[0].invalidations.tell(["a", "b"])
        assert await replicas[1].invalidations.tell(["c"])
        await until(lambda: all(replica.heard == ["a", "b", "c"] for replica in replicas))
        assert [replica.counts.heard for replica in replicas] == [1] * 3


async def test_it_is_live_only_from_when_it_listens(server: Server) -> None:
    """And stays so for as long as it does."""
    async with listening(server.url) as replica:
        begun = time.monotonic()
        await until(lambda: replica.live_since)
        live_since = replica.live_since
        assert live_since is not None
        assert begun <= live_since <= time.monotonic()
        await until(lambda: time.monotonic() > begun + 2 * SILENCE_SECONDS)
        assert replica.live_since == live_since


async def test_a_stopped_redis_is_noticed() -> None:
    """Within a second or so nobody believes to have heard everything; later everybody hears again, from then on."""
    with redises.server() as server:
        async with listening(server.url) as replica:
            await until(lambda: replica.live_since)
            before = replica.live_since
            assert before is not None
            with capture_logs() as logged:
                server.signal(signal.SIGSTOP)
                stopped = time.monotonic()
                await until(lambda: replica.live_since is None)
                assert time.monotonic() - stopped < SILENCE_SECONDS + 1
                assert not await replica.invalidations.tell(["a"])
                await until(lambda: "invalidations_unheard" in [one["event"] for one in logged])
                assert replica.counts.heard == 0
                server.signal(signal.SIGCONT)
                await until(lambda: replica.live_since)
            assert replica.live_since is not None
            assert replica.live_since > before
            assert [one["event"] for one in logged if "heard" in one["event"]] == [
                "invalidations_unheard",
                "invalidations_heard",
            ]


async def test_a_killed_redis_is_noticed_at_once() -> None:
    """And listened to again when it is back, without a line in the log if that is soon."""
    with redises.server() as server:
        async with listening(server.url) as replica:
            await until(lambda: replica.live_since)
            with capture_logs() as logged:
                server.stop()
                await until(lambda: replica.live_since is None, seconds=0.9)
                server.start()
                await until(lambda: replica.live_since)
            assert logged == []
            assert await replica.invalidations.tell(["a"])
            await until(lambda: replica.heard == ["a"])


async def test_being_held_up_is_no_proof_and_no_loss(server: Server) -> None:
    """While the process did nothing it heard nothing: it knows that, and then reads what had come meanwhile."""
    ahead = 0.0
    async with listening(server.url, lambda: time.monotonic() + ahead) as replica:
        await until(lambda: replica.live_since)
        live_since, told = replica.live_since, server.client.publish(CHANNEL, "a")
        ahead = 5 * SILENCE_SECONDS
        assert (replica.live_since, replica.heard, told) == (None, [], 1)
        await until(lambda: replica.live_since)
        assert (replica.live_since, replica.heard) == (live_since, ["a"])


async def test_an_answer_from_before_is_no_proof_for_now() -> None:
    """It says how things were when its ping was sent: whatever was told later may be lost."""
    clock, pinged, gate = Clock(), asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            if b"SUBSCRIBE" in data:
                writer.write(b"*3\r\n$9\r\nsubscribe\r\n$%d\r\n%s\r\n:1\r\n" % (len(CHANNEL), CHANNEL.encode()))
            for _ in range(data.count(b"PING")):
                pinged.set()
                await gate.wait()
                writer.write(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, listening(url, clock) as replica:
        await until(lambda: replica.live_since)
        await pinged.wait()
        clock.now += 2 * SILENCE_SECONDS
        assert replica.live_since is None
        pinged.clear()
        gate.set()
        await pinged.wait()
        gate.clear()
        assert replica.live_since is None
        gate.set()
        await until(lambda: replica.live_since)


async def test_a_flood_is_heard_whole(server: Server) -> None:
    """It keeps nobody from knowing that nothing was missed."""
    async with listening(server.url) as replica:
        await until(lambda: replica.live_since)
        live_since = replica.live_since
        for number in range(100):
            server.client.publish(CHANNEL, " ".join(f"k{number}-{one}" for one in range(100)))
        await until(lambda: len(replica.heard) == 10_000)
        assert len(set(replica.heard)) == 10_000
        assert replica.live_since == live_since


async def test_what_is_no_message_of_ours_is_survived(server: Server) -> None:
    """Anybody may publish anything."""
    async with listening(server.url) as replica:
        await until(lambda: replica.live_since)
        server.client.publish(CHANNEL, b"\xff\xfe")
        server.client.publish(CHANNEL, b"")
        assert await replica.invalidations.tell(["a"])
        await until(lambda: replica.heard[-1:] == ["a"])
        assert replica.live_since is not None


async def test_messages_of_others_are_theirs(server: Server) -> None:
    """Each deployment has its channel."""
    async with listening(server.url) as replica:
        await until(lambda: replica.live_since)
        server.client.publish("personalize:forgotten:another", "x")
        assert await replica.invalidations.tell(["a"])
        await until(lambda: replica.heard)
        assert replica.heard == ["a"]


async def test_listening_ends_whenever_it_is_cancelled(connection: Connection, counts: Counts) -> None:
    """At any moment of connecting, subscribing and waiting: a service that stops must not wait for it."""
    for moment in range(60):
        invalidations = Invalidations(connection, channel=CHANNEL, metrics=counts.metrics)
        listening = asyncio.create_task(invalidations.listen(print))
        await asyncio.sleep(0.0002 * moment)
        listening.cancel()
        done, _ = await asyncio.wait([listening], timeout=5)
        assert done, moment


async def test_a_user_who_may_not_listen_is_told_once(server: Server) -> None:
    """Redis' users have no channels unless they are given some."""
    server.client.acl_setuser("deaf", enabled=True, passwords=["+pw"], commands=["+@all"], keys=["*"])
    server.run("ACL", "LOG", "RESET")
    url = server.url.replace("redis://", "redis://deaf:pw@")
    with capture_logs() as logged:
        async with listening(url) as replica:
            await until(lambda: logged)
            told = refusals(server)
            await until(lambda: refusals(server) > told)
            assert (replica.live_since, replica.counts.heard) == (None, 0)
            assert not await replica.invalidations.tell(["a"])
    assert [(one["event"], one["error"]) for one in logged] == [("invalidations_unheard", "NoPermissionError")]


def refusals(server: Server) -> int:
    log = cast("list[dict[str, Any]]", server.client.acl_log())
    return sum(one["count"] for one in log if one["reason"] == "channel")
