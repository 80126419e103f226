"""What memory had of a profile when an answer was made of it, and whether it still has just that."""

from msgspec import Struct

from personalize.cache.memory import Mark, MemoryStore
from personalize.cache.store import SharedStore
from personalize.model import SectionName


class Remembered(Struct, frozen=True):
    """Sections of one profile as they were in memory: their marks alone, for an answer lives longer than they may.

    Args:
        shared: says whether memory may be trusted without asking.
        marks: those of its sections.
    """

    shared: SharedStore
    marks: tuple[Mark, ...]

    def holds(self) -> bool:
        """Return whether none of them was written anew, forgotten or let go, or may have been somewhere else."""
        for mark in self.marks:
            if not (mark.current and self.shared.trusts(mark.checked)):
                return False
            mark.used = True
        return True


def remembered(memory: MemoryStore, shared: SharedStore, key: str, names: tuple[SectionName, ...]) -> Remembered | None:
    """Return these sections as they are in memory, if all of them are, and may be trusted."""
    marks = tuple(mark for name in names if (mark := memory.peek(key, name)) is not None)
    basis = Remembered(shared, marks)
    return basis if len(marks) == len(names) and basis.holds() else None
