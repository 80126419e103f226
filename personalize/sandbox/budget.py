"""How many requests a space may make: by default 100 a second, as the Profile API documentation has it."""

import math
from collections import deque
from datetime import datetime, timedelta

from personalize.sandbox.moments import Clock


class Budget:
    """Counts the requests of the last second, so that no second has more than its rate, whenever it begins.

    Args:
        rate: requests a second; if that is no whole number, the next one in as many seconds as it takes; 0 is no
            limit.
        clock: what time it is.
    """

    def __init__(self, rate: float, clock: Clock) -> None:
        self._most = math.ceil(rate)
        self._within = timedelta(seconds=self._most / rate if rate else 0)
        self._clock = clock
        self._spent: deque[datetime] = deque()

    def spend(self) -> bool:
        """Return whether a request may be made, and count it if so."""
        if not self._most:
            return True
        now = self._clock()
        if self._spent and now < self._spent[-1]:  # the clock was set back: by it nothing would end for that long
            self._spent = deque([now] * len(self._spent))
        while self._spent and now - self._spent[0] >= self._within:
            self._spent.popleft()
        if len(self._spent) >= self._most:
            return False
        self._spent.append(now)
        return True
