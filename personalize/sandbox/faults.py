"""Faults: how the Profile API, or the Tracking API, misbehaves when it is told to."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from personalize.sandbox.journal import CALLS
from personalize.sandbox.reading import ROUTES
from personalize.sandbox.tracking import BATCH

EVERY_ROUTE = "*"
TRACKING = (*CALLS, BATCH)
NAMES = (EVERY_ROUTE, *ROUTES, *TRACKING)

Kind = Literal["reset", "truncate", "garbage", "drip"]
Milliseconds = Annotated[float, Meta(ge=0, le=60_000)]


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happens to calls of a route, for the next `times` calls, or until faults are cleared.

    The route is one of either API; `*` is all those of the Profile API. A call waits for `latency_ms`, give or take up
    to `jitter_ms`. With a `status` it is an error, with `code` as its code and `retry_after` as its header, whatever
    these say. The answer then arrives as `kind` says: not at all, as the connection is closed
    (`reset`); half of it (`truncate`); as HTML that is no answer at all, with 200 if there is no `status` (`garbage`);
    or byte by byte, each `pace_ms` after the one before (`drip`).
    """

    route: str = EVERY_ROUTE
    latency_ms: Milliseconds = 0
    jitter_ms: Milliseconds = 0
    status: Annotated[int, Meta(ge=400, le=599)] | None = None
    code: str | None = None
    retry_after: Annotated[str, Meta(pattern=r"^[ -~]*$")] | None = None
    kind: Kind | None = None
    pace_ms: Milliseconds = 20
    times: Annotated[int, Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        if self.route not in NAMES:
            raise ValueError(f"`route` has to be one of {', '.join(NAMES)}")
        for name in ("code", "retry_after"):
            if getattr(self, name) is not None and self.status is None:
                raise ValueError(f"`{name}` needs a `status`")

    def hits(self, route: str) -> bool:
        """Return whether calls of a route are meant."""
        return self.route == route or (self.route == EVERY_ROUTE and route not in TRACKING)

    def latency(self, chance: float) -> float:
        """Return how many seconds a call waits; `chance` is from 0, the least, to 1, the most."""
        return max(0.0, self.latency_ms + self.jitter_ms * (2 * chance - 1)) / 1000


class Faults:
    """The faults that are told. Of several for one route the last told happens; once it is used up, the one before."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let a fault happen from now on."""
        self._faults.append(fault)

    def current(self) -> list[Fault]:
        """Return the faults, oldest first, each with the times that are left."""
        return list(self._faults)

    def clear(self) -> None:
        """Behave."""
        self._faults.clear()

    def take(self, route: str) -> Fault | None:
        """Return what happens to a call of a route, and count it as having happened."""
        place = next((n for n in reversed(range(len(self._faults))) if self._faults[n].hits(route)), None)
        if place is None:
            return None
        fault = self._faults[place]
        if fault.times == 1:
            del self._faults[place]
        elif fault.times is not None:
            self._faults[place] = msgspec.structs.replace(fault, times=fault.times - 1)
        return fault
