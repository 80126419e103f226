"""The in-process tier: the profiles read last, bounded in bytes."""

from cachetools import LRUCache

from personalize.cache import entry
from personalize.model import AnySection, SectionName

MAX_BYTES = 64 * 1024 * 1024
"""What the tier may take."""

ENTRY_BYTES = 400
"""What an entry takes beside its value: its key, its place in the tables, its place in the order of use."""


class MemoryStore:
    """Keeps sections encoded: as Python objects small ones would take eight times the memory, and could be changed.

    Args:
        max_bytes: what all entries may take together; the least recently used go first.
    """

    tier = "memory"

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._sections: LRUCache[tuple[str, SectionName], bytes] = LRUCache(max_bytes, getsizeof=_size)

    async def read(self, key: str, names: list[SectionName]) -> dict[SectionName, AnySection]:
        """Return those of a profile's named sections that are there."""
        stored = {name: self._sections.get((key, name)) for name in names}
        return {name: entry.decode(name, value) for name, value in stored.items() if value is not None}

    async def write(self, key: str, name: SectionName, section: AnySection) -> None:
        """Keep one section, unless it alone is larger than the tier."""
        value = entry.encode(section)
        if _size(value) <= self._sections.maxsize:
            self._sections[key, name] = value
        else:
            self._sections.pop((key, name), None)

    async def drop(self, key: str) -> None:
        """Forget a profile."""
        for name in entry.SECTIONS:
            self._sections.pop((key, name), None)


def _size(value: bytes) -> int:
    return ENTRY_BYTES + len(value)
