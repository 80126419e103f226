"""A cached source with its parts at hand, over a shared tier that several of them may share."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry

from personalize.cache.aliases import room_of
from personalize.cache.amendment import Amend, Outcome, Record
from personalize.cache.entry import Ages
from personalize.cache.memory import MemoryStore
from personalize.cache.source import CachedSource
from personalize.cache.store import Claim, Known, Stamp
from personalize.errors import Shed
from personalize.fleet import patience
from personalize.model import AnySection, Collection, Event, ExternalId, SectionName, Snapshot
from personalize.needs import Events, EventsSpec, SectionSpec, TraitsSpec, WholeSpec
from personalize.ports import UNLIMITED, Allowance, Ask, Errand, Priority
from personalize.telemetry.metrics import Metrics
from personalize.telemetry.pseudonym import Pseudonyms

NOW = 1_000_000.0
ADA = ExternalId("user_id", "ada@example.test")
BOB = ExternalId("user_id", "bob@example.test")
PLAN = TraitsSpec(("plan",), ttl=300)
VIEWED = EventsSpec((Events("Viewed"),), ttl=60)
TRAITS: dict[SectionName, SectionSpec] = {"traits": PLAN}
IDS: dict[SectionName, SectionSpec] = {"external_ids": WholeSpec("external_ids", ttl=300)}
BOTH: dict[SectionName, SectionSpec] = {"traits": PLAN, "events": VIEWED}
AGES = Ages(revalidate=600, stale=86_400, negative=30, jitter=0)
PSEUDONYMS = Pseudonyms(b"key")

Content = dict[str, Any] | tuple[Event, ...] | tuple[ExternalId, ...]


def key_of(external_id: ExternalId, collection: Collection = "users") -> str:
    return PSEUDONYMS(collection, str(external_id))


class Clock:
    """The time, which a test steps."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Reader:
    """A Profile API that tells each visitor's id as the trait, once its gate is open; it records what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.errands: list[Errand] = []
        self.failures: dict[str, Exception] = {}
        self.refusal: Shed | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.reached = asyncio.Event()
        self.cancelled = 0
        self.during: Callable[[], None] = lambda: None
        self.tells: Callable[[ExternalId], object] = lambda external_id: external_id.value
        self.external_ids: tuple[ExternalId, ...] = ()

    def refuses(self, errand: Errand) -> Shed | None:
        return self.refusal

    async def read(self, collection: Collection, external_id: ExternalId, spec: SectionSpec, errand: Errand) -> Content:
        names = () if isinstance(spec, WholeSpec) else spec.names
        self.asked.append(f"{collection} {external_id.value} {','.join(names)}")
        self.errands.append(errand)
        self.reached.set()
        told = self.tells(external_id)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.during()
        for name in names:
            if name in self.failures:
                raise self.failures[name]
        if isinstance(spec, WholeSpec):
            return self.external_ids
        return dict.fromkeys(names, told) if isinstance(spec, TraitsSpec) else ()


class Purse:
    """An allowance of so many reads, which counts how often it was asked."""

    def __init__(self, reads: int = 0) -> None:
        self.reads = reads
        self.asked = 0

    @property
    def left(self) -> bool:
        return self.reads > 0

    def spend(self) -> bool:
        self.asked += 1
        self.reads -= 1
        return self.reads >= 0


class Shared:
    """What the shared tier promises, in a dictionary: it records its calls, may be away, slow, or deaf."""

    def __init__(self) -> None:
        self.stamps: dict[str, Stamp] = {}
        self.sections: dict[tuple[str, SectionName], AnySection] = {}
        self.related_to: dict[str, set[str]] = {}
        self.said: dict[str, Mapping[str, float]] = {}
        self.claims: set[tuple[str, str]] = set()
        self.listeners: list[Callable[[str], None]] = []
        self.reads: list[str] = []
        self.claiming = False
        """Whether the last one of them asked for the right to read what is not there."""
        self.writes: list[str] = []
        self.keys: set[str] = set()
        self.away = False
        self.mute = False
        self.refused: set[str] = set()
        self.unheard = False
        """Whether claims come too late."""
        self.live_since: float | None = float("-inf")
        self.delay = 0.0
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, key: str, names: Iterable[SectionName], *, claiming: bool = False) -> Known | None:
        wanted = list(names)
        self.keys.add(key)
        self.reads.append(",".join(wanted))
        self.claiming = claiming
        if self.delay:
            await asyncio.sleep(self.delay)
            patience.spend(self.delay)
        if self.away:
            return None
        found = {name: self.sections[key, name] for name in wanted if (key, name) in self.sections}
        free = [name for name in wanted if claiming and name not in found and (key, name) not in self.claims]
        self.claims |= {(key, name) for name in free}
        return Known(self.stamps.get(key, b""), found, free)

    async def write(self, key: str, name: SectionName, section: AnySection, stamp: Stamp) -> None:
        await self.gate.wait()
        if not self.away and self.stamps.get(key, b"") == stamp:
            self.writes.append(name)
            self.sections[key, name] = section

    async def claim(self, key: str, name: SectionName) -> Claim:
        held = not self.away and (key, name) in self.claims
        self.claims.add((key, name))
        known = await self.read(key, [name])
        return Claim(not held or self.unheard, None if self.unheard else known)

    async def release(self, key: str, name: SectionName) -> None:
        self.claims.discard((key, name))

    async def relate(self, key: str, others: Iterable[str], *, proven: bool) -> None:
        for other in others:
            if len(self.related_to.setdefault(key, set())) < room_of(proven=proven):
                self.related_to[key].add(other)

    async def related(self, key: str) -> frozenset[str] | None:
        return None if self.away else frozenset(self.related_to.get(key, set()))

    async def part(self, key: str) -> bool:
        if not self.away:
            self.related_to.pop(key, None)
        return not self.away

    async def forget(self, key: str) -> bool:
        if self.away or key in self.refused:
            return False
        self._keep(key, {})
        return True

    async def amend(self, key: str, amend: Amend) -> Outcome | None:
        if self.away:
            return None
        found = {name: section for (whose, name), section in self.sections.items() if whose == key}
        amended = amend(Record(found, self.said.get(key, {})))
        if amended.outcome != "repeated":
            self._keep(key, amended.record.sections)
            self.said[key] = amended.record.said
        return amended.outcome

    def _keep(self, key: str, sections: Mapping[SectionName, AnySection]) -> None:
        """Let a profile be nothing else than these sections, under a new stamp."""
        self.stamps[key] = self.stamps.get(key, b"") + b"x"
        self.said.pop(key, None)
        others = {place: section for place, section in self.sections.items() if place[0] != key}
        self.sections = others | {(key, name): section for name, section in sections.items()}

    def evict(self, key: str) -> None:
        """Lose all that is known of a profile, its stamp too, as for want of room."""
        self.stamps.pop(key, None)
        self.said.pop(key, None)
        self.sections = {place: section for place, section in self.sections.items() if place[0] != key}

    async def tell(self, keys: Iterable[str]) -> bool:
        if self.away or self.mute:
            return False
        for key in keys:
            for heard in self.listeners:
                heard(key)
        return True

    async def listen(self, heard: Callable[[str], None]) -> None:
        self.listeners.append(heard)

    def trusts(self, checked: float) -> bool:
        return self.live_since is not None and checked >= self.live_since


class House:
    """A source with its parts at hand."""

    def __init__(
        self,
        shared: Shared | None = None,
        clock: Clock | None = None,
        reader: Reader | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock = clock or Clock()
        self.reader = reader or Reader()
        self.shared = shared or Shared()
        self.metrics = Metrics(CollectorRegistry())
        self.memory = MemoryStore(keep=AGES.stale, metrics=self.metrics, clock=monotonic)
        self.forgettings = 0
        self.source = CachedSource(
            self.reader,
            self.memory,
            self.shared,
            pseudonyms=PSEUDONYMS,
            ages=AGES,
            metrics=self.metrics,
            forgotten=self._forgotten,
            clock=self.clock,
            monotonic=monotonic,
        )

    async def fetch(
        self,
        external_id: ExternalId = ADA,
        sections: Mapping[SectionName, SectionSpec] = TRAITS,
        *,
        within: float = 5.0,
        collection: Collection = "users",
        priority: Priority = "page",
        aliases: tuple[ExternalId, ...] = (),
        allowance: Allowance = UNLIMITED,
    ) -> Snapshot:
        """Fetch, and let what that leaves behind be done."""
        deadline = asyncio.get_running_loop().time() + within
        ask = Ask(collection, external_id, sections, deadline, priority, aliases, allowance)
        with patience.hurried():
            snapshot = await self.source.fetch(ask)
        await settled()
        return snapshot

    def forget_here(self, external_id: ExternalId = ADA) -> None:
        """Let this process alone lose a profile, as for want of room."""
        for name in ("traits", "events"):
            self.memory.discard(key_of(external_id), name)

    def served(self, tier: str, section: str = "traits") -> float:
        return self._value("personalize_cache_reads_total", section=section, tier=tier)

    def counted(self, outcome: str, section: str = "traits") -> float:
        return self._value("personalize_sections_total", section=section, outcome=outcome)

    def _forgotten(self) -> None:
        self.forgettings += 1

    def _value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0


async def settled() -> None:
    """Let what is ready to run be done."""
    for _ in range(10):
        await asyncio.sleep(0)


def content(snapshot: Snapshot, section: SectionName = "traits") -> object:
    return snapshot.sections[section].content
