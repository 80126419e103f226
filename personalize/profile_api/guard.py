"""The guard before the Profile API: which calls go out, which go out twice, and which do not go out at all."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from random import random as chance
from typing import TypeAlias, TypeVar

from personalize.errors import ProfileNotFound, ServerFault, Shed, TimedOut, Unreachable, Unreadable
from personalize.frames import let_go
from personalize.ports import Errand
from personalize.profile_api.acceptance import Acceptance
from personalize.profile_api.breaker import Breaker
from personalize.profile_api.budget import RateBudget
from personalize.profile_api.line import Line
from personalize.profile_api.pauses import Pauses
from personalize.profile_api.retries import RetryBudget
from personalize.telemetry.metrics import Metrics

T = TypeVar("T")

Call: TypeAlias = Callable[[], Awaitable[T]]
"""Sends one request, each time it is called."""

CONCURRENT = 100
"""Calls under way: as many as the pool has connections, for what waits there is bounded by nobody."""

RESERVED = 10
"""How many of them are for our own servers alone: while Segment is slow, a crowd of pages would hold all the others."""

RETRY_REMAINING = 0.2
"""Seconds of the errand's deadline that a retry needs: less would only spend budget."""

RETRY_PAUSE = 0.1
"""Seconds before a retry, at most."""

_FAST = (Unreachable, ServerFault, Unreadable)
"""Failures that a second try may mend. Slowness is not among them: it would only be doubled."""


async def _same() -> bool:
    """Say that the access token has not changed: there is nothing to read it from."""
    return False


class Guard:
    """Sends calls, a page of an answer each, as the Profile API and the fleet's budget for it allow.

    Args:
        budget: what the fleet may send.
        metrics: counts what was shed and sent again, and shows the breaker and the token.
        reread_token: reads the access token again when it was refused; whether it has changed.
        clock: the time of the event loop, in seconds.
        random: a number from 0 to 1.
    """

    def __init__(
        self,
        budget: RateBudget,
        *,
        metrics: Metrics,
        reread_token: Callable[[], Awaitable[bool]] = _same,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = chance,
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._random = random
        self._acceptance = Acceptance(reread_token, metrics=metrics, clock=clock)
        self._breaker = Breaker(metrics=metrics, clock=clock)
        self._line = Line(budget, clock)
        self._pauses = Pauses(budget, clock, random, metrics=metrics)
        self._retries = RetryBudget()
        self._under_way = 0

    @property
    def state(self) -> str:
        """How the Profile API is, as far as its last answers tell."""
        if not self._acceptance.accepted:
            return "refuses the access token"
        if self._breaker.open:
            return "keeps failing, and is tried every few seconds"
        return "paused: its rate limit is spent" if self._pauses.lasting else "answers, or was not asked yet"

    async def run(self, call: Call[T], errand: Errand) -> T:
        """Return what a call returns.

        An errand whose deadline is past when it comes is tried once, for the sake of the cache; nothing is sent for one
        that ran out while it waited. What fails fast is sent a second time if somebody still waits for it.

        Raises:
            ProfileApiError: what the call raises; of two tries, the last one that was sent.
            TimedOut: the errand's limit is reached, which counts as a failure of the Profile API if it was being asked.
            Shed: it was not sent.
        """
        await self._admitted(errand, late=self._clock() >= errand.deadline)
        self._retries.earn()
        try:
            return await self._sent(call, errand)
        except _FAST as error:
            if not await self._again(errand):
                raise
            let_go(error)
        return await self._sent(call, errand)

    def refuses(self, errand: Errand) -> Shed | None:
        """Return why a call would be shed at once, if that is known without asking anybody."""
        try:
            self._check(errand)
            self._line.check(errand)
        except Shed as shed:
            self._metrics.upstream_shed.labels(shed.reason).inc()
            return shed
        return None

    async def _admitted(self, errand: Errand, *, late: bool = False) -> None:
        """Return when a call may go out; nothing may be awaited between this and its sending."""
        try:
            async with _limited(errand):
                await self._admit(errand, late=late)
        except Shed as shed:
            self._metrics.upstream_shed.labels(shed.reason).inc()
            raise

    async def _admit(self, errand: Errand, *, late: bool) -> None:
        self._check(errand)
        await self._line.turn(errand)
        if not late and self._clock() >= errand.deadline:
            raise Shed("budget")
        self._check(errand)  # again: much may have happened while it waited

    def _check(self, errand: Errand) -> None:
        """Raise if there is a reason not to send anything now."""
        if not self._acceptance.admits():
            raise Shed("unauthorized")
        if not self._breaker.admits():
            raise Shed("breaker")
        if self._under_way >= CONCURRENT - (0 if errand.priority == "server" else RESERVED):
            raise Shed("concurrency")

    async def _sent(self, call: Call[T], errand: Errand) -> T:
        """Send a call and learn from how it ends."""
        with self._counted(), self._breaker.watching():
            async with _limited(errand), self._acceptance.watching(), self._pauses.watching():
                answer = await _answer(call)
        if isinstance(answer, ProfileNotFound):
            raise answer
        return answer

    async def _again(self, errand: Errand) -> bool:
        """Return whether a call that failed fast may be sent a second time, once it may."""
        until = errand.deadline if errand.limit is None else min(errand.deadline, errand.limit)
        if errand.priority == "refresh" or until - self._clock() < RETRY_REMAINING:
            return False
        if not self._retries.spend():
            return False
        await asyncio.sleep(self._random() * RETRY_PAUSE)
        try:
            await self._admitted(errand)
        except Shed:
            return False
        self._metrics.upstream_retries.inc()
        return True

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1


@asynccontextmanager
async def _limited(errand: Errand) -> AsyncIterator[None]:
    """Give up at an errand's limit. Here, and not around the guard: only that tells it from what is stopped."""
    try:
        async with asyncio.timeout_at(errand.limit):
            yield
    except TimeoutError:
        raise TimedOut("The Profile API could not be read in time.") from None


async def _answer(call: Call[T]) -> T | ProfileNotFound:
    """Return what Segment answers: that there is no such profile is an answer as good as any."""
    try:
        return await call()
    except ProfileNotFound as error:
        return error
