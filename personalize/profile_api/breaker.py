"""The breaker: what keeps failing is left alone for a while, and tried now and then."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from personalize.errors import ServerFault, TimedOut, Unreachable, Unreadable
from personalize.profile_api.gate import Gate
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics

FAILURES = 5
"""In a row. That also opens the breaker before 85 % of any 50 calls have failed: among 43 failures and at most 7
successes there are always 6 failures in a row."""

PROBE_SECONDS = 5.0
"""Between two probes, so that the first fresh answer comes at most 6 s after the Profile API is back."""

_FAILED = (ServerFault, Unreachable, TimedOut, Unreadable)
"""What counts. A refusal is no failure of the upstream, and a cancelled call is one that nobody wants any more."""


class Breaker:
    """Opens after failures in a row; one success of a probe closes it again, and the past is forgotten.

    Args:
        metrics: shows a breaker that is open.
        clock: the time in seconds.
    """

    def __init__(self, *, metrics: Metrics, clock: Callable[[], float]) -> None:
        self._metrics = metrics
        self._gate = Gate(PROBE_SECONDS, clock)
        self._failures = 0
        metrics.watch(metrics.breaker_open, lambda: self.open)

    @property
    def open(self) -> bool:
        """Whether calls are sent as probes only."""
        return self._gate.barred

    def admits(self) -> bool:
        """Whether a call may be sent now: the breaker is closed, or a probe is due."""
        return self._gate.admits()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Judge a call by how the block ends. What was sent before the breaker last turned no longer counts."""
        with self._gate.entered():
            era = self._gate.era
            try:
                yield
            except _FAILED:
                if era == self._gate.era:
                    self._failed()
                raise
            if era == self._gate.era:
                self._succeeded()

    def _failed(self) -> None:
        self._failures += 1
        if self._failures == FAILURES:
            self._gate.bar()
            self._metrics.breaker_openings.inc()
            logs.breaker_opened()

    def _succeeded(self) -> None:
        self._failures = 0
        if self._gate.barred:
            self._gate.lift()
            logs.breaker_closed()
