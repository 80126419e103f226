"""Pauses: what a 429 means for the whole fleet."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from personalize.errors import RateLimited
from personalize.profile_api.budget import RateBudget
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics

LONGEST_SECONDS = 60.0
"""However long an answer says; so long the rate limit's own window may be at most."""

FIRST_SECONDS = 1.0
"""At most, after the first 429 that does not say how long; each further one doubles it."""

SLACK_SECONDS = 1.0
"""By which the answers of one burst may differ, as they come a little apart."""


class Pauses:
    """Tells the budget to pause, for as long as a 429 says, else for longer and longer, with full jitter.

    Args:
        budget: the fleet's.
        clock: the time in seconds.
        random: a number from 0 to 1.
        metrics: counts the pauses.
    """

    def __init__(
        self, budget: RateBudget, clock: Callable[[], float], random: Callable[[], float], *, metrics: Metrics
    ) -> None:
        self._metrics = metrics
        self._budget = budget
        self._clock = clock
        self._random = random
        self._refusals = 0
        self._began_at = float("-inf")
        self._until = float("-inf")

    @property
    def lasting(self) -> bool:
        """Whether a pause that began here is not over."""
        return self._clock() < self._until

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Pause if the block ends with a 429."""
        sent_at = self._clock()
        try:
            yield
        except RateLimited as error:
            await self._refused(min(error.retry_after or 0.0, LONGEST_SECONDS), sent_at)
            raise
        self._refusals = 0

    async def _refused(self, asked: float, sent_at: float) -> None:
        """Pause, but not again for a call that was sent before the last pause began: it is of the same burst.

        Without a time, or with one that is over already (by another clock than ours), the pause is of our own making.
        """
        now = self._clock()
        if sent_at < self._began_at and now + asked <= self._until + SLACK_SECONDS:
            return
        seconds = asked or self._backoff()
        self._refusals += 1
        self._began_at, self._until = now, now + seconds
        self._metrics.upstream_pauses.inc()
        logs.profile_api_paused(seconds)
        await self._budget.pause(seconds)

    def _backoff(self) -> float:
        doubled = 2.0 ** min(self._refusals, 6)  # past the longest by then
        return self._random() * min(FIRST_SECONDS * doubled, LONGEST_SECONDS)
