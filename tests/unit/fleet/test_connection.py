"""The connection to a real Redis: what it stores, and that a Redis in any trouble costs a bounded time and no page."""

import asyncio
import os
import re
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis
import uvloop
from structlog.testing import capture_logs

from personalize.fleet.address import Address
from personalize.fleet.connection import CONNECTIONS, OPERATION_SECONDS, Connection, Memory
from personalize.fleet.patience import Patience, hurried
from personalize.fleet.script import Script
from personalize.fleet.skip import MAX_FAILURES, MAX_TIMEOUTS, SECONDS
from tests import redises
from tests.connections import SET, WAIT_SECONDS, Clock, Counts, connected, eventually, until
from tests.faults.proxy import Down, Latency, proxied
from tests.garbage import uncollected
from tests.processes import wait_until
from tests.redises import Server, needs_redis

pytestmark = [needs_redis, pytest.mark.calm]  # an operation of Redis has 50 ms

BOUND = OPERATION_SECONDS + 0.25
"""Seconds that one operation may take on a busy machine."""


async def took(operation: Awaitable[object]) -> float:
    begun = time.perf_counter()
    await operation
    return time.perf_counter() - begun


async def test_fields_are_read(server: Server, connection: Connection) -> None:
    """Any bytes, and nothing where there is nothing."""
    value = bytes(range(256))
    server.client.hset("k", "traits", value)
    assert await connection.read_fields("k", ["events", "traits"]) == [None, value]
    assert await connection.read_fields("other", ["events", "traits"]) == [None, None]


async def test_an_operation_is_one_command(server: Server, connection: Connection) -> None:
    """However many fields are read, and once the server knows a script."""
    await connection.read_fields("k", ["traits", "events"])
    assert server.calls() == {"hmget": 1}
    await connection.evaluate("write", SET, ["k"], ["f", b"v"])
    server.client.config_resetstat()
    assert await connection.evaluate("write", SET, ["k"], ["g", b"v"]) == 1
    assert await connection.delete("k")
    assert server.calls() == {"evalsha": 1, "hset": 1, "del": 1}


async def test_a_script_is_sent_to_a_server_that_does_not_know_it(server: Server, connection: Connection) -> None:
    """As after a restart, or a failover."""
    for number in range(2):
        server.client.script_flush()
        assert await connection.evaluate("write", SET, ["k"], [f"f{number}", b"v"]) == 1
    assert server.client.hgetall("k") == {b"f0": b"v", b"f1": b"v"}


async def test_deleting_removes_the_whole_key(server: Server, connection: Connection) -> None:
    """And what is not there may be deleted too."""
    server.client.hset("k", "traits", "t")
    assert await connection.delete("k")
    assert await connection.delete("k")
    assert server.client.exists("k") == 0


async def test_connections_are_kept(server: Server, connection: Connection) -> None:
    """Operations in turn share one."""
    before = server.info("stats")["total_connections_received"]
    for _ in range(10):
        await connection.read_fields("k", ["f"])
    assert server.info("stats")["total_connections_received"] == before


async def test_more_operations_than_connections_take_turns(server: Server, connection: Connection) -> None:
    """None of them fails for want of a connection."""
    answers: list[object] = []
    async with asyncio.timeout(WAIT_SECONDS):
        while answers != [[None]] * (CONNECTIONS + 8):  # as it is once the connections are open
            reads = (connection.read_fields("k", ["f"]) for _ in range(CONNECTIONS + 8))
            answers = list(await asyncio.gather(*reads))
    assert server.info("clients")["connected_clients"] <= CONNECTIONS + 1


async def test_redis_is_not_blamed_for_a_pause_of_the_process(server: Server, counts: Counts) -> None:
    """It is not away because the time of operations passed while nobody read its answers."""
    async with connected(server.url, counts) as connection:
        reads = [asyncio.create_task(connection.read_fields("k", ["f"])) for _ in range(20)]
        asyncio.get_running_loop().call_later(0.0005, time.sleep, 1.2 * OPERATION_SECONDS)
        assert await asyncio.gather(*reads) == [[None]] * 20
    assert counts.failures("read") == 0


async def test_the_memory_policy_is_told(server: Server, connection: Connection) -> None:
    """By what managed servers allow to ask."""
    server.client.config_set("maxmemory-policy", "allkeys-lfu")
    server.client.config_set("maxmemory", "100mb")
    try:
        assert await connection.memory() == Memory(limit=100 * 1024 * 1024, policy="allkeys-lfu")
        assert server.calls() == {"config|set": 2}
    finally:
        server.client.config_set("maxmemory", "0")
        server.client.config_set("maxmemory-policy", "noeviction")


async def test_a_key_of_another_type_is_counted(server: Server, connection: Connection, counts: Counts) -> None:
    """Someone else's string under our key can be deleted."""
    server.client.set("k", "a string")
    assert await connection.read_fields("k", ["traits"]) is None
    assert await connection.evaluate("write", SET, ["k"], ["f", b"v"]) is None
    assert (counts.failures("read"), counts.failures("write")) == (1, 1)
    assert await connection.delete("k")
    assert await connection.read_fields("k", ["traits"]) == [None]


async def test_a_full_redis_is_still_read(server: Server, connection: Connection, counts: Counts) -> None:
    """What it refuses to write is counted, and no reason to leave it alone."""
    server.client.hset("k", "f", "old")
    server.client.config_set("maxmemory", "1")
    try:
        for _ in range(2 * MAX_FAILURES):
            assert await connection.evaluate("write", SET, ["k"], ["f", b"new"]) is None
        assert not connection.away
        assert await connection.read_fields("k", ["f"]) == [b"old"]
    finally:
        server.client.config_set("maxmemory", "0")
    assert (counts.failures("write"), counts.up) == (2 * MAX_FAILURES, 1)


async def test_a_replica_is_as_good_as_away(server: Server, connection: Connection, counts: Counts) -> None:
    """A server that was demoted takes nothing: it is left alone, and used again when it is a master."""
    server.client.replicaof("127.0.0.1", "1")
    try:
        for _ in range(MAX_FAILURES):
            assert await connection.evaluate("write", SET, ["k"], ["f", b"v"]) is None
        assert connection.away
        assert counts.failures("write") == MAX_FAILURES
    finally:
        server.client.replicaof("NO", "ONE")
    await eventually(connection)
    assert await connection.evaluate("write", SET, ["k"], ["f", b"v"]) == 1


async def test_a_late_answer_is_never_read_as_anothers(server: Server, counts: Counts) -> None:
    """After operations that ran out of time, each key still has its own value."""
    clock = Clock()
    keys = [f"k{number}" for number in range(20)]
    for key in keys:
        server.client.hset(key, "f", key)
    async with connected(server.url, counts, clock) as connection:
        await eventually(connection)
        failed = counts.failures("read")
        server.client.client_pause(150, all=True)
        missed = await asyncio.gather(*(connection.read_fields(key, ["f"]) for key in keys))
        assert missed == [None] * len(keys)
        assert counts.failures("read") - failed == len(keys)
        server.client.ping()
        clock.now += SECONDS
        assert [await eventually(connection, key) for key in keys] == [key.encode() for key in keys]


async def test_a_stopped_redis_costs_a_bounded_time(counts: Counts) -> None:
    """More readers than connections all have their answer in time, and are served again when it goes on."""
    with redises.server() as server:
        async with connected(server.url, counts) as connection:
            server.client.hset("k", "f", "v")
            assert await eventually(connection, "k") == b"v"
            server.signal(signal.SIGSTOP)
            readers = [connection.read_fields("k", ["f"]) for _ in range(3 * CONNECTIONS)]
            begun = time.perf_counter()
            assert await asyncio.gather(*readers) == [None] * (3 * CONNECTIONS)
            assert time.perf_counter() - begun < 2
            assert (connection.away, counts.up) == (True, 0)
            server.signal(signal.SIGCONT)
            assert await eventually(connection, "k") == b"v"
            assert (connection.away, counts.up) == (False, 1)


async def test_a_killed_redis_is_used_again_when_it_is_back(counts: Counts) -> None:
    """The connections that died with it are replaced without a restart here."""
    with redises.server() as server:
        async with connected(server.url, counts) as connection:
            await eventually(connection)
            failed = counts.failures("read")
            server.stop()
            assert await connection.read_fields("k", ["f"]) is None
            assert await connection.evaluate("write", SET, ["k"], ["f", b"v"]) is None
            assert await connection.members("k") is None
            assert await connection.memory() is None
            assert not await connection.delete("k")
            assert not await connection.publish("c", b"m")
            assert counts.failures("read") - failed == 1
            assert [counts.failures(name) for name in ("write", "members", "info", "delete")] == [1, 1, 1, 1]
            assert counts.skipped("publish") == 1
            server.start()
            assert await eventually(connection, "k") == b""


async def test_a_request_waits_once_for_what_takes_long(server: Server, counts: Counts) -> None:
    """A slow Redis is not to be blamed, and what a request can least do without finds some patience left."""
    with proxied(server.url) as (proxy, url):
        async with connected(url, counts, seconds=0.5) as connection:
            await eventually(connection)
            proxy.set(Latency(0.4))
            with hurried(Patience(1.0)):
                assert await connection.read_fields("k", ["f"]) == [None]
                assert await took(connection.members("k")) < 0.3
                assert await connection.evaluate("budget", SET, ["k"], ["f", b"v"], spare=False) == 1
                assert await took(connection.members("k")) < 0.1
            assert await connection.members("other") == []
    assert (counts.failures("members"), counts.skipped("members"), connection.away) == (0, 2, False)


async def test_a_redis_that_loads_its_data_is_waited_for_by_nobody(counts: Counts) -> None:
    """It is left alone, and used when it is through."""
    with redises.server("--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024") as server:
        server.client.mset({f"k{number}": os.urandom(100) for number in range(500)})
        server.client.save()
        server.stop()
        server.launch()
        await until(lambda: loading(server))
        async with connected(server.url, counts) as connection:
            for _ in range(MAX_FAILURES):
                assert await connection.read_fields("k", ["f"]) is None
            assert connection.away
            assert await eventually(connection, "k") == b""
            assert server.client.dbsize() == 500


def loading(server: Server) -> bool:
    try:
        server.client.ping()
    except redis.BusyLoadingError:
        return True
    except redis.RedisError:
        pass
    return False


async def test_connections_that_broke_unheard_cost_one_second(server: Server, counts: Counts) -> None:
    """When a machine in between forgot them all, two operations find out, and later ones get new connections."""
    clock = Clock()

    async def read(count: int) -> list[object]:
        return await asyncio.gather(*(connection.read_fields("k", ["f"]) for _ in range(count)))

    async with relay(server) as (url, freeze), connected(url, counts, clock) as connection:
        await eventually(connection)
        assert await read(3 * MAX_TIMEOUTS) == [[None]] * 3 * MAX_TIMEOUTS
        freeze()
        assert await read(MAX_TIMEOUTS) == [None] * MAX_TIMEOUTS
        assert connection.away
        clock.now += SECONDS
        assert await connection.read_fields("k", ["f"]) == [None]
        assert await read(3 * MAX_TIMEOUTS) == [[None]] * 3 * MAX_TIMEOUTS


@asynccontextmanager
async def relay(server: Server) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """Pass bytes on to a server; give the relay's URL, and what makes it forget the connections that it has."""
    passing: set[asyncio.Task[None]] = set()
    ends: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await asyncio.open_connection("127.0.0.1", server.port)
        ends.extend(((reader, writer), behind))
        passing.add(asyncio.create_task(copy(reader, behind[1])))
        passing.add(asyncio.create_task(copy(behind[0], writer)))

    def freeze() -> None:
        for task in passing:
            task.cancel()

    front = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        async with front:
            yield url_of(front.sockets[0]), freeze
    finally:
        freeze()
        for _, writer in ends:
            writer.close()
        await asyncio.gather(*passing, *(writer.wait_closed() for _, writer in ends), return_exceptions=True)


async def test_a_redis_that_is_not_there_is_counted_and_told_once(tmp_path: Path, counts: Counts) -> None:
    """Every operation is answered without it, and the log names neither the address nor the key."""
    clock = Clock()
    async with connected(f"unix://{tmp_path}/none.sock", counts, clock) as connection:
        with capture_logs() as logged:
            for _ in range(5):
                for _ in range(2 * MAX_FAILURES):
                    assert await connection.read_fields("key-of-someone", ["f"]) is None
                clock.now += SECONDS
    assert counts.failures("read") == MAX_FAILURES + 4
    assert counts.failures("read") + counts.skipped("read") == 5 * 2 * MAX_FAILURES
    assert [(event["event"], event["operation"]) for event in logged] == [("redis_away", "read")]
    assert not any(secret in str(logged) for secret in ("key-of-someone", "none.sock"))


async def test_a_redis_that_never_answers_costs_two_operations(counts: Counts) -> None:
    """Its port takes connections and then says nothing: after the second operation it is left alone."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        async with connected(url_of(hole), counts, Clock()) as connection:
            for _ in range(MAX_TIMEOUTS):
                assert await took(connection.read_fields("k", ["f"])) < BOUND
            for _ in range(100):
                assert await connection.read_fields("k", ["f"]) is None
    assert (counts.failures("read"), counts.skipped("read")) == (MAX_TIMEOUTS, 100)


async def test_a_redis_that_answers_garbage_is_counted(counts: Counts) -> None:
    """Something else than Redis listens there."""
    async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url, connected(url, counts) as connection:
        assert await connection.read_fields("k", ["f"]) is None
    assert counts.failures("read") == 1


async def test_nothing_stays_of_what_redis_refused(counts: Counts) -> None:
    """Nor of the task that asked: a full Redis refuses every write of a busy service."""
    async with answering(b"-OOM command not allowed.\r\n") as url, connected(url, counts) as connection:
        with uncollected() as there_are:
            assert await connection.evaluate("write", SET, ["k"], ["f", b"v"]) is None
            await asyncio.sleep(0)  # who has waited for a task has it until the next turn
            assert there_are(redis.RedisError) == 0
    assert counts.failures("write") == 1


async def test_nothing_stays_of_what_nobody_waits_for_any_more(counts: Counts) -> None:
    """An operation whose time is up fails by itself, and is gone then."""
    with socket.create_server(("127.0.0.1", 0)) as hole, uncollected() as there_are:
        async with connected(url_of(hole), counts) as connection:
            assert await connection.read_fields("k", ["f"]) is None
            await until(lambda: not connection._held)
            assert there_are(redis.RedisError) == 0
    assert counts.failures("read") == 1


async def test_an_older_redis_that_is_full_is_not_away(counts: Counts) -> None:
    """Before version 7 it says in the text alone that a script found no memory."""
    said = b"-ERR Error running script (call to f_0): @user_script:1: -OOM command not allowed when used memory.\r\n"
    async with answering(said) as url, connected(url, counts) as connection:
        for _ in range(2 * MAX_FAILURES):
            assert await connection.evaluate("write", SET, ["k"], ["f", b"v"]) is None
        assert not connection.away
    assert counts.failures("write") == 2 * MAX_FAILURES


@asynccontextmanager
async def answering(said: bytes) -> AsyncIterator[str]:
    """Answer every command with the same bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(said * len(re.findall(rb"\*\d+\r\n", data)))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield url_of(server.sockets[0])


def test_a_connection_that_was_reset_is_a_failure(server: Server, counts: Counts) -> None:
    """On the loop of the service too, which has an error of its own for it."""

    async def reset() -> None:
        async with connected(url, counts) as connection:
            await eventually(connection)
            await asyncio.to_thread(proxy.set, Down())
            await asyncio.to_thread(wait_until, lambda: proxy.open == 0, "the reset")
            assert await connection.read_fields("k", ["f"]) is None
            await asyncio.to_thread(proxy.set)
            await eventually(connection)

    with proxied(server.url) as (proxy, url), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(reset())
    assert counts.failures("read") >= 1


async def test_nothing_is_tried_twice(counts: Counts) -> None:
    """A Redis that hangs up on everyone is called once an operation."""
    calls = 0

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server, connected(url_of(server.sockets[0]), counts) as connection:
        assert await connection.read_fields("k", ["f"]) is None
        assert await connection.read_fields("k", ["f"]) is None
    assert (calls, counts.failures("read")) == (2, 2)


async def test_a_cancelled_operation_stays_cancelled(counts: Counts) -> None:
    """Whoever gives up is not told that Redis failed."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        async with connected(url_of(hole), counts) as connection:
            read = asyncio.create_task(connection.read_fields("k", ["f"]))
            await asyncio.sleep(0)
            read.cancel()
            with pytest.raises(asyncio.CancelledError):
                await read
    assert counts.failures("read") == 0


async def test_nothing_is_opened_before_the_first_operation() -> None:
    """A service starts without its Redis."""
    with socket.create_server(("127.0.0.1", 0)) as untouched:
        untouched.settimeout(0)
        async with connected(url_of(untouched)):
            await asyncio.sleep(0)
        with pytest.raises(BlockingIOError):
            untouched.accept()


def test_a_repr_has_no_password(counts: Counts) -> None:
    """Nor an address."""
    url = "redis://user:hunter2@redis.test:6379"
    assert repr(Connection(url, metrics=counts.metrics)) == "Connection(url=***)"
    assert "hunter2" not in repr(Address(url))


def test_a_script_knows_its_digest() -> None:
    """As Redis computes it: of the source, in lower case."""
    assert Script("return 1").digest == "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"


def url_of(listening: socket.socket) -> str:
    return f"redis://127.0.0.1:{listening.getsockname()[1]}"


async def test_a_crowd_says_nothing_of_redis(server: Server, connection: Connection, counts: Counts) -> None:
    """More operations at once than there are connections take turns; Redis is not blamed."""
    crowd = (connection.read_fields(f"k{n}", ["traits"]) for n in range(5 * CONNECTIONS))
    assert await asyncio.gather(*crowd) == [[None]] * 5 * CONNECTIONS
    assert (counts.failures("read"), connection.away) == (0, False)


async def test_who_finds_no_connection_free_goes_without(counts: Counts) -> None:
    """Redis is blamed for those that it did not answer alone."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        async with connected(url_of(hole), counts, seconds=0.5) as connection:
            crowd = (connection.read_fields("k", ["f"]) for _ in range(CONNECTIONS + 1))
            assert await asyncio.gather(*crowd) == [None] * (CONNECTIONS + 1)
    assert counts.failures("read") == CONNECTIONS


async def test_a_redis_that_is_some_way_off_is_used(server: Server, counts: Counts) -> None:
    """That to connect takes longer than anybody waits keeps nobody from having a connection."""
    server.client.config_set("requirepass", "fake-password")
    try:
        with proxied(server.url) as (proxy, url):
            proxy.set(Latency(0.02))
            async with connected(url.replace("//", "//:fake-password@"), counts) as connection:
                await eventually(connection)
                assert await connection.evaluate("write", SET, ["k"], ["f", b"v"]) == 1
                assert not connection.away
    finally:
        server.client.config_set("requirepass", "")
