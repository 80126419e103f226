"""Where Redis is: a URL becomes a client of one server, of the master that Sentinels name, or of a Cluster.

Nothing is connected here. What redis-py would do when Redis is away is set to nothing: a client gives up after its
limit and tries nothing twice.
"""

import random
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import RedisSSLContext, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from personalize.fleet import secured
from personalize.fleet.cluster import Cluster
from personalize.fleet.master import Master

Client: TypeAlias = "Redis | RedisCluster"

REDIS_PORT = 6379
SENTINEL_PORT = 26379
CLUSTER_RETRIES = 2
"""A node that has failed is asked for the slots' new owner, and that one for the answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may take: seconds of one exchange, and connections to one server."""

    seconds: float
    connections: int

    @property
    def options(self) -> dict[str, Any]:
        """The limits as redis-py's options: its own defaults would let one operation take a minute.

        To connect takes no exchange but for a password and a database: the newer protocol and the library's name would
        each cost one, and nothing here needs them.
        """
        return {
            "socket_timeout": self.seconds,
            "socket_connect_timeout": self.seconds,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
            "driver_info": None,
        }


@dataclass(frozen=True)  # without slots, for what is made once
class Address:
    """A Redis, by its URL.

    `redis://`, `rediss://` and `unix://` name one server. `redis+sentinel://host:port,host:port/service/db` names
    Sentinels and what they call their master, `redis+cluster://host:port,host:port` some nodes of a Cluster; with TLS
    both begin with `rediss+`. A user name and a password before the hosts are for the servers, and for the Sentinels
    too, unless these ask for none.
    """

    url: str = field(repr=False)

    def client(self, limits: Limits) -> Client:
        """Return a client for keys."""
        return self._of_cluster(limits) if self._kind == "cluster" else self._of_master(limits)

    def listener(self, limits: Limits) -> Redis:
        """Return a client of a server that every published message reaches: any node of a Cluster, else the master."""
        return self._of_node(limits) if self._kind == "cluster" else self._of_master(limits)

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def _kind(self) -> str:
        return self._parts.scheme.partition("+")[2]

    @cached_property
    def _tls(self) -> RedisSSLContext | None:
        if not self._parts.scheme.startswith("rediss"):
            return None
        return secured.context({} if self._kind else dict(parse_url(self.url)))

    def _of_master(self, limits: Limits) -> Redis:
        if self._kind == "sentinel":
            return _of_sentinels(self._parts, limits, self._tls)
        pool = ConnectionPool.from_url(self.url, max_connections=limits.connections, **limits.options)
        return secured.sharing(Redis.from_pool(pool), self._tls)

    def _of_cluster(self, limits: Limits) -> Cluster:
        return secured.cluster_sharing(_of_cluster(self._parts, limits), self._tls)

    def _of_node(self, limits: Limits) -> Redis:
        return secured.sharing(_of_node(self._parts, limits), self._tls)


def _of_sentinels(parts: SplitResult, limits: Limits, tls: RedisSSLContext | None) -> Redis:
    service, _, db = parts.path.strip("/").partition("/")
    hosts, safe, secrets = _hosts(parts, SENTINEL_PORT), _secured(parts), _secrets(parts)
    sentinel = Sentinel(  # type: ignore[no-untyped-call]  # redis-py's, untyped
        hosts,
        sentinel_kwargs={**limits.options, **safe, **secrets},
        db=int(db or 0),
        max_connections=limits.connections,
        **limits.options,
        **safe,
        **secrets,
    )
    if secrets:  # a Sentinel that has no password refuses one
        sentinel.sentinels += [Redis(host=host, port=port, **limits.options, **safe) for host, port in hosts]
    for one in sentinel.sentinels:
        secured.sharing(one, tls)
    return secured.sharing(Master.named(service, sentinel), tls)


def _of_cluster(parts: SplitResult, limits: Limits) -> Cluster:
    return Cluster(
        startup_nodes=[ClusterNode(host, port) for host, port in _hosts(parts, REDIS_PORT)],
        max_connections=limits.connections + 1,  # one more to look for the nodes with
        reinitialize_steps=0,  # or else every few moved slots would end what is under way
        **{**limits.options, "retry": Retry(NoBackoff(), CLUSTER_RETRIES)},
        **_secured(parts),
        **_secrets(parts),
    )


def _of_node(parts: SplitResult, limits: Limits) -> Redis:
    host, port = random.choice(_hosts(parts, REDIS_PORT))  # noqa: S311 -- so that all are listened to
    options = {**limits.options, **_secured(parts), **_secrets(parts)}
    return Redis(host=host, port=port, max_connections=limits.connections, **options)


def _hosts(parts: SplitResult, port: int) -> list[tuple[str, int]]:
    split = (urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(","))
    return [(host.hostname or "", host.port or port) for host in split]


def _secrets(parts: SplitResult) -> dict[str, Any]:
    known = {"username": parts.username, "password": parts.password}
    return {name: unquote(value) for name, value in known.items() if value}


def _secured(parts: SplitResult) -> dict[str, Any]:
    return {"ssl": True} if parts.scheme.startswith("rediss") else {}
