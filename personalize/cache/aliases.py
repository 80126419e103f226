"""Which profiles' keys were learnt to stand for one person: whoever is forgotten is forgotten under all of them."""

from collections.abc import Iterable

from cachetools import LRUCache

MAX_KEYS = 100_000
"""Keys in all, of some 150 bytes each."""

MAX_ALIASES = 64
"""Of one profile; the ones learnt first stay: who makes up ids beside somebody else's must not push out the real."""


class Aliases:
    """What this process has learnt. Nothing is ever served through an alias: it only widens what is forgotten."""

    def __init__(self) -> None:
        self._others: LRUCache[str, tuple[str, ...]] = LRUCache(MAX_KEYS, getsizeof=lambda others: 1 + len(others))

    def learn(self, key: str, others: Iterable[str]) -> list[str]:
        """Remember that other keys stand for the same person; return those that are new."""
        known = self._others.get(key, ())
        room = MAX_ALIASES - len(known)
        new = [other for other in others if other not in known and other != key][:room]
        if new:
            self._others[key] = (*known, *new)
        return new

    def forget(self, key: str) -> frozenset[str]:
        """Forget a profile, and return the keys that stood for the same person."""
        return frozenset(self._others.pop(key, ()))
