"""Calls in hand: what Redis has granted of the rate budget before anybody asked for it."""

import time
from collections import deque
from collections.abc import Callable

SECONDS = 0.02
"""For how long a call in hand is good: Redis counts it where it was granted, so that it must go out about then."""


class Hand:
    """The calls that a process may send without asking; whatever is not sent at once is lost.

    Args:
        clock: a monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._good_until: deque[float] = deque()

    def put(self, calls: int) -> None:
        """Have so many more from now on."""
        self._good_until.extend([self._clock() + SECONDS] * calls)

    def take(self) -> bool:
        """Return whether there is one, which is the taker's."""
        while self._good_until:
            if self._clock() < self._good_until.popleft():
                return True
        return False
