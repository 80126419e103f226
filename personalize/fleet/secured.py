"""redis-py's connections with TLS, made to share one context.

To make one keeps the event loop for tens of milliseconds, and redis-py makes one for each connection.
"""

from contextlib import suppress
from typing import Any, TypeVar

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.connection import RedisSSLContext, SSLConnection
from redis.asyncio.sentinel import SentinelManagedConnection

C = TypeVar("C", bound=Redis)
K = TypeVar("K", bound=RedisCluster)

_PREFIX = "ssl_"


class Secured(SSLConnection):
    """A connection whose context was made by somebody else."""

    def __init__(self, *, tls: RedisSSLContext, **options: Any) -> None:  # noqa: ANN401 -- whatever redis-py's takes
        super().__init__(**options)
        self.ssl_context = tls


class SecuredMaster(SentinelManagedConnection, Secured):
    """The same to what Sentinels call their master."""


def context(options: dict[str, Any]) -> RedisSSLContext:
    """Return what connections with these options share, made already; where that cannot be, each says so."""
    told = {name.removeprefix(_PREFIX): value for name, value in options.items() if name.startswith(_PREFIX)}
    shared = RedisSSLContext(**{"cert_reqs": "required", "check_hostname": True, **told})
    with suppress(OSError):
        shared.get()
    return shared


def sharing(client: C, tls: RedisSSLContext | None) -> C:
    """Return a client of one server, or of a master, that makes its connections with a context, if there is one."""
    if tls is not None:
        pool: ConnectionPool = client.connection_pool
        managed = issubclass(pool.connection_class, SentinelManagedConnection)
        pool.connection_class = SecuredMaster if managed else Secured
        pool.connection_kwargs["tls"] = tls
    return client


def cluster_sharing(client: K, tls: RedisSSLContext | None) -> K:
    """Return a client of a Cluster that does so for the nodes that were named, and for those it finds."""
    if tls is not None:
        client.connection_kwargs |= {"connection_class": Secured, "tls": tls}
        for node in client.nodes_manager.startup_nodes.values():
            node.connection_class = Secured
            node.connection_kwargs["tls"] = tls
    return client
