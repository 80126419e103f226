"""Snapshots from what is cached, else from the Profile API: the one place with the policy.

Fresh is served. Stale is served too, and read again behind the visitor's back. Expired is read first, within the
deadline; when that fails, what was last known is served, and where nothing was, the recipe's defaults are.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TypeAlias

from cachetools import TTLCache
from msgspec import Struct
from msgspec.structs import replace

from personalize.cache.aliases import Aliases
from personalize.cache.amendment import Amendment, Outcome
from personalize.cache.entry import SECTIONS, Ages
from personalize.cache.flights import NOTHING, Flight, Landing
from personalize.cache.memory import MemoryStore
from personalize.cache.persons import Persons
from personalize.cache.reads import Order, ProfileReader, Reads
from personalize.cache.revisions import Revisions
from personalize.cache.store import Alone, SharedStore
from personalize.cache.tiers import Found, Tiers
from personalize.errors import Shed
from personalize.model import AnySection, Collection, ExternalId, Reading, SectionName, Snapshot
from personalize.needs import SectionSpec
from personalize.ports import Ask, Basis, Errand
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics
from personalize.telemetry.pseudonym import Pseudonyms

REFRESH_SECONDS = 2.5
"""What a read behind the visitor's back may take."""

REFRESH_PAUSE = 1.0
"""Seconds after a read of a section in vain before it is read again behind the visitor's back."""

SETBACK_SECONDS = 60.0
MAX_SETBACKS = 50_000
"""For how long, and of how many sections, it is remembered that the last attempt was in vain."""

REFUSED = Landing(error=Shed("client"))
"""What comes of a read that the client of a request may not let be made."""

_URGENCY = {"server": 0, "page": 1, "refresh": 2}

Place: TypeAlias = tuple[str, SectionName]
"""A section of a profile."""


class Setback(Struct, frozen=True):
    """When the last attempt to read a section was in vain, and whether it failed, or only let others go first.

    `at` is a monotonic time, `since` the same in seconds since the epoch.
    """

    at: float
    since: float
    failed: bool

    def concerns(self, found: Found) -> bool:
        """Whether it failed and is news of what was found: another replica may have read that since."""
        fetched_at = found.section.fetched_at if found.section else 0.0
        return self.failed and found.judgement.standing != "fresh" and fetched_at <= self.since


class Served(Struct, frozen=True):
    """What a page gets of one section, how it came to be known, and whether the last attempt to read it failed."""

    section: AnySection | None
    reading: Reading
    failed: bool


class CachedSource:
    """A `ProfileSource` over the Profile API and the tiers before it.

    Args:
        reader: the Profile API.
        memory: the in-process tier.
        shared: the tier that replicas share; a process that shares nothing leaves it out.
        pseudonyms: turn ids into the tiers' keys.
        ages: until when what is cached is good for what.
        metrics: counts which tier answered, and what visitors got.
        forgotten: lets go of what else this process holds of people, whenever some are forgotten.
        clock: the time in seconds since the epoch.
        monotonic: a time in seconds for what is measured here.
    """

    def __init__(  # noqa: PLR0913 -- what the composition root gives it
        self,
        reader: ProfileReader,
        memory: MemoryStore,
        shared: SharedStore | None = None,
        *,
        pseudonyms: Pseudonyms,
        ages: Ages,
        metrics: Metrics,
        forgotten: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        shared = shared or Alone()
        self._tiers = Tiers(memory, shared, ages=ages, metrics=metrics, clock=clock, monotonic=monotonic)
        self._reads = Reads(reader, self._tiers, clock=clock)
        self._persons = Persons(shared, Aliases(renew=ages.stale / 2), self._reads.hold)
        self._revisions = Revisions(
            memory,
            shared,
            self._persons,
            leave=self._leave,
            forgotten=forgotten,
            ages=ages,
            metrics=metrics,
            clock=clock,
        )
        self._pseudonyms = pseudonyms
        self._sections = cache(metrics.sections.labels)  # what it counts in is looked up for each section that is read
        self._clock = clock
        self._monotonic = monotonic
        self._setbacks: TTLCache[Place, Setback] = TTLCache(MAX_SETBACKS, SETBACK_SECONDS, monotonic)

    async def fetch(self, ask: Ask) -> Snapshot:
        """Return what is known by the deadline, how it came to be known, and which sections could not be read."""
        started = self._monotonic()
        key = self._key(ask.collection, ask.external_id)
        found = await self._tiers.look_up(
            key, ask.sections, claiming=lambda: ask.allowance.left and not self._reads.refused
        )
        looked_up = self._monotonic() - started
        if stale := {name: one for name, one in found.items() if one.judgement.standing == "stale"}:
            self._refresh(key, ask, stale)
        unread = {name: one for name, one in found.items() if _must_be_read(one)}
        landed = await self._read(key, ask, unread) if unread else {}
        self._spare(key, ask, found, landed)
        waited = self._monotonic() - started
        served = {
            name: self._served(key, name, ask.sections[name], one, landed.get(name), waited if landed else looked_up)
            for name, one in found.items()
        }
        snapshot = _snapshot(served)
        if ask.aliases and snapshot.found:  # they are one person's, if there is one at all
            self._persons.learn(key, [self._key(ask.collection, one) for one in ask.aliases], proven=ask.proven)
        return snapshot

    def peek(self, ask: Ask) -> Basis | None:
        """Return what is in memory of a profile, if all that is asked for is, and nobody need be asked about it."""
        return self._tiers.peek(self._key(ask.collection, ask.external_id), ask.sections)

    async def forget(self, collection: Collection, external_ids: Iterable[ExternalId]) -> bool:
        """Forget a person in every tier and every replica, under these ids and those learnt to be the same person's.

        Returns whether all of it is forgotten; what the shared tier did not take may come back from there.
        """
        return await self._revisions.forget([self._key(collection, one) for one in external_ids])

    async def amend(
        self, collection: Collection, external_ids: Iterable[ExternalId], amendment: Amendment
    ) -> Outcome | None:
        """Amend what is known of a person, in every tier and every replica.

        Returns what happened; `None` when the shared tier did not take all of it.
        """
        return await self._revisions.amend([self._key(collection, one) for one in external_ids], amendment)

    async def listen(self) -> None:
        """Drop what other replicas tell to be forgotten or amended, until cancelled."""
        await self._revisions.listen()

    async def aclose(self) -> None:
        """End all that is under way."""
        await self._reads.aclose()

    def _key(self, collection: Collection, external_id: ExternalId) -> str:
        return self._pseudonyms(collection, str(external_id))

    def _learn_ids(self, order: Order, section: AnySection) -> None:
        """Remember which ids Segment says to be one person's."""
        told = section.content if isinstance(section.content, tuple) else ()
        ids = [one for one in told if isinstance(one, ExternalId)]
        self._persons.learn(order.key, [self._key(order.collection, one) for one in ids], proven=True)

    def _leave(self, key: str) -> None:
        """Let go of what is on its way to a profile, and of how earlier attempts went."""
        self._reads.leave(key)
        for name in SECTIONS:
            self._setbacks.pop((key, name), None)

    def _refresh(self, key: str, ask: Ask, found: Mapping[SectionName, Found]) -> None:
        """Read sections again behind the visitor's back, unless that is being done or has just failed."""
        errand = Errand("refresh", asyncio.get_running_loop().time() + REFRESH_SECONDS)
        for name, one in found.items():
            order = _order(key, ask, name, errand, one)
            setback = self._setbacks.get((key, name))
            rested = setback is None or self._monotonic() - setback.at >= REFRESH_PAUSE
            if rested and self._reads.under_way(order) is None and ask.allowance.spend():
                self._begin(order)

    async def _read(self, key: str, ask: Ask, found: Mapping[SectionName, Found]) -> dict[SectionName, Landing]:
        """Return what reads of the Profile API bring by the deadline; nothing of what takes longer."""
        errand = Errand(ask.priority, ask.deadline)
        landed: dict[SectionName, Landing] = {}
        wanted, again = list(found), True
        while wanted:
            orders = {name: _order(key, ask, name, errand, found[name]) for name in wanted}
            joined = {name for name in wanted if self._reads.under_way(orders[name]) is not None}
            if len(joined) < len(wanted) and not ask.allowance.spend():
                landed.update(dict.fromkeys(orders.keys() - joined, REFUSED))
                wanted = [name for name in wanted if name in joined]  # what others are reading costs nothing
                continue
            flights = {name: self._joined(orders[name]) for name in wanted}
            remaining = ask.deadline - asyncio.get_running_loop().time()
            await asyncio.wait([flight.task for flight in flights.values()], timeout=max(0.0, remaining))
            for name, flight in flights.items():
                landing = flight.landing
                landed[name] = replace(landing, coalesced=True) if name in joined else landing
            wanted = [
                name
                for name, flight in flights.items()
                if _gave_way(flight, errand) or (again and name in joined and flight.landing.error is not None)
            ]
            again = False  # somebody else's failure is not one's own: it is tried once more, for all who share it
        return landed

    def _spare(
        self, key: str, ask: Ask, found: Mapping[SectionName, Found], landed: Mapping[SectionName, Landing]
    ) -> None:
        """Let other replicas read what was claimed here and then not read."""
        for name, one in found.items():
            if one.claimed and landed.get(name, REFUSED) is REFUSED:
                self._reads.spare(key, name, ask.sections[name])

    def _joined(self, order: Order) -> Flight:
        """Return the read that will bring a section: one that is under way, else a new one."""
        flight = self._reads.under_way(order)
        if flight is None:
            return self._begin(order)
        self._sections(order.name, "coalesced").inc()
        return flight

    def _begin(self, order: Order) -> Flight:
        flight = self._reads.begin(order)
        flight.task.add_done_callback(lambda _: self._landed(order, flight.landing))
        return flight

    def _landed(self, order: Order, landing: Landing) -> None:
        """Remember how the last attempt went."""
        if landing.section is not None:
            if order.name == "external_ids":
                self._learn_ids(order, landing.section)
            self._setbacks.pop((order.key, order.name), None)
            if landing.shared:
                self._sections(order.name, "coalesced").inc()
            elif order.errand.priority == "refresh":
                self._sections(order.name, "refreshed").inc()
        if landing.error is not None:
            self._setbacks[order.key, order.name] = Setback(
                self._monotonic(), self._clock(), failed=not _let_pass(order, landing)
            )
            if isinstance(landing.error, Shed):
                self._sections(order.name, "shed").inc()
            else:
                logs.profile_read_failed(order.name, landing.error)

    def _served(
        self, key: str, name: SectionName, spec: SectionSpec, found: Found, landing: Landing | None, seconds: float
    ) -> Served:
        """Return what a page gets of one section: what a read brought, else what the tiers have, else nothing."""
        brought = landing or NOTHING
        section = brought.section or found.section
        judgement = self._tiers.judge(section, spec)
        if judgement.standing == "gone":  # there was nothing, or it is too old by now
            section = None
        setback = self._setbacks.get((key, name))
        tried_in_vain = brought.section is None if landing else setback is not None and setback.concerns(found)
        failed = section is None or tried_in_vain
        self._sections(name, _outcome(section, judgement.fresh_for, failed=failed)).inc()
        tier = "profile_api" if brought.section is not None and not brought.shared else found.tier
        standing = found.judgement.standing
        reading = Reading(tier, standing, judgement.fresh_for, judgement.age, brought.coalesced, seconds)
        return Served(section, reading, failed)


def _snapshot(served: Mapping[SectionName, Served]) -> Snapshot:
    """Return the snapshot of what a page gets; it is as fresh as its oldest part, and not at all if a part failed."""
    failed = frozenset(name for name, one in served.items() if one.failed)
    return Snapshot(
        {name: one.section for name, one in served.items() if one.section is not None},
        failed,
        0.0 if failed else max(0.0, min((one.reading.ttl for one in served.values()), default=0.0)),
        {name: one.reading for name, one in served.items()},
    )


def _order(key: str, ask: Ask, name: SectionName, errand: Errand, found: Found) -> Order:
    return Order(key, ask.collection, ask.external_id, name, ask.sections[name], errand, found)


def _must_be_read(found: Found) -> bool:
    return found.judgement.standing in {"expired", "gone"}


def _let_pass(order: Order, landing: Landing) -> bool:
    """Whether a read was not sent only because pages come before refreshes: nothing is wrong then."""
    refused = isinstance(landing.error, Shed) and landing.error.reason in {"budget", "concurrency"}
    return refused and order.errand.priority == "refresh"


def _gave_way(flight: Flight, errand: Errand) -> bool:
    """Whether a flight brought nothing only because it was less urgent than an errand is."""
    if not flight.task.done() or flight.task.cancelled():
        return False
    landing = flight.landing
    refused = landing.error is None or isinstance(landing.error, Shed)
    less_urgent = _URGENCY[flight.errand.priority] > _URGENCY[errand.priority]
    return less_urgent and landing.section is None and refused


def _outcome(section: AnySection | None, ttl: float, *, failed: bool) -> str:
    """Return what a visitor got of a section, as a metric's word."""
    if section is None:
        return "default"
    if section.content is None and not failed:
        return "negative"
    return "fresh" if ttl > 0 and not failed else "stale"
