"""The connection to a real Redis: what it stores, and that a Redis in any trouble costs a bounded time and no page."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
import redis
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from personalize.cache.redis import RedisStore
from personalize.fleet.connection import CONNECTIONS, OPERATION_SECONDS, Connection
from personalize.model import Section, Traits
from personalize.telemetry.metrics import Metrics
from personalize.telemetry.pseudonym import Pseudonyms

SERVER = shutil.which("redis-server")
START_SECONDS = 10.0
BOUND = OPERATION_SECONDS + 0.25
"""Seconds that one operation may take on a busy machine."""

needs_redis = pytest.mark.skipif(SERVER is None, reason="redis-server is not installed")


class Server:
    """A redis-server process of our own, on a unix socket, and a plain client to look into it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "redis.sock"
        self.url = f"unix://{self.path}"
        self.client = redis.Redis(unix_socket_path=str(self.path), socket_timeout=5)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert SERVER is not None
        options = f"--port 0 --unixsocket {self.path} --dir {self._folder} --save  --appendonly no --daemonize no"
        self._process = subprocess.Popen([SERVER, *options.split(" ")], stdout=subprocess.DEVNULL)
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < end, "redis-server does not answer"
            time.sleep(0.005)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process and no other."""
        assert self._process is not None
        os.kill(self._process.pid, number)

    def stop(self) -> None:
        """End it, whatever state it is in."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=START_SECONDS)
            self._process = None

    def calls(self) -> dict[str, int]:
        """Return how often each command was run since the last reset, but for those of looking."""
        looking = {"info", "config|resetstat", "client|setinfo", "hello", "ping"}
        stats = cast("dict[str, dict[str, Any]]", self.client.info("commandstats"))
        counts = {name.removeprefix("cmdstat_"): one["calls"] for name, one in stats.items()}
        return {name: count for name, count in counts.items() if name not in looking}

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


@contextmanager
def running() -> Iterator[Server]:
    """Run a server in a folder of a short name, as a unix socket's path must be."""
    with TemporaryDirectory(prefix="redis") as folder:
        server = Server(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.client.close()
            server.stop()


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Server:
    """Return the module's server, empty."""
    shared_server.client.flushall()
    return shared_server


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@asynccontextmanager
async def connected(url: str, metrics: Metrics) -> AsyncIterator[Connection]:
    connection = Connection(url, metrics=metrics)
    try:
        yield connection
    finally:
        await connection.aclose()


@pytest.fixture
async def connection(server: Server, metrics: Metrics) -> AsyncIterator[Connection]:
    async with connected(server.url, metrics) as connection:
        await warmed(connection)
        server.client.config_resetstat()
        yield connection


async def warmed(connection: Connection) -> None:
    """Open the first connection, and wait until it is through: the first one of a process is the slowest."""
    await eventually(connection, "warm")


async def eventually(connection: Connection, key: str) -> list[bytes | None]:
    """Read a field until Redis answers, within a bound."""
    async with asyncio.timeout(START_SECONDS):
        while not (answer := await connection.read_fields(key, ["traits"])):
            continue
    return answer


def failures(metrics: Metrics, operation: str) -> float:
    labels = {"operation": operation}
    return metrics.registry.get_sample_value("personalize_redis_failures_total", labels) or 0


async def took(operation: Awaitable[object]) -> float:
    begun = time.perf_counter()
    await operation
    return time.perf_counter() - begun


@needs_redis
async def test_a_field_is_read_back(connection: Connection) -> None:
    """Any bytes, and nothing where there is nothing."""
    value = bytes(range(256))
    await connection.write_field("k", "traits", value, expire_ms=60_000)
    assert await connection.read_fields("k", ["events", "traits"]) == [None, value]
    assert await connection.read_fields("other", ["events", "traits"]) == [None, None]


@needs_redis
async def test_a_key_is_a_hash_that_expires(server: Server, connection: Connection) -> None:
    """With one field a section, and as a whole after the last write."""
    await connection.write_field("k", "traits", b"t", expire_ms=10_000)
    await connection.write_field("k", "events", b"e", expire_ms=60_000)
    assert server.client.hgetall("k") == {b"traits": b"t", b"events": b"e"}
    assert 59_000 < server.client.pttl("k") <= 60_000


@needs_redis
async def test_an_operation_is_one_round_trip(server: Server, connection: Connection) -> None:
    """A read is one command, however many fields; a write sends its two together."""
    await connection.read_fields("k", ["traits", "events"])
    assert server.calls() == {"hmget": 1}
    await connection.write_field("k", "traits", b"t", expire_ms=60_000)
    await connection.delete("k")
    assert server.calls() == {"hmget": 1, "hset": 1, "pexpire": 1, "del": 1}


@needs_redis
async def test_deleting_removes_the_whole_key(server: Server, connection: Connection) -> None:
    """And what is not there may be deleted too."""
    await connection.write_field("k", "traits", b"t", expire_ms=60_000)
    await connection.delete("k")
    await connection.delete("k")
    assert server.client.exists("k") == 0


@needs_redis
async def test_connections_are_kept(server: Server, connection: Connection) -> None:
    """Operations in turn share one."""
    before = cast("dict[str, int]", server.client.info("stats"))["total_connections_received"]
    for _ in range(10):
        await connection.read_fields("k", ["traits"])
    assert cast("dict[str, int]", server.client.info("stats"))["total_connections_received"] == before


@needs_redis
async def test_a_key_of_another_type_is_a_miss(server: Server, connection: Connection, metrics: Metrics) -> None:
    """Someone else's string under our key is counted, and can be replaced only by deleting it."""
    server.client.set("k", "a string")
    assert await connection.read_fields("k", ["traits"]) == []
    await connection.write_field("k", "traits", b"t", expire_ms=60_000)
    assert (failures(metrics, "read"), failures(metrics, "write")) == (1, 1)
    await connection.delete("k")
    await connection.write_field("k", "traits", b"t", expire_ms=60_000)
    assert await connection.read_fields("k", ["traits"]) == [b"t"]


@needs_redis
async def test_a_full_redis_is_counted(server: Server, connection: Connection, metrics: Metrics) -> None:
    """What it has can still be read."""
    await connection.write_field("k", "traits", b"t", expire_ms=60_000)
    server.client.config_set("maxmemory", "1")
    try:
        await connection.write_field("k", "traits", b"new", expire_ms=60_000)
        assert failures(metrics, "write") == 1
        assert await connection.read_fields("k", ["traits"]) == [b"t"]
    finally:
        server.client.config_set("maxmemory", "0")


@needs_redis
async def test_profiles_lie_under_hashed_keys(server: Server, connection: Connection) -> None:
    """Neither a key nor a field tells an id to who may look into Redis."""
    key = Pseudonyms(b"key")("users", "user_id:ada@example.test")
    plan: Traits = Section({"plan": "pro"}, ("plan",), 1.0)
    store = RedisStore(connection, expire=60)
    await store.write(key, "traits", plan)
    assert await store.read(key, ["traits", "events"]) == {"traits": plan}
    assert server.client.keys() == [f"personalize:{{{key}}}".encode()]
    assert server.client.hkeys(f"personalize:{{{key}}}") == [b"traits"]
    server.client.hset(f"personalize:{{{key}}}", "traits", b"\x00damaged")
    assert await store.read(key, ["traits", "events"]) == {}
    await store.drop(key)
    assert server.client.keys() == []


@needs_redis
async def test_a_late_answer_is_never_read_as_anothers(
    server: Server, connection: Connection, metrics: Metrics
) -> None:
    """After operations that ran out of time, each key still has its own value."""
    keys = [f"k{number}" for number in range(20)]
    for key in keys:
        await connection.write_field(key, "traits", key.encode(), expire_ms=60_000)
    server.client.client_pause(150, all=True)
    missed = await asyncio.gather(*(connection.read_fields(key, ["traits"]) for key in keys))
    assert missed == [[]] * len(keys)
    assert failures(metrics, "read") == len(keys)
    server.client.ping()
    assert [await eventually(connection, key) for key in keys] == [[key.encode()] for key in keys]


@needs_redis
async def test_a_stopped_redis_costs_a_bounded_time(metrics: Metrics) -> None:
    """More readers than connections all have their answer in time, and are served again when it goes on."""
    with running() as server:
        async with connected(server.url, metrics) as connection:
            await connection.write_field("k", "traits", b"t", expire_ms=60_000)
            await warmed(connection)
            server.signal(signal.SIGSTOP)
            readers = [connection.read_fields("k", ["traits"]) for _ in range(3 * CONNECTIONS)]
            begun = time.perf_counter()
            answers = await asyncio.gather(*readers)
            assert time.perf_counter() - begun < 2
            assert answers == [[]] * (3 * CONNECTIONS)
            server.signal(signal.SIGCONT)
            assert await eventually(connection, "k") == [b"t"]


@needs_redis
async def test_a_killed_redis_is_used_again_when_it_is_back(metrics: Metrics) -> None:
    """The connections that died with it are replaced without a restart here."""
    with running() as server:
        async with connected(server.url, metrics) as connection:
            await warmed(connection)
            server.stop()
            assert await connection.read_fields("k", ["traits"]) == []
            await connection.write_field("k", "traits", b"t", expire_ms=60_000)
            await connection.delete("k")
            assert [failures(metrics, name) for name in ("read", "write", "delete")] == [1, 1, 1]
            server.start()
            assert await eventually(connection, "k") == [None]


async def test_a_redis_that_is_not_there_is_counted_and_logged(tmp_path: Path, metrics: Metrics) -> None:
    """Every operation is answered without it, and the log names neither the address nor the key."""
    async with connected(f"unix://{tmp_path}/none.sock", metrics) as connection:
        with capture_logs() as logged:
            assert await connection.read_fields("key-of-someone", ["traits"]) == []
            await connection.write_field("key-of-someone", "traits", b"t", expire_ms=60_000)
            await connection.delete("key-of-someone")
    assert [failures(metrics, name) for name in ("read", "write", "delete")] == [1, 1, 1]
    assert [event["operation"] for event in logged] == ["read", "write", "delete"]
    assert not any(secret in str(logged) for secret in ("key-of-someone", "none.sock"))


async def test_a_redis_that_never_answers_costs_a_bounded_time(metrics: Metrics) -> None:
    """Its port takes connections and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        url = f"redis://127.0.0.1:{hole.getsockname()[1]}"
        async with connected(url, metrics) as connection:
            assert await took(connection.read_fields("k", ["traits"])) < BOUND
            assert await took(connection.write_field("k", "traits", b"t", expire_ms=1)) < BOUND
            assert await took(connection.delete("k")) < BOUND
    assert [failures(metrics, name) for name in ("read", "write", "delete")] == [1, 1, 1]


async def test_a_redis_that_answers_garbage_is_counted(metrics: Metrics) -> None:
    """Something else than Redis listens there."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, connected(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", metrics) as connection:
        assert await connection.read_fields("k", ["traits"]) == []
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
        assert await connection.read_fields("k", ["traits"]) == []
        assert await connection.read_fields("k", ["traits"]) == []
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
