"""The in-process tier: the profiles read last, bounded in bytes."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TypeAlias

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

ENTRY_BYTES = 450
"""What an entry takes beside its value, as measured: its key, its mark, its stamp, its place in the order of use."""

MAX_DROPS = 65_536
"""Profiles whose being dropped is remembered one by one."""

MAX_SPARED = 8
"""How many entries that others rested on are spared in turn before one has to go all the same."""

MAX_EXPIRED = 4
"""How many entries that are over go with one write: a crowd's of the day before would hold up whoever comes first."""

MAX_SAID_OF = 10_000
"""Profiles of which it is remembered until when changes are accounted for."""

Place: TypeAlias = tuple[str, SectionName]
"""A profile's key, and which of its sections."""


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
        keep: seconds after which an entry is gone, whatever the clock on the wall says; it is let go, if not at once.
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
        metrics.watch(metrics.memory_bytes, lambda: self._entries.bytes)

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
        self._entries.discard((key, name))

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
        if _size(one) <= self._entries.max_bytes:
            self._entries.put((key, name), one, self._clock())
        else:
            self.discard(key, name)


class _Lru:
    """Entries by how recently they were used; counts those that had to go, and marks whatever is not here any more."""

    def __init__(self, max_bytes: int, metrics: Metrics) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._entries: OrderedDict[Place, Entry] = OrderedDict()
        self._metrics = metrics

    def get(self, place: Place) -> Entry | None:
        """Return an entry, if it is here: from now on it is the one used last."""
        one = self._entries.get(place)
        if one is not None:
            self._entries.move_to_end(place)
        return one

    def put(self, place: Place, one: Entry, now: float) -> None:
        """Have an entry, in place of those whose time is over, and of as many more as there must be room for."""
        self.discard(place)
        self._let_expire(now)
        while self.bytes + _size(one) > self.max_bytes:
            self._make_room()
        self._entries[place] = one
        self.bytes += _size(one)

    def discard(self, place: Place) -> None:
        """Let an entry go, if it is here."""
        one = self._entries.pop(place, None)
        if one is not None:
            one.mark.current = False
            self.bytes -= _size(one)

    def _let_expire(self, now: float) -> None:
        """Let go of those used least recently while they are over; behind one that is not, others wait for its end."""
        for _ in range(min(MAX_EXPIRED, len(self._entries))):
            place, one = self._first()
            if one.until > now:
                return
            self.discard(place)

    def _make_room(self) -> None:
        """Let the least recently used entry go; what only its mark was asked of was not looked at, and is spared."""
        for _ in range(MAX_SPARED):
            place, one = self._first()
            if not one.mark.used:
                break
            one.mark.used = False
            self._entries.move_to_end(place)
        self.discard(self._first()[0])
        self._metrics.memory_evictions.inc()

    def _first(self) -> tuple[Place, Entry]:
        return next(iter(self._entries.items()))


def _size(one: Entry) -> int:
    return ENTRY_BYTES + len(one.value)


def _amended(one: Entry, section: AnySection) -> Entry:
    return replace(one, value=entry.encode(section), mark=Mark(one.checked))
