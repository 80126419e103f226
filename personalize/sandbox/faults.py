"""Faults: how the Profile API misbehaves when it is told to."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from personalize.sandbox.reading import ROUTES

EVERY_ROUTE = "*"

Kind = Literal["reset", "truncate", "garbage", "drip"]
Milliseconds = Annotated[float, Meta(ge=0, le=60_000)]


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happens to calls of a route (`*`: of all), for the next `times` calls, or until faults are cleared.

    Each waits for `latency_ms`, give or take up to `jitter_ms`. With a `status` it is an error, with `retry_after` as
    its header, whatever that says. The answer then arrives as `kind` says: not at all, as the connection is closed
    (`reset`); half of it (`truncate`); as HTML that is no answer at all, with 200 if there is no `status` (`garbage`);
    or byte by byte, each `pace_ms` after the one before (`drip`).
    """

    route: str = EVERY_ROUTE
    latency_ms: Milliseconds = 0
    jitter_ms: Milliseconds = 0
    status: Annotated[int, Meta(ge=400, le=599)] | None = None
    retry_after: Annotated[str, Meta(pattern=r"^[ -~]*$")] | None = None
    kind: Kind | None = None
    pace_ms: Milliseconds = 20
    times: Annotated[int, Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        if self.route not in (EVERY_ROUTE, *ROUTES):
            raise ValueError(f"`route` has to be one of {', '.join((EVERY_ROUTE, *ROUTES))}")
        if self.retry_after is not None and self.status is None:
            raise ValueError("`retry_after` needs a `status`")

    def hits(self, route: str) -> bool:
        """Return whether calls of a route are meant."""
        return self.route in {EVERY_ROUTE, route}

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
