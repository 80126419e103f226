"""Limits: how often one client may let the Profile API be read. What is cached costs nobody anything."""

import time
from collections.abc import Callable
from functools import cache
from typing import Literal, NamedTuple

from cachetools import TTLCache

from personalize.fleet.budget import Bucket
from personalize.telemetry.metrics import Metrics

MAX_CLIENTS = 20_000
"""Clients that are remembered, those seen last: so many that read anything at all have spent the budget together."""


_ROUNDING = 1e-6
"""Of one request: sums of seconds must not cost anybody a whole one."""


class Client(NamedTuple):
    """Who is counted: an address, or one of our own servers by its key's name."""

    kind: Literal["address", "key"]
    name: str


class Limits:
    """Counts the requests for which the Profile API would be read, by client.

    A client may come with a second's worth at once. The processes of a fleet each count for themselves, each for its
    share, so that all of them together let a client read no more often than one that is alone would.

    Args:
        rate: requests a second of one client, by the whole fleet; 0 is no limit.
        fleet_size: processes that answer side by side.
        metrics: counts what was refused.
        clock: a monotonic time in seconds.
    """

    def __init__(
        self, rate: float, *, fleet_size: int = 1, metrics: Metrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bucket = Bucket(rate / fleet_size, max(1.0, rate) + _ROUNDING) if rate > 0 else None
        depth = self._bucket.depth if self._bucket else 0.0  # who rested for so long need not be remembered
        self._spent: TTLCache[Client, float] = TTLCache(MAX_CLIENTS, depth, timer=clock)
        self._metrics = metrics
        self._clock = clock

    @property
    def limiting(self) -> bool:
        """Whether anybody is counted at all."""
        return self._bucket is not None

    def allowance(self, client: Callable[[], Client]) -> "ClientAllowance":
        """Return what one request of a client may let be read; who that is is asked only when it matters."""
        return ClientAllowance(self, client)

    def take(self, client: Client) -> float:
        """Count one request; return 0, or, if the client had too many, the seconds until it may have another."""
        if self._bucket is None:
            return 0.0
        wait, self._spent[client] = self._taken(self._bucket, client)
        if wait > 0:
            self._metrics.clients_limited.labels(client.kind).inc()
        return wait

    def left(self, client: Client) -> bool:
        """Whether a client may have a request now."""
        return self._bucket is None or self._taken(self._bucket, client)[0] == 0

    def _taken(self, bucket: Bucket, client: Client) -> tuple[float, float]:
        return bucket.take(self._spent.get(client, 0.0), self._clock(), "server")


class ClientAllowance:
    """What one request may let be read: all of its reads together count as one.

    Args:
        limits: what its client has left.
        client: tells who that is.
    """

    def __init__(self, limits: Limits, client: Callable[[], Client]) -> None:
        self._limits = limits
        self._client = cache(client)
        self.wait: float | None = None if limits.limiting else 0.0
        """Seconds until its client may have another, 0 if this one is granted; `None` until it was to be counted."""

    @property
    def left(self) -> bool:
        """Whether the Profile API might be read for this request, if that were asked now."""
        return self._limits.left(self._client()) if self.wait is None else self.wait == 0

    def spend(self) -> bool:
        """Whether the Profile API may be read for this request."""
        if self.wait is None:
            self.wait = self._limits.take(self._client())
        return self.wait == 0
