"""Which profiles' keys were learnt to stand for one person: whoever is forgotten is forgotten under all of them."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cachetools import LRUCache

MAX_KEYS = 100_000
"""Keys in all, of some 150 bytes each."""

MAX_ALIASES = 64
"""Of one profile; the ones learnt first stay: who makes up ids beside somebody else's must not push out the real."""

MAX_UNPROVEN = MAX_ALIASES // 2
"""Of those, which anybody may have put together: the room that is left is for what is known for certain."""


@dataclass(frozen=True, slots=True)
class _Others:
    keys: tuple[str, ...]
    told_at: float


def room_of(*, proven: bool) -> int:
    """Return how many keys may stand beside one of a person."""
    return MAX_ALIASES if proven else MAX_UNPROVEN


class Aliases:
    """What this process has learnt. Nothing is ever served through an alias: it only widens what is forgotten.

    Args:
        renew: seconds after which what is learnt once more is news again: the shared tier forgets it after a while.
        clock: a monotonic time in seconds.
    """

    def __init__(self, *, renew: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._renew = renew
        self._clock = clock
        self._others: LRUCache[str, _Others] = LRUCache(MAX_KEYS, getsizeof=lambda others: 1 + len(others.keys))

    def learn(self, key: str, others: Iterable[str], *, proven: bool = True) -> list[str]:
        """Remember that other keys stand for the same person, as is proven or only said; return those that are news."""
        known, now = self._others.get(key, _Others((), self._clock())), self._clock()
        room = max(0, room_of(proven=proven) - len(known.keys))
        new = [other for other in others if other not in known.keys and other != key][:room]
        if now - known.told_at >= self._renew:
            self._others[key] = _Others((*known.keys, *new), now)
            return [*known.keys, *new]
        if new:
            self._others[key] = _Others((*known.keys, *new), known.told_at)
        return new

    def of(self, key: str) -> frozenset[str]:
        """Return the keys that stand for the same person as this one."""
        known = self._others.get(key)
        return frozenset(known.keys) if known else frozenset()

    def forget(self, key: str) -> None:
        """Forget which keys stood for the same person."""
        self._others.pop(key, None)
