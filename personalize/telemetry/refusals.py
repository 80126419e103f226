"""Refusals that come before there is a request: told at once, and counted with the next beat of the pulse.

A connection belongs to no application, and so has no metrics to count in.
"""

from collections import Counter

from personalize.telemetry import logs

_untold: Counter[str] = Counter()


def refused(status: int) -> None:
    """A connection sent more than it may, or took longer, and is closed."""
    logs.request_refused(status)
    _untold[str(status)] += 1


def taken() -> dict[str, int]:
    """Return how often each status was the answer since this was last asked."""
    told = dict(_untold)
    _untold.clear()
    return told
