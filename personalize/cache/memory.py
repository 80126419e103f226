"""The in-process tier: the profiles read last, bounded in bytes."""

import time
from collections.abc import Callable, Mapping

from cachetools import LRUCache
from msgspec import Struct
from msgspec.structs import replace

from personalize.cache import entry
from personalize.cache.amendment import Amend, Outcome, Record
from personalize.cache.store import Stamp
from personalize.model import AnySection, SectionName
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics

MAX_BYTES = 64 * 1024 * 1024
"""What the tier may take."""

ENTRY_BYTES = 510
"""What an entry takes beside its value, as measured: its key, its mark, its place in tables and in the order of use."""

MAX_DROPS = 65_536
"""Profiles whose being dropped is remembered one by one."""

MAX_SPARED = 8
"""How many entries that others rested on are spared in turn before one has to go all the same."""

MAX_SAID_OF = 10_000
"""Profiles of which it is remembered until when changes are accounted for."""


class Kept(Struct, frozen=True):
    """A section of a profile as this process knows it.

    `stamp` is the profile's in the shared tier as it was at `checked`, a time of the monotonic clock in seconds.
    """

    section: AnySection
    stamp: Stamp | None
    checked: float


class Mark(Struct, eq=False, gc=False):
    """What others may hold of an entry for as long as they like: its value goes when the tier lets go of it.

    `current` says whether the tier still has just that; whoever rests on it says so by `used`.
    """

    checked: float
    current: bool = True
    used: bool = False


class Entry(Struct, frozen=True, eq=False, gc=False):
    """A section as it is kept, encoded; `until` is a time of the monotonic clock in seconds."""

    value: bytes
    stamp: Stamp | None
    checked: float
    until: float
    mark: Mark


class MemoryStore:
    """Keeps sections encoded: as Python objects small ones would take eight times the memory, and could be changed.

    What was known before a profile was dropped cannot come back: a write says since when its value has been compared
    with the shared tier, and one from before the drop is refused.

    Args:
        keep: seconds after which an entry is gone, whatever the clock on the wall says.
        metrics: shows how full the tier is, and what it had to let go.
        max_bytes: what all entries may take together; the least recently used go first.
        clock: a monotonic time in seconds.
    """

    def __init__(
        self,
        *,
        keep: float,
        metrics: Metrics,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keep = keep
        self._clock = clock
        self._entries = _Lru(max_bytes, metrics)
        self._dropped: dict[str, float] = {}
        self._dropped_before = float("-inf")
        self._said: LRUCache[str, Mapping[str, float]] = LRUCache(MAX_SAID_OF)
        metrics.watch(metrics.memory_bytes, lambda: self._entries.currsize)

    def read(self, key: str, name: SectionName) -> Kept | None:
        """Return a section of a profile, if it is here; one that cannot be read is let go, as if it never was."""
        kept = self._entry(key, name)
        if kept is None:
            return None
        try:
            return Kept(entry.decode(name, kept.value), kept.stamp, kept.checked)
        except entry.UnreadableEntry:
            logs.cached_value_unreadable(name)
            self.discard(key, name)
            return None

    def peek(self, key: str, name: SectionName) -> Mark | None:
        """Return the mark of a section that is here: it is current until something else is written, or nothing left."""
        kept = self._entry(key, name)
        return None if kept is None else kept.mark

    def write(self, key: str, name: SectionName, kept: Kept) -> None:
        """Keep one section, unless the profile was dropped after it was compared, or it is larger than the tier."""
        if not self.outdated(key, kept.checked):
            until = self._clock() + self._keep
            self._put(key, name, Entry(entry.encode(kept.section), kept.stamp, kept.checked, until, Mark(kept.checked)))

    def outdated(self, key: str, checked: float) -> bool:
        """Whether a profile was dropped after it was compared at a time, as far as this process has heard."""
        return checked <= self._dropped.get(key, self._dropped_before)

    def discard(self, key: str, name: SectionName) -> None:
        """Let go of one section."""
        self._entries.pop((key, name), None)

    def drop(self, key: str) -> None:
        """Forget a profile, and refuse what was known of it until now."""
        for name in entry.SECTIONS:
            self.discard(key, name)
        self._said.pop(key, None)
        self._dropped.pop(key, None)
        self._dropped[key] = self._clock()
        if len(self._dropped) > MAX_DROPS:
            oldest = next(iter(self._dropped))
            self._dropped_before = self._dropped.pop(oldest)

    def amend(self, key: str, amend: Amend) -> Outcome:
        """Keep what an amendment makes of a profile, and refuse what was known of it until now.

        This is for a process that shares nothing: others compare with the shared tier, where it is amended.
        """
        entries = {name: one for name in entry.SECTIONS if (one := self._entries.get((key, name))) is not None}
        sections = {name: kept.section for name in entries if (kept := self.read(key, name)) is not None}
        amended = amend(Record(sections, self._said.get(key, {})))
        if amended.outcome != "repeated":
            self.drop(key)
            for name, section in amended.record.sections.items():
                self._put(key, name, _amended(entries[name], section))
            if amended.record.sections:
                self._said[key] = amended.record.said
        return amended.outcome

    def _entry(self, key: str, name: SectionName) -> Entry | None:
        kept = self._entries.get((key, name))
        return None if kept is None or kept.until <= self._clock() else kept

    def _put(self, key: str, name: SectionName, one: Entry) -> None:
        if _size(one) <= self._entries.maxsize:
            self._entries[key, name] = one
        else:
            self.discard(key, name)


class _Lru(LRUCache[tuple[str, SectionName], Entry]):
    """Entries by how recently they were used; counts those that had to go, and marks whatever is not here any more."""

    def __init__(self, max_bytes: int, metrics: Metrics) -> None:
        super().__init__(max_bytes, getsizeof=_size)
        self._metrics = metrics

    def __setitem__(self, place: tuple[str, SectionName], one: Entry) -> None:
        before = self.get(place)
        super().__setitem__(place, one)
        if before is not None:
            before.mark.current = False
        one.mark.current = True

    def __delitem__(self, place: tuple[str, SectionName]) -> None:
        self[place].mark.current = False
        super().__delitem__(place)

    def popitem(self) -> tuple[tuple[str, SectionName], Entry]:
        """Let the least recently used entry go; what only its mark was asked of was not looked at, and is spared."""
        place, one = super().popitem()
        for _ in range(MAX_SPARED):
            if not one.mark.used:
                break
            one.mark.used = False
            self[place] = one
            place, one = super().popitem()
        self._metrics.memory_evictions.inc()
        return place, one


def _size(one: Entry) -> int:
    return ENTRY_BYTES + len(one.value)


def _amended(one: Entry, section: AnySection) -> Entry:
    return replace(one, value=entry.encode(section), mark=Mark(one.checked))
