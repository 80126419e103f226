"""What memory had of a profile when an answer was made of it, and whether it still has just that."""

from dataclasses import dataclass

from personalize.cache.memory import Entry, MemoryStore
from personalize.cache.store import SharedStore
from personalize.model import SectionName


@dataclass(frozen=True, slots=True)
class Remembered:
    """Sections of one profile as they were in memory.

    Args:
        memory: where they are.
        shared: says whether memory may be trusted without asking.
        key: the profile's.
        entries: its sections.
    """

    memory: MemoryStore
    shared: SharedStore
    key: str
    entries: tuple[tuple[SectionName, Entry], ...]

    def holds(self) -> bool:
        """Return whether none of them was written anew, forgotten or let go, or may have been somewhere else."""
        for name, entry in self.entries:
            if self.memory.peek(self.key, name) is not entry or not self.shared.trusts(entry.checked):
                return False
        return True


def remembered(memory: MemoryStore, shared: SharedStore, key: str, names: tuple[SectionName, ...]) -> Remembered | None:
    """Return these sections as they are in memory, if all of them are, and may be trusted."""
    entries = tuple((name, entry) for name in names if (entry := memory.peek(key, name)) is not None)
    basis = Remembered(memory, shared, key, entries)
    return basis if len(entries) == len(names) and basis.holds() else None
