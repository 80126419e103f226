"""What an answer rests on: what was known of profiles, and the versions of providers."""

from collections.abc import Sequence

from msgspec import Struct

from personalize.model import Snapshot
from personalize.ports import Basis, ItemProvider
from personalize.registry import AnyRecipe


class Rests(Struct, frozen=True):
    """Profiles and providers as they were.

    Args:
        profiles: one entry for each id that was looked up.
        versions: the version of each provider.
    """

    profiles: Sequence[Basis]
    versions: Sequence[tuple[ItemProvider, int]]

    def holds(self) -> bool:
        """Return whether none of them has changed."""
        try:
            for provider, version in self.versions:
                if provider.version != version:
                    return False
        except Exception:  # noqa: BLE001 -- an installed provider is foreign code: whoever asks it next tells what failed
            return False
        for one in self.profiles:  # noqa: SIM110 -- a generator would cost as much as what it asks
            if not one.holds():
                return False
        return True


def basis_of(
    recipe: AnyRecipe,
    snapshot: Snapshot,
    profiles: Sequence[Basis | None],
    versions: Sequence[tuple[ItemProvider, int]],
) -> Basis | None:
    """Return what an answer rests on, if it came from memory and was fresh; `None` if it rests on the clock too.

    Args:
        recipe: answers.
        snapshot: what it read of the visitor.
        profiles: what the source has in memory of each id that was looked up.
        versions: of the providers that it reads, as they were.
    """
    known = [one for one in profiles if one is not None]
    if recipe.timed or snapshot.failed or len(known) < len(profiles):
        return None
    if any(reading.tier != "memory" or reading.ttl <= 0 for reading in snapshot.readings.values()):
        return None
    return Rests(known, versions)
