"""Dropped calls: what Segment would answer as a success, leave out, and show in its Debugger."""

from collections import deque

import msgspec

from personalize.sandbox.moments import Clock, micros, written
from personalize.telemetry import logs

KEPT = 200


class Drop(msgspec.Struct, frozen=True):
    """A call that is not valid, as it was sent, and why. `route` is its type, where it has one; `at` is ISO 8601."""

    route: str
    reason: str
    at: str
    call: msgspec.Raw


class Dropped:
    """The last calls that were dropped, and how many there were in all.

    Args:
        clock: what time it is.
        kept: how many are kept; older ones are still counted.
    """

    def __init__(self, clock: Clock, kept: int = KEPT) -> None:
        self._clock = clock
        self._last: deque[Drop] = deque(maxlen=kept)
        self.total = 0

    def add(self, route: str, call: bytes, reason: str) -> None:
        """Keep a call that is JSON, and say so in the log, which no id reaches."""
        self._last.append(Drop(route, reason, written(micros(self._clock())), msgspec.Raw(call)))
        self.total += 1
        logs.call_dropped(route, reason)

    def last(self) -> list[Drop]:
        """Return those that are kept, oldest first."""
        return list(self._last)

    def forget(self) -> None:
        """Start from zero."""
        self._last.clear()
        self.total = 0
