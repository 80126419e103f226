"""The line: reads that wait for the rate budget, in order."""

import asyncio
from collections import deque
from collections.abc import Callable

from personalize.errors import Shed, ShedReason
from personalize.ports import Errand, Priority
from personalize.profile_api.budget import RateBudget

LONGEST = 64
"""Reads of one priority that wait. At the default budget of 80/s the last of them is sent within a page's 800 ms."""


class Line:
    """First come, first served, servers before pages; only the first one asks the budget again, when it was told to.

    Args:
        budget: the calls that may be sent.
        clock: the time of the event loop, in seconds.
    """

    def __init__(self, budget: RateBudget, clock: Callable[[], float]) -> None:
        self._budget = budget
        self._clock = clock
        self._places: dict[Priority, deque[asyncio.Event]] = {"server": deque(), "page": deque()}
        self._ask_at = 0.0
        self._reason: ShedReason = "budget"

    def check(self, errand: Errand) -> None:
        """Raise `Shed` if there is no place for one more: the line is full, or it is a refresh and somebody waits."""
        line = self._places.get(errand.priority)
        if self._ahead(errand.priority) if line is None else len(line) >= LONGEST:
            raise Shed(self._reason)

    async def turn(self, errand: Errand) -> None:
        """Return once a call may be sent.

        Raises:
            Shed: not before the errand's deadline; at once for a refresh, and when the line is full.
        """
        if not self._ahead(errand.priority) and await self._granted(errand.priority):
            return
        if errand.priority == "refresh":
            raise Shed(self._reason)
        self.check(errand)
        place = asyncio.Event()
        self._places[errand.priority].append(place)
        try:
            await self._stand(place, errand)
        finally:
            self._places[errand.priority].remove(place)
            if (first := self._first()) is not None:
                first.set()

    async def _stand(self, place: asyncio.Event, errand: Errand) -> None:
        """Wait to be the first, then until the budget may be asked, and ask; again, while it says to wait."""
        while True:
            ask_at = max(self._ask_at, self._clock())
            if ask_at >= errand.deadline:
                raise Shed(self._reason)
            if self._first() is not place:
                await self._until_first(place, errand.deadline)
            elif ask_at > self._clock():
                await asyncio.sleep(ask_at - self._clock())
            elif await self._granted(errand.priority):
                return

    async def _until_first(self, place: asyncio.Event, deadline: float) -> None:
        place.clear()
        try:
            async with asyncio.timeout_at(deadline):
                await place.wait()
        except TimeoutError:
            raise Shed(self._reason) from None

    async def _granted(self, priority: Priority) -> bool:
        grant = await self._budget.take(priority)
        if grant.wait > 0:
            self._reason = "paused" if grant.paused else "budget"
            if priority != "refresh":  # which may be told to wait longer than those that stand here
                self._ask_at = self._clock() + grant.wait
        return grant.wait <= 0

    def _ahead(self, priority: Priority) -> bool:
        """Whether anybody waits who comes before a newcomer."""
        return bool(self._places["server"] or (priority != "server" and self._places["page"]))

    def _first(self) -> asyncio.Event | None:
        line = self._places["server"] or self._places["page"]
        return line[0] if line else None
