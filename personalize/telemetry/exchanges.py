"""Exchanges with the Profile API, for whoever looks at one request closely."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

_watched: ContextVar["list[Exchange] | None"] = ContextVar("exchanges", default=None)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call to the Profile API.

    `begun` is a time of `time.perf_counter`, `seconds` how long it took; `request_id` is Segment's own, by which its
    support finds the call, where one was told. Whom it was about is not kept.
    """

    route: str
    outcome: str
    begun: float
    seconds: float
    request_id: str | None = None


@contextmanager
def watched() -> Iterator[list[Exchange]]:
    """Yield a list to which every exchange is added that the body, and the tasks that it begins, have made."""
    exchanges: list[Exchange] = []
    token = _watched.set(exchanges)
    try:
        yield exchanges
    finally:
        _watched.reset(token)


def note(route: str, outcome: str, begun: float, request_id: str | None = None) -> None:
    """Add an exchange that has just ended, if somebody watches."""
    exchanges = _watched.get()
    if exchanges is not None:
        exchanges.append(Exchange(route, outcome, begun, time.perf_counter() - begun, request_id))
