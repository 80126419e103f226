"""The connection to Redis: every operation is bounded, and a failed one is counted and answered without Redis."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics

T = TypeVar("T")

OPERATION_SECONDS = 0.05
"""What one operation may take. A request makes at most two, so Redis costs it 100 ms at worst."""

CONNECTIONS = 64


class Connection:
    """A few verbs over a pool of connections to one Redis server. Connects on first use, never at start.

    redis-py's own defaults (timeouts of seconds, ten retries) would let one operation on a server that does not answer
    take a minute; here nothing is tried twice. A value that cannot be read in time counts as absent.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        metrics: counts failures by operation.
    """

    def __init__(self, url: str, *, metrics: Metrics) -> None:
        self._metrics = metrics
        self._redis = Redis.from_pool(
            BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS,
                timeout=OPERATION_SECONDS,
                socket_timeout=OPERATION_SECONDS,
                socket_connect_timeout=OPERATION_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
        )

    def __repr__(self) -> str:
        return "Connection(url=***)"

    async def read_fields(self, key: str, fields: Sequence[str]) -> list[bytes | None]:
        """Return a hash's fields, `None` for each that is not there; nothing when Redis does not answer."""
        answer = await self._bounded(
            "read", cast("Awaitable[list[bytes | None]]", self._redis.hmget(key, list(fields)))
        )
        return answer or []

    async def write_field(self, key: str, field: str, value: bytes, *, expire_ms: int) -> None:
        """Set a hash's field and let the whole hash expire later; one round trip."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hset(key, field, value)
        pipeline.pexpire(key, expire_ms)
        await self._bounded("write", pipeline.execute())

    async def delete(self, key: str) -> None:
        """Remove a key."""
        await self._bounded("delete", self._redis.delete(key))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    async def _bounded(self, operation: str, command: Awaitable[T]) -> T | None:
        try:
            async with asyncio.timeout(OPERATION_SECONDS):
                return await command
        except (RedisError, OSError, TimeoutError) as error:
            self._metrics.redis_failures.labels(operation).inc()
            logs.redis_failed(operation, error)
            return None
