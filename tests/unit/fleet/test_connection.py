"""The connection to a real Redis: what it stores, and that a Redis in any trouble costs a bounded time and no page."""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
import uvloop
from structlog.testing import capture_logs

from personalize.fleet.connection import CONNECTIONS, OPERATION_SECONDS, Connection, Memory, Script
from personalize.telemetry.metrics import Metrics
from tests import redises
from tests.faults.proxy import Down, Proxy, proxied
from tests.processes import until, wait_until
from tests.redises import Server, needs_redis
from tests.unit.fleet.conftest import Clock

BOUND = OPERATION_SECONDS + 0.25
"""Seconds that one operation may take on a busy machine."""

KEEP = Script("redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) return 1")


@asynccontextmanager
async def connected(url: str, metrics: Metrics) -> AsyncIterator[Connection]:
    connection = Connection(url, metrics=metrics)
    try:
        yield connection
    finally:
        await connection.aclose()


async def warmed(connection: Connection) -> None:
    """Open the first connection, and wait until it is through: the first one of a process is the slowest."""
    await eventually(connection, "warm")


async def eventually(connection: Connection, key: str) -> list[bytes | None]:
    """Read a field until Redis answers, within a bound."""
    return await until(lambda: connection.read_fields(key, ["traits"]), "Redis to answer")


async def keep(connection: Connection, key: str, value: bytes) -> object:
    return await connection.evaluate("write", KEEP, [key], ["traits", value])


def failures(metrics: Metrics, operation: str) -> float:
    return counted(metrics, "failures", operation)


def counted(metrics: Metrics, what: str, operation: str) -> float:
    return metrics.registry.get_sample_value(f"personalize_redis_{what}_total", {"operation": operation}) or 0


def up(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("personalize_redis_up")


async def took(operation: Awaitable[object]) -> float:
    begun = time.perf_counter()
    await operation
    return time.perf_counter() - begun


@needs_redis
async def test_a_field_is_read_back(connection: Connection) -> None:
    """Any bytes, and nothing where there is nothing."""
    value = bytes(range(256))
    assert await keep(connection, "k", value) == 1
    assert await connection.read_fields("k", ["events", "traits"]) == [None, value]
    assert await connection.read_fields("other", ["events", "traits"]) == [None, None]


@needs_redis
async def test_an_operation_is_one_round_trip(server: Server, connection: Connection) -> None:
    """A read is one command, however many fields; a script travels whole once, then by its digest."""
    await connection.read_fields("k", ["traits", "events"])
    assert server.calls() == {"hmget": 1}
    server.client.script_flush()
    server.client.config_resetstat()
    for _ in range(3):
        await keep(connection, "k", b"t")
    assert server.calls() == {"evalsha": 3, "eval": 1, "hset": 3}


@needs_redis
async def test_a_key_is_set_once(server: Server, connection: Connection) -> None:
    """Until it expires."""
    assert await connection.set_if_absent("k", "mine", expire_ms=60_000) is True
    assert await connection.set_if_absent("k", "theirs", expire_ms=60_000) is False
    assert server.client.get("k") == b"mine"
    assert 0 < server.client.pttl("k") <= 60_000


@needs_redis
async def test_connections_are_kept(server: Server, connection: Connection) -> None:
    """Operations in turn share one."""
    before = cast("dict[str, int]", server.client.info("stats"))["total_connections_received"]
    for _ in range(10):
        await connection.read_fields("k", ["traits"])
    assert cast("dict[str, int]", server.client.info("stats"))["total_connections_received"] == before


@needs_redis
async def test_a_key_of_another_type_is_counted(server: Server, connection: Connection, metrics: Metrics) -> None:
    """Someone else's string under our key."""
    server.client.set("k", "a string")
    assert await connection.read_fields("k", ["traits"]) is None
    assert await keep(connection, "k", b"t") is None
    assert (failures(metrics, "read"), failures(metrics, "write")) == (1, 1)


@needs_redis
async def test_a_full_redis_is_counted_and_still_read(server: Server, connection: Connection, metrics: Metrics) -> None:
    """However often it refuses a write, what it has is worth asking for."""
    await keep(connection, "k", b"t")
    server.client.config_set("maxmemory", "1")
    try:
        for _ in range(10):
            assert await keep(connection, "k", b"new") is None
        assert failures(metrics, "write") == 10
        assert await connection.read_fields("k", ["traits"]) == [b"t"]
        assert (connection.away, up(metrics)) == (False, 1)
    finally:
        server.client.config_set("maxmemory", "0")


@needs_redis
async def test_redis_tells_of_its_memory(server: Server, connection: Connection) -> None:
    """What it may take, and what it does then."""
    server.client.config_set("maxmemory", "100mb")
    server.client.config_set("maxmemory-policy", "allkeys-lfu")
    try:
        assert await connection.memory() == Memory(100 * 1024 * 1024, "allkeys-lfu")
    finally:
        server.client.config_set("maxmemory", "0")


@needs_redis
async def test_a_late_answer_is_never_read_as_anothers(server: Server, metrics: Metrics) -> None:
    """After operations that ran out of time, each key still has its own value."""
    keys = [f"k{number}" for number in range(20)]
    async with connected(server.url, metrics) as connection:
        await warmed(connection)
        for key in keys:
            await keep(connection, key, key.encode())
        server.client.client_pause(150, all=True)
        assert await asyncio.gather(*(connection.read_fields(key, ["traits"]) for key in keys)) == [None] * len(keys)
        server.client.ping()
        assert [await eventually(connection, key) for key in keys] == [[key.encode()] for key in keys]


@needs_redis
async def test_a_stopped_redis_costs_a_bounded_time(metrics: Metrics) -> None:
    """More readers than connections all have their answer in time, and are served again when it goes on."""
    with redises.server() as server:
        async with connected(server.url, metrics) as connection:
            await warmed(connection)
            await keep(connection, "k", b"t")
            server.signal(signal.SIGSTOP)
            begun = time.perf_counter()
            answers = await asyncio.gather(*(connection.read_fields("k", ["traits"]) for _ in range(3 * CONNECTIONS)))
            assert time.perf_counter() - begun < 2
            assert answers == [None] * (3 * CONNECTIONS)
            assert (connection.away, up(metrics)) == (True, 0)
            server.signal(signal.SIGCONT)
            assert await eventually(connection, "k") == [b"t"]
            assert (connection.away, up(metrics)) == (False, 1)


@needs_redis
async def test_a_killed_redis_is_used_again_when_it_is_back(metrics: Metrics) -> None:
    """The connections that died with it are replaced without a restart here."""
    with redises.server() as server:
        async with connected(server.url, metrics) as connection:
            await warmed(connection)
            server.stop()
            assert await connection.read_fields("k", ["traits"]) is None
            assert await keep(connection, "k", b"t") is None
            assert not await connection.publish("c", b"m")
            assert [failures(metrics, name) for name in ("read", "write", "publish")] == [1, 1, 1]
            server.start()
            assert await eventually(connection, "k") == [None]
            assert await connection.publish("c", b"m")


async def test_after_failures_in_a_row_redis_is_left_alone_for_a_second(
    tmp_path: Path, metrics: Metrics, clock: Clock
) -> None:
    """Then one operation tries for all; the log has one line for it all, with neither address nor key."""
    connection = Connection(f"unix://{tmp_path}/none.sock", metrics=metrics, clock=clock)
    with capture_logs() as logged:
        for _ in range(20):
            assert await connection.read_fields("key-of-someone", ["traits"]) is None
        assert (failures(metrics, "read"), counted(metrics, "skipped", "read")) == (5, 15)
        clock.now += 1
        await asyncio.gather(*(connection.read_fields("k", ["traits"]) for _ in range(10)))
        assert (failures(metrics, "read"), counted(metrics, "skipped", "read")) == (6, 24)
    assert [event["event"] for event in logged] == ["redis_away"]
    assert not any(secret in str(logged) for secret in ("key-of-someone", "none.sock"))
    await connection.aclose()


async def test_two_timeouts_in_a_row_are_enough(metrics: Metrics) -> None:
    """A Redis that takes connections and says nothing costs a request 100 ms, and then nothing."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        async with connected(f"redis://127.0.0.1:{hole.getsockname()[1]}", metrics) as connection:
            for _ in range(2):
                assert await took(connection.read_fields("k", ["traits"])) < BOUND
            assert connection.away
            for _ in range(50):
                await connection.read_fields("k", ["traits"])
    assert (failures(metrics, "read"), counted(metrics, "skipped", "read")) == (2, 50)


@needs_redis
async def test_a_success_begins_the_count_anew(server: Server, metrics: Metrics) -> None:
    """Four failures now and four later are not eight in a row."""
    async with connected(server.url, metrics) as connection:
        server.client.set("string", "x")
        for _ in range(3):
            for _ in range(4):
                await connection.read_fields("string", ["traits"])
            assert await eventually(connection, "k") == [None]
        assert not connection.away


async def test_a_redis_that_answers_garbage_is_counted(metrics: Metrics) -> None:
    """Something else than Redis listens there."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, connected(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", metrics) as connection:
        assert await connection.read_fields("k", ["traits"]) is None
    assert failures(metrics, "read") == 1


async def test_nothing_is_tried_twice(metrics: Metrics) -> None:
    """A Redis that hangs up on everyone is called once an operation."""
    calls = 0

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server, connected(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", metrics) as connection:
        assert await connection.read_fields("k", ["traits"]) is None
        assert await connection.read_fields("k", ["traits"]) is None
    assert (calls, failures(metrics, "read")) == (2, 2)


async def test_a_cancelled_operation_stays_cancelled(metrics: Metrics) -> None:
    """Whoever gives up is not told that Redis failed."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        async with connected(f"redis://127.0.0.1:{hole.getsockname()[1]}", metrics) as connection:
            read = asyncio.create_task(connection.read_fields("k", ["traits"]))
            await asyncio.sleep(0)
            read.cancel()
            with pytest.raises(asyncio.CancelledError):
                await read
    assert failures(metrics, "read") == 0


async def test_nothing_is_opened_before_the_first_operation(metrics: Metrics) -> None:
    """A service starts without its Redis."""
    with socket.create_server(("127.0.0.1", 0)) as untouched:
        untouched.settimeout(0)
        async with connected(f"redis://127.0.0.1:{untouched.getsockname()[1]}", metrics):
            await asyncio.sleep(0)
        with pytest.raises(BlockingIOError):
            untouched.accept()


def test_a_repr_has_no_password(metrics: Metrics) -> None:
    """Nor an address."""
    assert repr(Connection("redis://user:hunter2@redis.test:6379", metrics=metrics)) == "Connection(url=***)"


def test_a_connection_that_was_reset_is_a_failure(server: Server, metrics: Metrics) -> None:
    """On the loop of the service too, which has an error of its own for it."""

    async def reset(proxy: Proxy, connection: Connection) -> None:
        await until(lambda: connection.read_fields("k", ["traits"]), "Redis to answer")
        await asyncio.to_thread(proxy.set, Down())
        await asyncio.to_thread(wait_until, lambda: proxy.open == 0, "the reset")
        assert await connection.read_fields("k", ["traits"]) is None
        await asyncio.to_thread(proxy.set)
        await until(lambda: connection.read_fields("k", ["traits"]), "Redis to answer again")
        await connection.aclose()

    with proxied(server.url) as (proxy, url), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(reset(proxy, Connection(url, metrics=metrics)))
    assert failures(metrics, "read") >= 1
