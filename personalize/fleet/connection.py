"""The connection to Redis: every operation is bounded, and a failed one is counted and answered without Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any, TypeAlias, TypeVar, cast

from redis.exceptions import NoScriptError, OutOfMemoryError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from personalize.fleet.address import Address, Client, Limits, close
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics

T = TypeVar("T")

OPERATION_SECONDS = 0.05
"""What one operation may take."""

CONNECTIONS = 64

SKIP_SECONDS = 1.0
MAX_FAILURES = 5
MAX_TIMEOUTS = 2
"""After so many failures in a row, of which so many by time are enough, Redis is left alone for a while: a server that
does not answer costs a request 100 ms at most."""

FAILURES = (RedisError, OSError, TimeoutError, RuntimeError)
"""How an exchange ends when Redis is away; a `RuntimeError` is uvloop's, of what the other side has reset."""

Argument: TypeAlias = str | bytes | int | float


@dataclass(frozen=True)
class Script:
    """Lua that Redis runs as one step. Servers know a script by its digest once they have run it."""

    source: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", sha1(self.source.encode(), usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class Memory:
    """What a server says of its memory: its limit in bytes (0 is none), and what it does at the limit."""

    limit: int
    policy: str


class Connection:
    """A few verbs over a pool of connections. Connects on first use, never at start.

    redis-py's own defaults (timeouts of seconds, ten retries) would let one operation on a server that does not answer
    take a minute; here nothing is tried twice. `None` is what an operation returns when Redis does not answer, and
    while it is skipped: after a few failures in a row for a second, then one operation tries for all.

    Args:
        url: where Redis is; see `Address`.
        metrics: counts failures by operation, and tells whether Redis is there.
        clock: a monotonic time in seconds.
    """

    def __init__(self, url: str, *, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._address = Address(url)
        self._client = self._address.client(Limits(OPERATION_SECONDS, CONNECTIONS))
        self._health = _Health(metrics, clock)
        self._metrics = metrics
        self._held: set[asyncio.Task[Any]] = set()

    def __repr__(self) -> str:
        return "Connection(url=***)"

    @property
    def away(self) -> bool:
        """Whether operations are skipped at the moment."""
        return self._health.away

    def another(self, limits: Limits) -> Client:
        """Return a client of the same Redis with limits of its own, as for listening."""
        return self._address.client(limits)

    async def read_fields(self, key: str, fields: Sequence[str]) -> list[bytes | None] | None:
        """Return a hash's fields, `None` for each that is not there."""
        return await self._bounded(
            "read", lambda: cast("Awaitable[list[bytes | None]]", self._client.hmget(key, list(fields)))
        )

    async def evaluate(
        self, operation: str, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> object | None:
        """Run a script, and return what it returns; its keys are all of one slot."""
        return await self._bounded(operation, lambda: self._run(script, keys, arguments))

    async def set_if_absent(self, key: str, value: str, *, expire_ms: int) -> bool | None:
        """Set a key that is not there, and return whether it was not."""
        answer = await self._bounded("lock", lambda: self._set_if_absent(key, value, expire_ms))
        return None if answer is None else answer == "set"

    async def publish(self, channel: str, message: bytes) -> bool:
        """Send a message to all who listen, and return whether Redis took it."""
        sent = await self._bounded("publish", lambda: self._client.execute_command("PUBLISH", channel, message))
        return sent is not None

    async def memory(self) -> Memory | None:
        """Return what the server, or a Cluster's node, says of its memory."""
        info = await self._bounded("info", lambda: self._client.info("memory"))
        if info is None:
            return None
        of_one = next(iter(info.values())) if isinstance(next(iter(info.values()), None), dict) else info
        return Memory(int(of_one.get("maxmemory", 0)), str(of_one.get("maxmemory_policy", "")))

    async def aclose(self) -> None:
        """Close every connection."""
        for task in self._held:
            task.cancel()
        await asyncio.gather(*self._held, return_exceptions=True)
        await close(self._client)

    async def _run(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> object:
        try:
            return await cast("Awaitable[object]", self._client.evalsha(script.digest, len(keys), *keys, *arguments))
        except NoScriptError:
            return await cast("Awaitable[object]", self._client.eval(script.source, len(keys), *keys, *arguments))

    async def _set_if_absent(self, key: str, value: str, expire_ms: int) -> str:
        return "set" if await self._client.set(key, value, nx=True, px=expire_ms) else "there"

    async def _bounded(self, operation: str, command: Callable[[], Awaitable[T]]) -> T | None:
        if not self._health.permits():
            self._metrics.redis_skipped.labels(operation).inc()
            return None
        try:
            answer = await self._in_time(command)
        except OutOfMemoryError:  # a full server still reads, and still counts
            self._health.refused(operation)
            return None
        except FAILURES as error:
            self._health.failed(operation, error)
            return None
        except BaseException:
            self._health.abandoned()
            raise
        self._health.answered()
        return answer

    async def _in_time(self, command: Callable[[], Awaitable[T]]) -> T:
        if not self._address.settles:
            async with _limited(OPERATION_SECONDS):
                return await command()
        # Finding a new master or the nodes of a Cluster takes several exchanges. Given up each time half way, it would
        # never be done: so it goes on by itself, and whoever asks later finds it done.
        task = asyncio.create_task(_coroutine(command()), name="redis operation")
        self._held.add(task)
        task.add_done_callback(self._let_go)
        await asyncio.wait([task], timeout=OPERATION_SECONDS)
        if not task.done():
            raise TimeoutError
        return task.result()

    def _let_go(self, task: "asyncio.Task[Any]") -> None:
        self._held.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has heard of it in time, or did not wait


class _Health:
    """Whether Redis is worth asking, by how the last operations went."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._metrics = metrics
        self._clock = clock
        self._failures = 0
        self._timeouts = 0
        self._skip_until = 0.0
        self._probing = False
        self.away = False
        metrics.redis_up.set(1)

    def permits(self) -> bool:
        """Whether an operation may go out: all while Redis answers, else one for all each second."""
        if not self.away:
            return True
        if self._probing or self._clock() < self._skip_until:
            return False
        self._probing = True
        return True

    def answered(self) -> None:
        """Take it that Redis is there."""
        self._failures = self._timeouts = 0
        self._probing = False
        if self.away:
            self.away = False
            self._metrics.redis_up.set(1)
            logs.redis_back()

    def failed(self, operation: str, error: Exception) -> None:
        """Count a failure; leave Redis alone for a while after too many in a row."""
        self._metrics.redis_failures.labels(operation).inc()
        self._failures += 1
        self._timeouts = self._timeouts + 1 if isinstance(error, TimeoutError | RedisTimeoutError) else 0
        self._probing = False
        if not self.away and self._failures < MAX_FAILURES and self._timeouts < MAX_TIMEOUTS:
            return
        self._skip_until = self._clock() + SKIP_SECONDS
        if not self.away:
            self.away = True
            self._metrics.redis_up.set(0)
            logs.redis_away(operation, error)

    def refused(self, operation: str) -> None:
        """Count an operation that Redis answered by refusing it: it is there."""
        self._metrics.redis_failures.labels(operation).inc()
        self.answered()

    def abandoned(self) -> None:
        """Know nothing of an operation whose caller went away."""
        self._probing = False


async def _coroutine(awaitable: Awaitable[T]) -> T:
    return await awaitable


@asynccontextmanager
async def _limited(seconds: float) -> AsyncIterator[None]:
    """Let the body take so long, and as much longer as the loop is late to see that the time is over.

    A loop that was busy has perhaps not looked yet at the answer that came meanwhile: that Redis is slow is not proved.
    """
    loop = asyncio.get_running_loop()
    due = loop.time() + seconds
    async with asyncio.timeout(None) as limit:
        timer = loop.call_at(due, lambda: limit.reschedule(loop.time() + min(loop.time() - due, seconds)))
        try:
            yield
        finally:
            timer.cancel()
