"""Whether Redis is worth asking: after failures in a row it is left alone, but for one operation a second."""

from collections.abc import Callable

from redis.exceptions import TimeoutError as RedisTimeoutError

from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics

SECONDS = 1.0
"""For how long Redis is left alone before the next operation tries for all."""

MAX_FAILURES = 5
MAX_TIMEOUTS = 2
"""After so many failures in a row, of which so many by time are enough, Redis is away: a server that does not answer
costs a request 100 ms at most."""


class Skip:
    """Judges by how the last operations went; tells of Redis going and coming back, and not of each operation.

    Args:
        metrics: counts failures and skipped operations, and says whether Redis is there.
        clock: a monotonic time in seconds.
    """

    def __init__(self, metrics: Metrics, clock: Callable[[], float]) -> None:
        self.away = False
        self._metrics = metrics
        self._clock = clock
        self._failures = 0
        self._timeouts = 0
        self._next_probe_at = 0.0
        metrics.watch(metrics.redis_up, lambda: not self.away)

    def passes(self, operation: str) -> bool:
        """Whether an operation may go out: any while Redis answers, else the first one of each second."""
        if not self.away:
            return True
        if self._clock() < self._next_probe_at:
            self._metrics.redis_skipped.labels(operation).inc()
            return False
        self._next_probe_at = self._clock() + SECONDS
        return True

    def answered(self) -> None:
        """Take it that Redis is there."""
        self._failures = self._timeouts = 0
        if self.away:
            self.away = False
            logs.redis_back()

    def failed(self, operation: str, error: Exception) -> None:
        """Count a failure; leave Redis alone for a while after too many in a row, and after a probe's."""
        self._metrics.redis_failures.labels(operation).inc()
        self._failures += 1
        self._timeouts = self._timeouts + 1 if isinstance(error, TimeoutError | RedisTimeoutError) else 0
        if not self.away and self._failures < MAX_FAILURES and self._timeouts < MAX_TIMEOUTS:
            return
        self._next_probe_at = self._clock() + SECONDS
        if not self.away:
            self.away = True
            logs.redis_away(operation, error)

    def spared(self, operation: str) -> None:
        """Count an operation that did not go out, or was not waited for, with no fault of Redis; another may probe."""
        self._metrics.redis_skipped.labels(operation).inc()

    def refused(self, operation: str) -> None:
        """Count an operation that Redis has no room for: it is there all the same, and can be read."""
        self._metrics.redis_failures.labels(operation).inc()
        if self.away:
            self.answered()
