"""Connections of tests to Redis, and waiting until it answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from personalize.fleet.connection import OPERATION_SECONDS, Connection
from personalize.fleet.script import Script
from personalize.telemetry.metrics import Metrics

WAIT_SECONDS = 20.0
SET = Script("return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])")


class Clock:
    """A monotonic time, which a test steps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Counts:
    """Metrics of one connection, and what they say."""

    def __init__(self) -> None:
        self.metrics = Metrics(CollectorRegistry())

    def failures(self, operation: str) -> float:
        return self._value("personalize_redis_failures_total", operation=operation)

    def skipped(self, operation: str) -> float:
        return self._value("personalize_redis_skipped_total", operation=operation)

    @property
    def up(self) -> float:
        return self._value("personalize_redis_up")

    @property
    def heard(self) -> float:
        return self._value("personalize_invalidations_heard")

    def _value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0


@asynccontextmanager
async def connected(
    url: str,
    counts: Counts | None = None,
    clock: Callable[[], float] | None = None,
    seconds: float = OPERATION_SECONDS,
) -> AsyncIterator[Connection]:
    """Return a connection, and close it in the end."""
    clocks = {} if clock is None else {"clock": clock}
    connection = Connection(url, metrics=(counts or Counts()).metrics, seconds=seconds, **clocks)
    try:
        yield connection
    finally:
        await connection.aclose()


async def eventually(
    connection: Connection, key: str = "any", field: str = "f", seconds: float = WAIT_SECONDS
) -> bytes:
    """Read a field until Redis answers, within a bound; empty if there is none."""
    async with asyncio.timeout(seconds):
        while (answer := await connection.read_fields(key, [field])) is None:  # noqa: ASYNC110 -- nothing announces it
            await asyncio.sleep(0.01)
    return answer[0] or b""


async def until(condition: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
    """Wait for a condition that nothing announces, for a bounded time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- nothing announces it
            await asyncio.sleep(0.01)
