"""The rate budget that replicas share: how much of the space's 100 requests/s this deployment spends, and for what.

It is the generic cell rate algorithm (ITU-T I.371), as a leaky bucket on Redis' own clock. Without Redis each process
spends its static share by the same arithmetic on its own clock.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from personalize.fleet.connection import Connection, Script
from personalize.ports import Priority

BURST = 8
"""Calls that may go out at once after a rest: with what a busy process sends late, still no more than ten."""

LEFT: Mapping[Priority, float] = {"server": 0.0, "page": 0.25, "refresh": 0.625}
"""The part of the burst that each priority leaves to the more urgent ones."""

TAKE = Script(
    """
    local pause = redis.call('PTTL', KEYS[2])
    if pause > 0 then return {pause * 1000, 1} end
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local due = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
    local wait = due - tonumber(ARGV[2]) - now
    if wait > 0 then return {math.ceil(wait), 0} end
    due = due + tonumber(ARGV[1])
    redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', math.ceil((due - now) / 1000) + 1000)
    return {0, 0}
    """
)
"""Microseconds to wait, and whether that is a pause; nothing is reserved for whoever waits."""

PAUSE = Script(
    """
    if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], '1', 'PX', ARGV[1]) end
    return 1
    """
)
"""Let nobody send for a while; a pause is only ever lengthened."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Whether a call may go out: now if `wait` is 0, else it is worth asking again after so many seconds.

    `paused` says that nobody of the fleet sends until then, whatever the budget has left.
    """

    wait: float
    paused: bool = False


class Bucket:
    """The arithmetic, on a clock that its caller reads.

    In any `t` seconds it grants at most `rate * t + burst` calls.

    Args:
        rate: calls a second.
        burst: calls at once after a rest; at least one.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self.interval = 1 / rate
        self._burst = max(1.0, burst)
        self._due = -math.inf

    def tolerance(self, priority: Priority) -> float:
        """Return for how many seconds' worth of calls a priority may be ahead of the rate."""
        return (max(1.0, self._burst * (1 - LEFT[priority])) - 1) * self.interval

    def take(self, priority: Priority, now: float) -> float:
        """Return 0 and count the call, or the seconds after which it is worth asking again."""
        wait = max(now, self._due) - self.tolerance(priority) - now
        if wait > 0:
            return wait
        self.charge(now)
        return 0.0

    def charge(self, now: float) -> None:
        """Count a call that went out whatever was left."""
        self._due = max(now, self._due) + self.interval


class Budget:
    """The deployment's budget, by priority: what is less urgent leaves a part of every burst to what is more so.

    Args:
        connection: the fleet's connection; without one a process has its static share.
        name: whose budget it is, for its keys.
        rate: calls a second of the whole fleet.
        fleet_size: processes that share it while Redis is away.
        clock: a monotonic time in seconds.
    """

    def __init__(
        self,
        connection: Connection | None,
        *,
        name: str,
        rate: float,
        fleet_size: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._keys = [f"personalize:{{budget:{name}}}:due", f"personalize:{{budget:{name}}}:pause"]
        self._whole = Bucket(rate, BURST)
        self._share = Bucket(rate / fleet_size, BURST / fleet_size)
        self._clock = clock
        self._paused_until = 0.0

    async def take(self, priority: Priority) -> Grant:
        """Return whether a call may go out now."""
        paused_for = self._paused_until - self._clock()
        if paused_for > 0:
            return Grant(paused_for, paused=True)
        answer = await self._asked(priority)
        if answer is None:
            return Grant(self._share.take(priority, self._clock()))
        wait, paused = answer
        if paused:
            self._paused_until = self._clock() + wait
        elif wait == 0:
            self._share.charge(self._clock())  # so that no second burst is at hand when Redis goes away
        return Grant(wait, paused)

    async def pause(self, seconds: float) -> None:
        """Let nobody of the fleet send for so long."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)
        if self._connection is not None:
            await self._connection.evaluate("pause", PAUSE, self._keys[1:], [math.ceil(seconds * 1000)])

    async def _asked(self, priority: Priority) -> tuple[float, bool] | None:
        """Return the seconds to wait and whether that is a pause, as Redis says."""
        if self._connection is None:
            return None
        micros = [round(seconds * 1_000_000) for seconds in (self._whole.interval, self._whole.tolerance(priority))]
        answer = await self._connection.evaluate("budget", TAKE, self._keys, micros)
        if answer is None:
            return None
        wait, paused = cast("list[int]", answer)
        return wait / 1_000_000, bool(paused)
