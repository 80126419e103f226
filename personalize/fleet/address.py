"""Where Redis is: a URL becomes a client of one server, of a master that Sentinels name, or of a Cluster."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff

Client: TypeAlias = "Redis | RedisCluster"

REDIS_PORT = 6379
SENTINEL_PORT = 26379
CLUSTER_ATTEMPTS = 2
"""After the first one: a moved slot is asked for where it went, and there it may be moved once more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may take: seconds of one exchange, and connections to one server."""

    seconds: float
    connections: int

    @property
    def options(self) -> dict[str, Any]:
        """The limits as redis-py's options: its own defaults would let one operation take a minute."""
        return {
            "socket_timeout": self.seconds,
            "socket_connect_timeout": self.seconds,
            "retry": Retry(NoBackoff(), 0),
        }


@dataclass(frozen=True, slots=True)
class Address:
    """A Redis, by its URL.

    `redis://`, `rediss://` and `unix://` name one server. `redis+sentinel://host:port,host:port/service/db` names the
    Sentinels and what they call their master, `redis+cluster://host:port,host:port` some nodes of a Cluster; both also
    begin with `rediss+`. A user name and a password before the hosts are for the servers, and for the Sentinels too.
    """

    url: str

    @property
    def settles(self) -> bool:
        """Whether an operation may first have to find out where to go, which is not to be given up half way."""
        return "+" in urlsplit(self.url).scheme

    def client(self, limits: Limits) -> Client:
        """Return a client that has not connected yet."""
        parts = urlsplit(self.url)
        makers: dict[str, Callable[[SplitResult, Limits], Client]] = {"sentinel": _of_sentinels, "cluster": _of_cluster}
        maker = makers.get(parts.scheme.partition("+")[2])
        return maker(parts, limits) if maker else _of_server(self.url, limits)


async def close(client: Client) -> None:
    """Close a client's connections, and those to the Sentinels that told it where to go."""
    await client.aclose()
    if isinstance(client, Redis) and isinstance(client.connection_pool, SentinelConnectionPool):
        for sentinel in client.connection_pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def _of_server(url: str, limits: Limits) -> Client:
    pool = BlockingConnectionPool.from_url(
        url, max_connections=limits.connections, timeout=limits.seconds, **limits.options
    )
    return Redis.from_pool(pool)


def _of_sentinels(parts: SplitResult, limits: Limits) -> Client:
    service, _, db = parts.path.strip("/").partition("/")
    secrets = _secrets(parts)
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        _hosts(parts, SENTINEL_PORT),
        sentinel_kwargs={**limits.options, **secrets},
        db=int(db or 0),
        max_connections=limits.connections,
        **limits.options,
        **secrets,
    )
    master: Client = sentinel.master_for(service)
    return master


def _of_cluster(parts: SplitResult, limits: Limits) -> Client:
    return RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in _hosts(parts, REDIS_PORT)],
        retry=Retry(NoBackoff(), CLUSTER_ATTEMPTS),
        max_connections=limits.connections,
        socket_timeout=limits.seconds,
        socket_connect_timeout=limits.seconds,
        **_secrets(parts),
    )


def _hosts(parts: SplitResult, port: int) -> list[tuple[str, int]]:
    hosts = parts.netloc.rpartition("@")[2].split(",")
    split = (urlsplit(f"//{host}") for host in hosts)
    return [(one.hostname or "", one.port or port) for one in split]


def _secrets(parts: SplitResult) -> dict[str, Any]:
    user, colon, password = parts.netloc.rpartition("@")[0].partition(":")
    known = {"username": unquote(user), "password": unquote(password)} if colon else {"password": unquote(user)}
    secrets: dict[str, Any] = {name: value for name, value in known.items() if value}
    return {**secrets, "ssl": True} if parts.scheme.startswith("rediss") else secrets
