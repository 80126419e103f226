"""URLs of Redis: where a client goes, and with what."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.sentinel import SentinelConnectionPool

from personalize.fleet.address import Address, Limits
from tests.connections import WAIT_SECONDS, Counts, connected

LIMITS = Limits(seconds=0.05, connections=3)


def options(client: Any) -> dict[str, Any]:
    pool = client if isinstance(client, RedisCluster) else client.connection_pool
    kwargs: dict[str, Any] = pool.connection_kwargs
    return kwargs


@pytest.mark.parametrize("url", ["redis://h", "unix:///s", "redis+sentinel://h/s", "redis+cluster://h"])
@pytest.mark.parametrize("make", [Address.client, Address.listener])
def test_no_client_waits_or_tries_again(make: Any, url: str) -> None:
    """Whatever Redis is made of."""
    made = options(make(Address(url), LIMITS))
    assert (made["socket_timeout"], made["socket_connect_timeout"]) == (0.05, 0.05)
    assert "retry" not in made or made["retry"].get_retries() == 0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://cache:6380/2", ("cache", 6380, 2, None, None)),
        ("redis://user:p%40ss@cache", ("cache", None, 0, "user", "p@ss")),
        ("redis+sentinel://:pw@one/main/3", (None, None, 3, None, "pw")),
        ("redis+sentinel://us%3Aer:pw@one,two:1/main", (None, None, 0, "us:er", "pw")),
    ],
)
def test_a_url_names_server_database_and_user(url: str, expected: tuple[object, ...]) -> None:
    """Percent-encoded, where a sign would end the part that it is in."""
    made = options(Address(url).client(LIMITS))
    named = [made.get(name) for name in ("host", "port", "db", "username", "password")]
    assert (*named[:2], named[2] or 0, *named[3:]) == expected


def test_sentinels_are_asked_with_the_password_and_without() -> None:
    """In the order in which they are named; whoever has no password refuses one."""
    client = Address("rediss+sentinel://:pw@one,[::1]:27000/main").client(LIMITS)
    assert isinstance(client, Redis)
    pool = client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    asked = [options(one) for one in pool.sentinel_manager.sentinels]
    assert pool.service_name == "main"
    assert [(one["host"], one["port"], one.get("password")) for one in asked] == [
        ("one", 26379, "pw"),
        ("::1", 27000, "pw"),
        ("one", 26379, None),
        ("::1", 27000, None),
    ]


def test_a_clusters_nodes_are_named() -> None:
    """Its listener goes to one of them."""
    address = Address("redis+cluster://user:pw@one:7000,two,[::1]:7002")
    client = address.client(LIMITS)
    assert isinstance(client, RedisCluster)
    nodes = [("one", 7000), ("two", 6379), ("::1", 7002)]
    assert [(node.host, node.port) for node in client.startup_nodes] == nodes
    assert (options(client)["username"], options(client)["password"]) == ("user", "pw")
    listeners = [options(address.listener(LIMITS)) for _ in range(50)]
    assert {(one["host"], one["port"]) for one in listeners} <= set(nodes)
    assert len({one["host"] for one in listeners}) > 1
    assert {(one["username"], one["password"]) for one in listeners} == {("user", "pw")}


@pytest.mark.parametrize(
    ("url", "secured"),
    [
        ("redis://127.0.0.1:{port}", False),
        ("rediss://127.0.0.1:{port}", True),
        ("redis+sentinel://127.0.0.1:{port}/main", False),
        ("rediss+sentinel://127.0.0.1:{port}/main", True),
        ("redis+cluster://127.0.0.1:{port}", False),
        ("rediss+cluster://127.0.0.1:{port}", True),
    ],
)
async def test_tls_begins_with_the_first_byte(url: str, *, secured: bool) -> None:
    """Of every form that says so, and of no other."""
    async with (
        listening() as (port, first),
        connected(url.format(port=port), Counts(), seconds=WAIT_SECONDS) as connection,
    ):
        assert await connection.read_fields("k", ["f"]) is None
        async with asyncio.timeout(5):
            assert (await first == b"\x16") == secured


@pytest.mark.parametrize(
    "url", ["rediss://h", "rediss://h?ssl_cert_reqs=none", "rediss+sentinel://h/main", "rediss+cluster://h"]
)
def test_all_connections_share_one_tls_context(url: str) -> None:
    """Made with the client: to make one for each would keep a worker from everything else, again and again."""
    address = Address(url)
    made = [made_by(address.client(LIMITS)) for _ in range(2)] + [made_by(address.listener(LIMITS))]
    contexts = [connection.ssl_context for connections in made for connection in connections]
    assert len({id(context) for context in contexts}) == 1
    assert contexts[0].context is not None
    assert contexts[0].get().verify_mode == (ssl.CERT_NONE if "none" in url else ssl.CERT_REQUIRED)


def test_certificates_that_cannot_be_read_do_not_end_the_start() -> None:
    """Each connection fails for it, which is counted."""
    [connection] = made_by(Address("rediss://h?ssl_ca_certs=/not/there.pem").client(LIMITS))
    with pytest.raises(FileNotFoundError):
        connection.ssl_context.get()


def made_by(client: Any) -> list[Any]:
    """Return connections as a client would make them, one for each way it has."""
    if isinstance(client, RedisCluster):
        kwargs = dict(client.nodes_manager.connection_kwargs)
        kwargs.pop("response_callbacks", None)
        nodes = [ClusterNode("other", 1, **kwargs), *client.nodes_manager.startup_nodes.values()]
        return [node.connection_class(**node.connection_kwargs) for node in nodes]
    pool = client.connection_pool
    if not isinstance(pool, SentinelConnectionPool):
        return [pool.make_connection()]
    pools: list[Any] = [pool, *(one.connection_pool for one in pool.sentinel_manager.sentinels)]
    return [one.make_connection() for one in pools]


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, asyncio.Future[bytes]]]:
    """Listen, and tell the first byte that comes."""
    first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        byte = await reader.read(1)
        if not first.done():
            first.set_result(byte)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], first
