"""How many requests a space may make: by default 100 a second, as the Profile API documentation has it."""

from personalize.sandbox.moments import Clock


class Budget:
    """A bucket that holds the requests of one second, and refills steadily.

    Args:
        rate: requests a second; 0 is no limit.
        clock: what time it is.
    """

    def __init__(self, rate: float, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._size = max(rate, 1.0)
        self._left = self._size
        self._counted_at = clock()

    def spend(self) -> bool:
        """Return whether a request may be made, and count it if so."""
        self._refill()
        if self._rate and self._left < 1:
            return False
        self._left -= 1
        return True

    def _refill(self) -> None:
        now = self._clock()
        passed = max(0.0, (now - self._counted_at).total_seconds())  # a clock may be set back
        self._left = min(self._size, self._left + passed * self._rate)
        self._counted_at = now
