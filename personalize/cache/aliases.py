"""Which profiles' keys were learnt to stand for one person: whoever is forgotten is forgotten under all of them."""

from collections.abc import Iterable

from cachetools import LRUCache

MAX_PROFILES = 50_000
MAX_ALIASES = 32
"""Of one profile; the ones learnt last stay."""


class Aliases:
    """What this process has learnt. Nothing is ever served through an alias: it only widens what is forgotten."""

    def __init__(self) -> None:
        self._others: LRUCache[str, tuple[str, ...]] = LRUCache(MAX_PROFILES)

    def learn(self, key: str, others: Iterable[str]) -> list[str]:
        """Remember that other keys stand for the same person; return those that are new."""
        known = self._others.get(key, ())
        new = [other for other in others if other not in known and other != key]
        if new:
            self._others[key] = (*known, *new)[-MAX_ALIASES:]
        return new

    def forget(self, key: str) -> frozenset[str]:
        """Forget a profile, and return the keys that stood for the same person."""
        return frozenset(self._others.pop(key, ()))
