"""A clock that can be moved, to see today what will be in a month."""

from datetime import datetime, timedelta

from personalize.sandbox.moments import Clock


class MovableClock:
    """Goes on as another clock does, by some time ahead of it.

    Args:
        clock: the other clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        """Return the time."""
        return self._clock() + self.ahead

    def advance(self, span: timedelta) -> None:
        """Go forth, or back if the span is negative.

        Raises:
            OverflowError: that is outside the years 1 to 9999; then the clock stays.
        """
        self._move(self.ahead + span)

    def set(self, moment: datetime) -> None:
        """Go to an aware moment, and on from there."""
        self._move(moment - self._clock())

    def back(self) -> None:
        """Be the other clock again."""
        self.ahead = timedelta(0)

    def _move(self, ahead: timedelta) -> None:
        _ = self._clock() + ahead
        self.ahead = ahead
