"""The in-process tier: the profiles read last, bounded in bytes."""

from cachetools import LRUCache

from personalize.cache import entry
from personalize.model import AnySection, SectionName

MAX_BYTES = 64 * 1024 * 1024
"""What the values may take together, by their encoded size; the Python objects take a small multiple of it."""


class MemoryStore:
    """Keeps sections as values, so that a warm answer decodes nothing.

    Args:
        max_bytes: the encoded size of all values together; the least recently used go first.
    """

    tier = "memory"

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._sections: LRUCache[tuple[str, SectionName], AnySection] = LRUCache(max_bytes, getsizeof=_size)

    async def read(self, key: str, names: list[SectionName]) -> dict[SectionName, AnySection]:
        """Return those of a profile's named sections that are there."""
        found = {name: self._sections.get((key, name)) for name in names}
        return {name: section for name, section in found.items() if section is not None}

    async def write(self, key: str, name: SectionName, section: AnySection) -> None:
        """Keep one section, unless it alone is larger than the tier."""
        try:
            self._sections[key, name] = section
        except ValueError:
            self._sections.pop((key, name), None)

    async def drop(self, key: str) -> None:
        """Forget a profile."""
        for name in entry.SECTIONS:
            self._sections.pop((key, name), None)


def _size(section: AnySection) -> int:
    return len(entry.encode(section))
