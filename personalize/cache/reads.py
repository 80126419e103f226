"""Reads of the Profile API: one for all who want the same, in this process and in the fleet."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol

from msgspec import Struct

from personalize.cache.flights import Flight, Flights, Landing
from personalize.cache.tiers import Comparison, Found, Tiers
from personalize.errors import ProfileApiError, ProfileNotFound, Shed
from personalize.fleet import patience
from personalize.frames import let_go
from personalize.model import AnySection, Collection, Content, ExternalId, Section, SectionName
from personalize.needs import SectionSpec
from personalize.ports import Errand
from personalize.telemetry import logs

FLEET_SECONDS = 0.2
"""What waiting for another replica's read may cost, with all that the shared tier is asked; then this one reads. The
budget, which it asks after that, may take as long as what was asked before."""

FLEET_POLL = 0.02

PAGES_FIRST = 8
"""Turns of the event loop from a read's end to the answer of a page that has waited for it, and some."""

CLOSE_SECONDS = 0.1
"""What writes are given when the service stops: what was just read is worth keeping for the replica that comes next."""


class ProfileReader(Protocol):
    """What is asked of the Profile API's client."""

    def refuses(self, errand: Errand) -> Shed | None:
        """Return why nothing would be read, if that is known without asking anybody."""
        ...

    async def read(self, collection: Collection, external_id: ExternalId, spec: SectionSpec, errand: Errand) -> Content:
        """Return one section's content, or raise a `ProfileApiError`."""
        ...


class Order(Struct, frozen=True):
    """One section to be read: whose, under which key of the tiers, why, and what was found when it was looked up."""

    key: str
    collection: Collection
    external_id: ExternalId
    name: SectionName
    spec: SectionSpec
    errand: Errand
    found: Found


class Reads:
    """Reads sections and keeps what they bring.

    A read is a held task: whoever asks for the same section meanwhile waits for the same read, and an answer that comes
    after a request's deadline still fills the tiers for the next page.

    Args:
        reader: the Profile API.
        tiers: where sections are kept.
        clock: the time in seconds since the epoch.
    """

    def __init__(self, reader: ProfileReader, tiers: Tiers, *, clock: Callable[[], float]) -> None:
        self._reader = reader
        self._tiers = tiers
        self._clock = clock
        self._flights = Flights()
        self._held: set[asyncio.Task[None]] = set()
        self._sharing: set[tuple[str, SectionName]] = set()
        self.refused = False
        """Whether the last read was refused at once. So will the next be, perhaps: nobody need claim it beforehand."""

    def under_way(self, order: Order) -> Flight | None:
        """Return the read that will bring a section, if there is one that did not begin before it was forgotten."""
        stamp = order.found.stamp
        flight = self._flights.find(order.key, order.name, order.spec)
        if flight is None or not flight.asked or stamp is None or flight.stamp == stamp:
            return flight
        # Where the stamp was not known, and the profile was forgotten at some time, nobody knows whether since.
        return flight if flight.stamp is None and not stamp else None

    def begin(self, order: Order) -> Flight:
        """Start reading a section; from now on this is the read that brings it."""
        return self._flights.start(order.key, order.name, order.spec, order.errand, partial(self._read, order))

    def spare(self, key: str, name: SectionName, spec: SectionSpec) -> None:
        """Give back the right to read a section that was claimed, unless somebody here is reading it, or has just.

        Whoever has will give it back when the others can know what was read: sooner they would read it again.
        """
        if (key, name) not in self._sharing and self._flights.find(key, name, spec) is None:
            self.hold(self._tiers.release(key, name))

    def leave(self, key: str) -> None:
        """Let nobody else wait for what was begun before a profile was forgotten."""
        self._flights.leave(key)

    def hold(self, write: Coroutine[Any, Any, None]) -> None:
        """Let a write go on by itself: nobody's answer waits for it."""
        task = asyncio.create_task(write, name="cache write", context=patience.unhurried())
        self._held.add(task)
        task.add_done_callback(self._written)

    async def aclose(self) -> None:
        """Give the writes a moment to end, cancel what is under way, and wait for the end of all."""
        if self._held:
            await asyncio.wait(self._held, timeout=CLOSE_SECONDS)
        await self._flights.aclose()
        writes = list(self._held)
        for write in writes:
            write.cancel()
        await asyncio.gather(*writes, return_exceptions=True)

    async def _read(self, order: Order, flight: Flight) -> Landing:
        """Bring a section: from the replica that is reading it, or from the Profile API."""
        shed = self._reader.refuses(order.errand)
        self.refused = shed is not None
        if shed is not None:  # in a flood of unknown visitors most reads end here, and cost nobody anything
            self._release(order, granted=order.found.claimed)
            return Landing(error=let_go(shed))
        granted, comparison = _looked_up(order) if order.found.claimed else await self._claimed(order)
        waited = FLEET_POLL
        # Counted, and not measured: where a crowd keeps this process busy, the other one's read would seem to be late.
        while not granted and not _fresh(comparison, order) and waited + 2 * patience.spent() < FLEET_SECONDS:
            await asyncio.sleep(FLEET_POLL)
            waited += FLEET_POLL
            granted, comparison = await self._claimed(order)
        if _fresh(comparison, order):
            self._release(order, granted=granted)
            return Landing(comparison.found[order.name].section, shared=True, coalesced=True)
        if not granted and order.errand.priority == "refresh":
            return Landing(shared=True, coalesced=True)  # somebody is at it, and nobody waits
        flight.asked, flight.stamp = True, comparison.stamp
        return await self._from_profile_api(order, comparison, granted=granted)

    async def _claimed(self, order: Order) -> tuple[bool, Comparison]:
        return await self._tiers.claim(order.key, order.name, order.spec, order.found)

    async def _from_profile_api(self, order: Order, comparison: Comparison, *, granted: bool) -> Landing:
        """Read one section and keep it; a failure is a value, for perhaps nobody waits any more to catch it."""
        try:
            section = await self._section(order)
        except ProfileApiError as error:
            self._release(order, granted=granted)
            return Landing(error=let_go(error))
        self._tiers.keep(order.key, order.name, section, comparison)
        self._sharing.add((order.key, order.name))
        self.hold(self._share(order, section, comparison))
        return Landing(section)

    async def _section(self, order: Order) -> AnySection:
        fetched_at = self._clock()  # from before the read: what changes meanwhile must not look newer than it is
        content: Any = None
        try:
            content = await self._reader.read(order.collection, order.external_id, order.spec, order.errand)
        except ProfileNotFound as error:
            let_go(error)
        return Section(content, order.spec.asked, fetched_at)

    async def _share(self, order: Order, section: AnySection, comparison: Comparison) -> None:
        """Let the other replicas know a section, once the pages that wait for it have had their turns to answer.

        Then nobody here needs the right to read it any more: not the read, and not who has claimed it meanwhile.
        """
        try:
            for _ in range(PAGES_FIRST):
                await asyncio.sleep(0)
            await self._tiers.share(order.key, order.name, section, comparison)
        finally:
            self._sharing.discard((order.key, order.name))
        await self._tiers.release(order.key, order.name)

    def _release(self, order: Order, *, granted: bool) -> None:
        if granted:
            self.hold(self._tiers.release(order.key, order.name))

    def _written(self, task: asyncio.Task[None]) -> None:
        self._held.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logs.cache_write_broke(error)


def _looked_up(order: Order) -> tuple[bool, Comparison]:
    """Return what the look-up has said already: that nobody else reads, and what there is."""
    return True, Comparison({order.name: order.found}, order.found.stamp, order.found.checked)


def _fresh(comparison: Comparison, order: Order) -> bool:
    return comparison.found[order.name].judgement.standing == "fresh"
