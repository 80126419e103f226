"""Snapshots from the nearest tier that has them fresh, else from the Profile API: the one place with the policy."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeAlias

from personalize.cache import entry
from personalize.cache.entry import Store
from personalize.errors import ProfileApiError, ProfileNotFound
from personalize.model import AnySection, Collection, Event, ExternalId, Section, SectionName, Snapshot
from personalize.needs import SectionSpec
from personalize.ports import Ask
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics
from personalize.telemetry.pseudonym import Pseudonyms

CLOSE_SECONDS = 0.1
"""What writes are given when the service stops: what was just read is worth keeping for the replica that comes next."""

Flight: TypeAlias = "asyncio.Task[AnySection | ProfileApiError]"
"""A read that is under way."""

FlightKey: TypeAlias = tuple[str, SectionName, tuple[str, ...]]
"""What it reads: of which profile, which section, which names of it."""


class ProfileReader(Protocol):
    """What this source asks of the Profile API's client."""

    async def read(
        self, collection: Collection, external_id: ExternalId, spec: SectionSpec
    ) -> dict[str, Any] | tuple[Event, ...]:
        """Return one section's content, or raise a `ProfileApiError`."""
        ...


class CachedSource:
    """A `ProfileSource` over the Profile API and the tiers before it.

    A read of the Profile API is a held task of its own: whoever asks for the same section meanwhile waits for the same
    read, and an answer that comes after a request's deadline still fills the tiers for the next page.

    Args:
        reader: the Profile API.
        stores: the tiers, nearest first.
        pseudonyms: turn ids into the tiers' keys.
        negative_ttl: seconds for which "no such profile" is believed.
        metrics: counts which tier answered.
        clock: the time in seconds since the epoch.
    """

    def __init__(
        self,
        reader: ProfileReader,
        stores: Sequence[Store],
        *,
        pseudonyms: Pseudonyms,
        negative_ttl: float,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._reader = reader
        self._stores = stores
        self._pseudonyms = pseudonyms
        self._negative_ttl = negative_ttl
        self._metrics = metrics
        self._clock = clock
        self._flights: dict[FlightKey, Flight] = {}
        self._writes: set[asyncio.Task[None]] = set()

    async def fetch(self, ask: Ask) -> Snapshot:
        """Return what is known by the deadline: sections that are fresh, and which could not be read."""
        key = self._pseudonyms(ask.collection, str(ask.external_id))
        sections = await self._cached(key, ask.sections)
        if len(self._stores) > 1 and len(sections) < len(ask.sections):
            # While a far tier was asked, somebody else's read may have landed: nearest again, now without waiting.
            sections |= await self._fresh(self._stores[0], key, ask.sections, known=sections)
        missing = {name: spec for name, spec in ask.sections.items() if name not in sections}
        failed = frozenset[SectionName]()
        if missing:
            read = await self._read(key, ask, missing)
            sections |= read
            failed = frozenset(missing.keys() - read.keys())
        return Snapshot(sections, failed, 0.0 if failed else self._fresh_for(sections, ask.sections))

    async def aclose(self) -> None:
        """Cancel the reads that are under way, give the writes a moment to end, and wait for the end of all."""
        if self._writes:
            await asyncio.wait(self._writes, timeout=CLOSE_SECONDS)
        tasks: list[asyncio.Task[Any]] = [*self._flights.values(), *self._writes]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _cached(self, key: str, specs: Mapping[SectionName, SectionSpec]) -> dict[SectionName, AnySection]:
        """Return the fresh sections of the tiers, copying what a far tier knows into the nearer ones."""
        known: dict[SectionName, AnySection] = {}
        for position, store in enumerate(self._stores):
            if len(known) == len(specs):
                break
            found = await self._fresh(store, key, specs, known=known)
            known |= found
            for name, section in found.items():
                self._metrics.cache_reads.labels(name, store.tier).inc()
                for nearer in self._stores[:position]:
                    await nearer.write(key, name, section)
        for name in specs.keys() - known.keys():
            self._metrics.cache_reads.labels(name, "none").inc()
        return known

    async def _fresh(
        self,
        store: Store,
        key: str,
        specs: Mapping[SectionName, SectionSpec],
        *,
        known: Mapping[SectionName, AnySection],
    ) -> dict[SectionName, AnySection]:
        """Return the sections that one tier has fresh, of those that are not known yet."""
        found = await store.read(key, [name for name in specs if name not in known])
        return {name: section for name, section in found.items() if self._fresh_for({name: section}, specs) > 0}

    async def _read(
        self, key: str, ask: Ask, specs: Mapping[SectionName, SectionSpec]
    ) -> dict[SectionName, AnySection]:
        """Return the sections that the Profile API answers by the deadline."""
        flights = {name: self._flight(key, ask, name, spec) for name, spec in specs.items()}
        remaining = ask.deadline - asyncio.get_running_loop().time()
        await asyncio.wait(flights.values(), timeout=max(0.0, remaining))
        landed = {name: _landed(flight) for name, flight in flights.items()}
        return {name: section for name, section in landed.items() if isinstance(section, Section)}

    def _flight(self, key: str, ask: Ask, name: SectionName, spec: SectionSpec) -> Flight:
        """Return the read that is under way for this section, else start one."""
        flight_key = (key, name, spec.asked)
        flight = self._flights.get(flight_key)
        if flight is None:
            flight = asyncio.create_task(self._fetched(key, ask, name, spec), name=f"read {name}")
            self._flights[flight_key] = flight
            flight.add_done_callback(lambda ended: self._ended(flight_key, ended))
        return flight

    def _ended(self, flight_key: FlightKey, flight: Flight) -> None:
        """Forget a flight; a defect that broke it is told here, for perhaps nobody waits for it any more."""
        del self._flights[flight_key]
        if not flight.cancelled() and (error := flight.exception()) is not None:
            logs.profile_read_broke(flight_key[1], error)

    async def _fetched(self, key: str, ask: Ask, name: SectionName, spec: SectionSpec) -> AnySection | ProfileApiError:
        """Read one section and keep it; a failure is a value, for perhaps nobody waits any more to catch it."""
        try:
            section = await self._section(ask, spec)
        except ProfileApiError as error:
            logs.profile_read_failed(name, error)
            return error
        nearest, *further = self._stores or (None,)
        if nearest is not None:
            await nearest.write(key, name, section)  # before this read is forgotten, so that none begins in between
        for store in further:
            self._hold(store.write(key, name, section))
        return section

    async def _section(self, ask: Ask, spec: SectionSpec) -> AnySection:
        fetched_at = self._clock()  # from before the read: what changes meanwhile must not look newer than it is
        content: Any = None
        with suppress(ProfileNotFound):
            content = await self._reader.read(ask.collection, ask.external_id, spec)
        return Section(content, spec.asked, fetched_at)

    def _hold(self, write: Coroutine[Any, Any, None]) -> None:
        """Let a write go on by itself: nobody's answer waits for a tier to take it."""
        task = asyncio.create_task(write, name="cache write")
        self._writes.add(task)
        task.add_done_callback(self._written)

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writes.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logs.cache_write_broke(error)

    def _fresh_for(self, sections: Mapping[SectionName, AnySection], specs: Mapping[SectionName, SectionSpec]) -> float:
        now = self._clock()
        remaining = (
            entry.fresh_for(section, specs[name], now, self._negative_ttl) for name, section in sections.items()
        )
        return min(remaining, default=0.0)


def _landed(flight: Flight) -> AnySection | ProfileApiError | None:
    """Return what a flight brought; nothing while it is under way, or when it was cancelled or broke."""
    if not flight.done() or flight.cancelled() or flight.exception() is not None:
        return None
    return flight.result()
