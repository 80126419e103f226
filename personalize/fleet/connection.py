"""The connection to Redis: every operation is bounded, and a failed one is counted and answered without Redis.

While Redis is away operations return at once, as if it had not answered; what they would have told is for their callers
to do without.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, OutOfMemoryError, RedisClusterException, RedisError, ResponseError

from personalize.fleet import patience
from personalize.fleet.address import Address, Limits
from personalize.fleet.exchanges import Command, Exchanges
from personalize.fleet.master import LOOK_SECONDS, Master
from personalize.fleet.patience import Patience
from personalize.fleet.script import Argument, Script
from personalize.fleet.skip import Skip
from personalize.frames import let_go
from personalize.telemetry.metrics import Metrics

T = TypeVar("T")

OPERATION_SECONDS = 0.05
"""What one operation may take, with waiting for its turn and connecting."""

SLICES = 10
"""Parts in which an operation's time passes: where the process itself is held up, as by collecting garbage, it loses
one, and still reads what Redis has answered meanwhile."""

NEARLY = 0.9
"""The part of an operation's time in which Redis should have answered: to wait for less of it proves nothing."""

SOCKET_FACTOR = 2
"""How much longer one exchange may take, behind operations that were answered without it; for the same reason."""

SETTLING_SECONDS = 2.0
"""What connecting, or finding a new master or the nodes of a Cluster, may take behind operations that are answered
meanwhile."""

CONNECTIONS = 64

MOST_KEYS = 32
"""Keys of one round trip: the first ones must not wait long for the last."""

READ = Script(
    """
    local found = {}
    for place, key in ipairs(KEYS) do found[place] = redis.call('HMGET', key, unpack(ARGV)) end
    return found
    """
)
"""Read the same fields of several hashes: to write and to take apart a command for each costs us more than Redis."""

FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError, RuntimeError)
"""How an exchange ends when Redis is away; a `RuntimeError` is uvloop's, of what the other side has reset."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a server does with its memory: its limit in bytes (0 is none), and what it evicts at the limit."""

    limit: int
    policy: str


class Connection:
    """A few verbs over a pool of connections. Connects on first use, never at start.

    redis-py's own defaults (timeouts of seconds, ten retries) would let one operation on a server that does not answer
    take a minute; here nothing is tried twice. `None` is what an operation returns when Redis does not answer, and
    while it is skipped: after a few failures in a row for a second, then one operation tries for all.

    Args:
        url: where Redis is; see `Address`.
        metrics: counts failed and skipped operations, and says whether Redis is there.
        clock: a monotonic time in seconds.
        seconds: what one operation may take.
    """

    def __init__(
        self,
        url: str,
        *,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        seconds: float = OPERATION_SECONDS,
    ) -> None:
        self._address = Address(url)
        limits = Limits(SOCKET_FACTOR * seconds, CONNECTIONS)
        self._client = self._address.client(limits)
        self._exchanges = (
            Exchanges(self._client, limits.seconds, settling=SETTLING_SECONDS)
            if isinstance(self._client, Redis)
            else None
        )
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._skip = Skip(metrics, clock)
        self._clock = clock
        self._seconds = seconds
        self._look_at = 0.0
        self._held: set[asyncio.Task[Any]] = set()

    def __repr__(self) -> str:
        return "Connection(url=***)"

    @property
    def away(self) -> bool:
        """Whether operations are skipped at the moment."""
        return self._skip.away

    @property
    def state(self) -> str:
        """How Redis is, as far as the last operations tell."""
        return "away: left alone for a second at a time" if self.away else "answers, or was not asked yet"

    def listener(self, limits: Limits) -> Redis:
        """Return a client of the same Redis for listening, with limits of its own."""
        return self._address.listener(limits)

    async def read_fields(self, key: str, fields: Sequence[str]) -> list[bytes | None] | None:
        """Return a hash's fields, `None` for each that is not there."""
        found = await self._bounded("read", lambda: self._run("HMGET", key, *fields))
        return cast("list[bytes | None] | None", found)

    @property
    def waited_for(self) -> bool:
        """Whether whoever asks has patience for an operation, beside the one that it can least do without."""
        return self._seconds_for(patience.current()) > 0

    @property
    def most_keys(self) -> int:
        """How many keys one operation may read: a Cluster's are on several nodes."""
        return MOST_KEYS if self.undivided else 1

    @property
    def undivided(self) -> bool:
        """Whether one server has all keys: a script may name any of them together."""
        return self._exchanges is not None

    async def read_hashes(self, asked: Sequence[tuple[str, Sequence[str]]]) -> list[list[bytes | None]] | None:
        """Return fields of each of several hashes, by key, in one round trip; no more of them than `most_keys`."""
        if len(asked) == 1:
            [(key, fields)] = asked
            found = await self.read_fields(key, fields)
            return None if found is None else [found]
        alike, *others = {tuple(fields) for _, fields in asked}
        if others:
            commands: list[Command] = [("HMGET", key, *fields) for key, fields in asked]
            return await self._bounded("read", lambda: self._run_all(commands))
        read = await self.evaluate("read", READ, [key for key, _ in asked], alike)
        return cast("list[list[bytes | None]] | None", read)

    async def members(self, key: str) -> Collection[bytes] | None:
        """Return a set's members; none of a set that is not there."""
        found = await self._bounded("members", lambda: self._run("SMEMBERS", key))
        return cast("Collection[bytes] | None", found)

    async def evaluate(
        self, operation: str, script: Script, keys: Sequence[str], args: Sequence[Argument], *, spare: bool = True
    ) -> object | None:
        """Run a script, and return what it returns; its keys are all of one slot.

        A request has patience for only so much: what is asked last, and can least be done without, is not to `spare`
        any for what else may be asked.
        """
        return await self._bounded(operation, lambda: self._evaluated(script, keys, args), spare=spare)

    async def delete(self, key: str) -> bool:
        """Remove a key, and return whether Redis took it, if it was there or not."""
        removed = await self._bounded("delete", lambda: self._run("DEL", key))
        return removed is not None

    async def publish(self, channel: str, message: bytes) -> bool:
        """Send a message to all who listen, and return whether Redis took it."""
        sent = await self._bounded("publish", lambda: self._run("PUBLISH", channel, message))
        return sent is not None

    async def memory(self) -> Memory | None:
        """Return what the server, or one node of a Cluster, does with its memory; `INFO` is what managed ones allow."""
        info = await self._bounded("info", lambda: _settled(self._client.info("memory")))
        return None if info is None else Memory(int(info.get("maxmemory", 0)), str(info.get("maxmemory_policy", "")))

    async def aclose(self) -> None:
        """Close every connection."""
        for task in self._held:
            task.cancel()
        await asyncio.gather(*self._held, return_exceptions=True)
        await self._client.aclose()

    async def _evaluated(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> object:
        try:
            return await self._run("EVALSHA", script.digest, len(keys), *keys, *args)
        except NoScriptError:
            return await self._run("EVAL", script.source, len(keys), *keys, *args)

    async def _run(self, *command: Argument) -> object:
        [answer] = await self._run_all([command])
        return answer

    async def _run_all(self, commands: Sequence[Command]) -> list[Any]:
        """Return the answers to commands; a Cluster's client finds the node of each."""
        if self._exchanges:
            return await self._exchanges.run(commands)
        return [await _settled(self._client.execute_command(*command)) for command in commands]

    async def _bounded(self, operation: str, command: Callable[[], Awaitable[T]], *, spare: bool = True) -> T | None:
        """Run a command within the time of an operation; return `None` whatever Redis does instead of answering."""
        waits = patience.current()
        seconds = self._seconds_for(waits, spare=spare)
        if seconds <= 0:
            self._skip.spared(operation)
            return None
        if not self._skip.passes(operation):
            return None
        try:
            answer = await self._in_time(command, seconds, waits)
        except _Unwaited:
            self._skip.spared(operation)
            return None
        except FAILURES as error:
            self._failed(operation, let_go(error))
            return None
        self._skip.answered()
        return answer

    def _seconds_for(self, waits: Patience | None, *, spare: bool = True) -> float:
        """Return how long an operation may take; none where there is no patience for it."""
        if waits is None:
            return self._seconds
        return min(self._seconds, waits.left - (self._seconds if spare else 0.0))

    async def _in_time(self, command: Callable[[], Awaitable[T]], seconds: float, waits: Patience | None) -> T:
        """Run a command, for as long as an operation may take, and whoever asks has patience for.

        What takes longer goes on by itself: to connect, and to find a new master or the nodes of a Cluster, takes
        several exchanges, and given up half way each time it would never be done. Who asks later finds it done.
        """
        if isinstance(self._client, Master) and self._clock() >= self._look_at:
            self._look_at = self._clock() + LOOK_SECONDS
            self._hold(self._client.look())
        slice_ = seconds / SLICES
        left = await self._turn(slice_)
        task = self._hold(self._in_turn(command)) if left else None
        if task is not None:
            left = await _done(task, slice_, left)
        if waits is not None and left < SLICES:
            waits.spent += slice_ * (SLICES - max(0, left - 1))  # with all of the slice in which it was answered
        if task is None:
            raise _Unwaited
        if not left:
            raise TimeoutError if seconds > NEARLY * self._seconds else _Unwaited
        return task.result()

    async def _turn(self, slice_: float) -> int:
        """Wait for one of our connections to be free, for redis-py's pools raise where there is none.

        Returns how many slices are left of an operation's time then; none if it never was.
        """
        if not self._turns.locked():
            await self._turns.acquire()
            return SLICES
        turn = asyncio.ensure_future(self._turns.acquire())
        try:
            left = await _done(turn, slice_, SLICES)
        except asyncio.CancelledError:
            if not turn.cancel():
                self._turns.release()
            raise
        if not left:
            turn.cancel()
        return left

    async def _in_turn(self, command: Callable[[], Awaitable[T]]) -> T:
        try:
            return await command()
        except FAILURES as error:
            let_go(error)
            raise
        finally:
            self._turns.release()

    def _failed(self, operation: str, error: Exception) -> None:
        if _full(error):
            self._skip.refused(operation)
            return
        was_away = self.away
        self._skip.failed(operation, error)
        if self.away and not was_away and isinstance(self._client, Redis):
            # Connections that broke unheard would each fail a probe, and there may be one for every second of a minute.
            self._hold(self._client.connection_pool.disconnect(inuse_connections=False))

    def _hold(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.create_task(work, name="redis")
        self._held.add(task)
        task.add_done_callback(self._let_go)
        return task

    def _let_go(self, task: "asyncio.Task[Any]") -> None:
        self._held.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has heard of it in time, or did not wait


class _Unwaited(Exception):
    """None of our connections was free in time, or it was to take less than an operation may: no fault of Redis."""


async def _settled(command: Awaitable[T]) -> T:
    async with asyncio.timeout(SETTLING_SECONDS):
        return await command


async def _done(future: "asyncio.Future[Any]", slice_: float, slices: int) -> int:
    """Wait for a future for so many slices of seconds; return how many are left when it is done, and none if not."""
    for left in range(slices, 0, -1):
        await asyncio.wait([future], timeout=slice_)
        if future.done():
            return left
    return 0


def _full(error: Exception) -> bool:
    """Whether Redis refused to write for want of memory; servers before 7 say so of a script in the text alone."""
    return isinstance(error, OutOfMemoryError) or (isinstance(error, ResponseError) and " -OOM " in str(error))
