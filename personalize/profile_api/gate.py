"""A gate: it lets every call pass, or, while it is barred, a probe now and then."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Gate:
    """Barred and lifted by what stands behind it; it judges nothing itself.

    While it is barred one call passes at a time, the first of them `every` seconds after the gate was barred, and each
    at least as long after the one before had begun.

    Args:
        every: seconds.
        clock: the time in seconds.
    """

    def __init__(self, every: float, clock: Callable[[], float]) -> None:
        self.barred = False
        self.era = 0
        """Changes whenever the gate is barred or lifted: what entered in another tells of a time that is over."""
        self._every = every
        self._clock = clock
        self._probing = False
        self._probe_at = 0.0

    def admits(self) -> bool:
        """Whether a call may enter now."""
        return not self.barred or not (self._probing or self._clock() < self._probe_at)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let a call that is admitted be under way; while the gate is barred, it is the probe."""
        era = self.era
        if self.barred:
            self._probing = True
            self._probe_at = self._clock() + self._every
        try:
            yield
        finally:
            if era == self.era:
                self._probing = False

    def bar(self) -> None:
        """Let only probes pass from now on."""
        self._turn(barred=True)
        self._probe_at = self._clock() + self._every

    def lift(self) -> None:
        """Let every call pass from now on."""
        self._turn(barred=False)

    def _turn(self, *, barred: bool) -> None:
        self.barred = barred
        self.era += 1
        self._probing = False
