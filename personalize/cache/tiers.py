"""The tiers before the Profile API, as one: memory first, then what replicas share."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache

from msgspec import Struct

from personalize.cache import entry
from personalize.cache.basis import remembered
from personalize.cache.entry import GONE, Ages, Judgement
from personalize.cache.memory import Kept, MemoryStore
from personalize.cache.store import Known, SharedStore, Stamp
from personalize.model import AnySection, SectionName, Tier
from personalize.needs import SectionSpec
from personalize.ports import Basis
from personalize.telemetry.metrics import Metrics

_RANK = {"fresh": 3, "stale": 2, "expired": 1, "gone": 0}


class Found(Struct, frozen=True):
    """What the tiers have of one section, where it was, and how it stands.

    `stamp` is the profile's in the shared tier, if that was asked and answered, at `checked` of the monotonic clock;
    `claimed` says that it is not there, and that we have the right to read it.
    """

    section: AnySection | None
    tier: Tier
    judgement: Judgement
    stamp: Stamp | None = None
    checked: float = 0.0
    claimed: bool = False


class Comparison(Struct, frozen=True):
    """What is known of a profile after the shared tier was asked, at `checked` of the monotonic clock.

    `stamp` is the profile's there, and `None` when the shared tier did not answer.
    """

    found: Mapping[SectionName, Found]
    stamp: Stamp | None
    checked: float


class Tiers:
    """Looks sections up, and keeps them, in both tiers.

    What memory has is served without asking anybody as long as nothing can have been forgotten unheard; else it is
    compared with the shared tier first, by the profile's stamp.

    Args:
        memory: the in-process tier.
        shared: the tier that replicas share.
        ages: until when what is cached is good for what.
        metrics: counts which tier answered.
        clock: the time in seconds since the epoch.
        monotonic: the time in seconds that `checked` is of.
    """

    def __init__(
        self,
        memory: MemoryStore,
        shared: SharedStore,
        *,
        ages: Ages,
        metrics: Metrics,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._memory = memory
        self._shared = shared
        self._ages = ages
        self._reads = cache(metrics.cache_reads.labels)
        self._clock = clock
        self._monotonic = monotonic

    def judge(self, section: AnySection | None, spec: SectionSpec) -> Judgement:
        """Return how a section stands now."""
        return GONE if section is None else entry.judge(section, spec, self._clock(), self._ages)

    def peek(self, key: str, names: Iterable[SectionName]) -> Basis | None:
        """Return these sections as they are in memory, if all of them are, and may be trusted."""
        return remembered(self._memory, self._shared, key, tuple(names))

    async def look_up(
        self, key: str, specs: Mapping[SectionName, SectionSpec], *, claiming: Callable[[], bool]
    ) -> dict[SectionName, Found]:
        """Return what is known of a profile's sections, in one round trip to the shared tier at most.

        If it is worth `claiming`, the right to read what is not there is asked for, too: who does not read releases it.
        """
        found = {name: one for name, spec in specs.items() if (one := self._remembered(key, name, spec)) is not None}
        unsure = {name: spec for name, spec in specs.items() if name not in found}
        if unsure:
            checked = self._monotonic()
            known = await self._shared.read(key, unsure, claiming=claiming())
            found |= self._looked_up(key, unsure, known, checked)
        for name, one in found.items():
            self._reads(name, one.tier).inc()
        return found

    async def claim(self, key: str, name: SectionName, spec: SectionSpec, looked: Found) -> tuple[bool, Comparison]:
        """Ask for the right to read a section, and compare once more: another replica may just have read it.

        Where the shared tier does not answer this, what it said when it was `looked` up is still good to keep by.
        """
        checked = self._monotonic()
        claim = await self._shared.claim(key, name)
        comparison = self._compared(key, {name: spec}, claim.known, checked)
        if claim.known is None and looked.stamp is not None:
            comparison = Comparison(comparison.found, looked.stamp, looked.checked)
        return claim.granted, comparison

    async def release(self, key: str, name: SectionName) -> None:
        """Let others read a section."""
        await self._shared.release(key, name)

    def keep(self, key: str, name: SectionName, section: AnySection, comparison: Comparison) -> None:
        """Let memory know a section that was read after a comparison."""
        self._memory.write(key, name, Kept(section, comparison.stamp, comparison.checked))

    async def share(self, key: str, name: SectionName, section: AnySection, comparison: Comparison) -> None:
        """Let the other replicas know it, unless the profile was forgotten since, or nobody knows whether it was.

        The shared tier compares stamps, but may have evicted the one that was left: what was heard here counts, too.
        """
        if comparison.stamp is not None and not self._memory.outdated(key, comparison.checked):
            await self._shared.write(key, name, section, comparison.stamp)

    def _remembered(self, key: str, name: SectionName, spec: SectionSpec) -> Found | None:
        """Return what memory has of a section if that can be served as it is, else `None`."""
        kept = self._memory.read(key, name)
        if kept is None or not self._shared.trusts(kept.checked):
            return None
        judgement = self.judge(kept.section, spec)
        return Found(kept.section, "memory", judgement) if judgement.standing in {"fresh", "stale"} else None

    def _looked_up(
        self, key: str, specs: Mapping[SectionName, SectionSpec], known: Known | None, checked: float
    ) -> dict[SectionName, Found]:
        """Return the better of what memory and the shared tier know, with what that one said."""
        compared = self._compared(key, specs, known, checked)
        claimed = known.claimed if known is not None else ()
        return {
            name: Found(one.section, one.tier, one.judgement, compared.stamp, checked, name in claimed)
            for name, one in compared.found.items()
        }

    def _compared(
        self, key: str, specs: Mapping[SectionName, SectionSpec], known: Known | None, checked: float
    ) -> Comparison:
        found = {name: self._better(key, name, spec, known, checked) for name, spec in specs.items()}
        return Comparison(found, None if known is None else known.stamp, checked)

    def _better(self, key: str, name: SectionName, spec: SectionSpec, known: Known | None, checked: float) -> Found:
        mine = self._memory.read(key, name)
        if known is None or (mine is not None and mine.checked >= checked):  # nobody to ask; or it landed meanwhile
            return self._found(mine.section if mine else None, "memory", spec)
        if mine is not None and mine.stamp != known.stamp and (mine.stamp is not None or known.stamp):
            self._memory.discard(key, name)  # it was forgotten since, or nobody knows whether it was
            mine = None
        ours = self._found(mine.section if mine else None, "memory", spec)
        theirs = self._found(known.sections.get(name), "redis", spec)
        better = max(ours, theirs, key=_worth)
        if better.section is not None:
            self._memory.write(key, name, Kept(better.section, known.stamp, checked))
        return better

    def _found(self, section: AnySection | None, tier: Tier, spec: SectionSpec) -> Found:
        judgement = self.judge(section, spec)
        return Found(None, "none", GONE) if judgement.standing == "gone" else Found(section, tier, judgement)


def _worth(found: Found) -> tuple[int, float]:
    return _RANK[found.judgement.standing], found.section.fetched_at if found.section else 0.0
