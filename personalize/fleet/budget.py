"""The rate budget that replicas share: how much of the space's 100 requests/s this deployment spends, and for what.

It is the generic cell rate algorithm (ITU-T I.371), on Redis' own clock. While Redis is away each process spends its
static share by the same arithmetic on its own clock, and keeps the pauses that it knows of.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from msgspec import Struct

from personalize.fleet.hand import Hand
from personalize.fleet.script import Argument, Script
from personalize.ports import Priority
from personalize.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from personalize.fleet.connection import Connection

BURST = 8
"""Calls that may go out at once after a rest: with what a busy process sends late, still no more than ten."""

LEFT: Mapping[Priority, int] = {"server": 0, "page": 2, "refresh": 5}
"""How many of a burst each priority leaves to the more urgent ones."""

GRANT = """
    local function grant(spent, paused, interval, tolerance, depth)
        local pause = redis.call('PTTL', paused)
        if pause > 0 and pause <= tonumber(redis.call('GET', paused) or '0') then return {pause * 1000, 1} end
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local tat = tonumber(redis.call('GET', spent) or '0')
        tat = math.min(math.max(tat, now), now + tonumber(depth))
        local wait = tat - tonumber(tolerance) - now
        if wait > 0 then return {math.ceil(wait), 0} end
        tat = tat + tonumber(interval)
        redis.call('SET', spent, string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000) + 1000)
        return {0, 0}
    end
    """
"""For scripts: `Bucket.take` in microseconds. Returns those to wait, and whether that is a pause.

A pause that would last longer than it was to last is from before Redis' clock was set back: it is over.
"""

TAKE = Script(GRANT + "return grant(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3])")
"""Take one call."""

PAUSE = Script(
    """
    local left = redis.call('PTTL', KEYS[1])
    if left >= tonumber(ARGV[1]) then return left end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[1])
    return tonumber(ARGV[1])
    """
)
"""Let nobody send for a while; milliseconds of the pause, which is only ever lengthened."""


Source: TypeAlias = Literal["fleet", "own"]
"""Who said whether a call may go out: Redis for all, or the process alone."""


class Grant(Struct, frozen=True):
    """Whether a call may go out: now if `wait` is 0, else it is worth asking again after so many seconds.

    Nothing is reserved for whoever waits. `paused` says that nobody of the fleet sends until then, whatever the budget
    has left.
    """

    wait: float
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Bucket:
    """The arithmetic: in any `t` seconds at most `rate * t + burst` calls are granted.

    What was spent is one time, up to which all calls are accounted for: the next one's theoretical arrival time.

    Args:
        rate: calls a second.
        burst: calls at once after a rest; at least one.
    """

    rate: float
    burst: float

    @property
    def interval(self) -> float:
        """The seconds of one call."""
        return 1 / self.rate

    @property
    def depth(self) -> float:
        """For how many seconds an empty bucket has spent in advance."""
        return self.burst * self.interval

    def tolerance(self, priority: Priority) -> float:
        """Return how many seconds a priority may spend in advance and still have another call."""
        calls = max(1.0, self.burst - LEFT[priority] * self.burst / BURST)
        return (calls - 1) * self.interval

    def take(self, tat: float, now: float, priority: Priority) -> tuple[float, float]:
        """Return the seconds to wait and the same time, or none and the time with one more call."""
        tat = self._bounded(tat, now)
        wait = tat - self.tolerance(priority) - now
        return (wait, tat) if wait > 0 else (0.0, tat + self.interval)

    def charge(self, tat: float, now: float) -> float:
        """Return the time with one more call, whether there was one left or not."""
        return self._bounded(self._bounded(tat, now) + self.interval, now)

    def _bounded(self, tat: float, now: float) -> float:
        """Return a time between full and empty: where a clock was set back, no more than that is waited for."""
        return min(max(tat, now), now + self.depth)


class Budget:
    """The deployment's budget, by priority: what is less urgent leaves a part of every burst to what is more so.

    Who asks Redis for something else may be granted calls on the way, which save the next takers their asking.

    Args:
        connection: the fleet's connection; without one a process has its static share.
        name: whose budget it is, for its keys.
        rate: calls a second of the whole fleet.
        metrics: shows the rate and counts what is asked of it.
        fleet_size: processes that share it while Redis is away.
        clock: a monotonic time in seconds.
    """

    def __init__(
        self,
        connection: "Connection | None",
        *,
        name: str,
        rate: float,
        metrics: Metrics,
        fleet_size: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._asks = cache(metrics.budget_asks.labels)
        metrics.watch(metrics.budget_rate, lambda: rate)
        self._keys = [f"personalize:{{budget:{name}}}:tat", f"personalize:{{budget:{name}}}:pause"]
        self._whole = Bucket(rate, BURST)
        undivided = connection is not None and connection.undivided
        self._grantable = (self._keys, self._numbers("refresh")) if undivided else None
        self._share = Bucket(_share(rate, fleet_size), max(1.0, BURST / fleet_size))
        self._share_tat = 0.0
        self._hand = Hand(clock)
        self._clock = clock
        self._paused_until = -math.inf

    async def take(self, priority: Priority) -> Grant:
        """Return whether a call may go out now."""
        source, grant = await self._taken(priority)
        outcome = "paused" if grant.paused else "short" if grant.wait else "granted"
        self._asks(source, outcome).inc()
        return grant

    async def _taken(self, priority: Priority) -> tuple[Source, Grant]:
        """Return who answered, and what."""
        if (paused := self._paused()) is not None:
            return "own", paused
        if self._hand.take():
            return "fleet", Grant(0.0)
        grant = await self._asked(priority)
        if (paused := self._paused()) is not None:  # since Redis was asked
            return "own", paused
        if grant is None:
            return "own", self._own(priority)
        if grant.paused:
            self._pause_here(grant.wait)
        elif grant.wait == 0:
            self._charge()
        return "fleet", grant

    @property
    def grantable(self) -> tuple[Sequence[str], Sequence[Argument]] | None:
        """The keys and the numbers by which a script grants calls on its way; `None` where it cannot.

        It grants no more than there is for what is least urgent, so that nobody who waits is passed over; what is not
        sent after all, only refreshes would have had, but for a moment's burst.
        """
        return self._grantable if self._paused() is None else None

    def granted(self, calls: int) -> None:
        """Have calls in hand that a script has granted just now."""
        for _ in range(calls):
            self._charge()
        self._hand.put(calls)

    async def pause(self, seconds: float) -> None:
        """Let nobody of the fleet send for so long; no shorter than another pause."""
        if seconds <= 0:
            return
        self._pause_here(seconds)
        if self._connection is not None:
            left = await self._connection.evaluate("pause", PAUSE, self._keys[1:], [math.ceil(seconds * 1000)])
            self._pause_here(cast("int", left or 0) / 1000)

    def _paused(self) -> Grant | None:
        """Return how long a pause that is known here lasts, if there is one."""
        left = self._paused_until - self._clock()
        return Grant(left, paused=True) if left > 0 else None

    def _pause_here(self, seconds: float) -> None:
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    async def _asked(self, priority: Priority) -> Grant | None:
        """Return what Redis says; `None` if it does not answer."""
        if self._connection is None:
            return None
        answer = await self._connection.evaluate("budget", TAKE, self._keys, self._numbers(priority), spare=False)
        if answer is None:
            return None
        wait, paused = cast("list[int]", answer)
        return Grant(wait / 1e6, bool(paused))

    def _numbers(self, priority: Priority) -> Sequence[Argument]:
        """Return what `grant` has to know, in microseconds."""
        seconds = (self._whole.interval, self._whole.tolerance(priority), self._whole.depth)
        return [round(one * 1e6) for one in seconds]

    def _charge(self) -> None:
        """Count what the fleet granted to this process: there is no second burst when Redis goes away."""
        self._share_tat = self._share.charge(self._share_tat, self._clock())

    def _own(self, priority: Priority) -> Grant:
        """Return whether the process' own share has a call left."""
        wait, self._share_tat = self._share.take(self._share_tat, self._clock(), priority)
        return Grant(wait)


def _share(rate: float, fleet_size: int) -> float:
    """Return what a process alone may spend a second.

    Each may send one call at once, however many they are: where that is more than the fleet's burst, they send less.
    """
    return min(rate / fleet_size, max((rate + BURST) / fleet_size - 1, 0.1 * rate / fleet_size))
