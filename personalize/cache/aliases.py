"""Which profiles' keys were learnt to stand for one person: whoever is forgotten is forgotten under all of them."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from cachetools import LRUCache

MAX_KEYS = 100_000
"""Proven keys in all, of some 150 bytes each."""

MAX_SAID_KEYS = MAX_KEYS // 4
"""Beside them those that anybody may have made up: however many that are, none that is proven makes room for them."""

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
        self._proven: LRUCache[str, _Others] = LRUCache(MAX_KEYS, getsizeof=_size)
        self._said: LRUCache[str, _Others] = LRUCache(MAX_SAID_KEYS, getsizeof=_size)

    def learn(self, key: str, others: Iterable[str], *, proven: bool = True) -> list[str]:
        """Remember that other keys stand for the same person, as is proven or only said; return those that are news."""
        cache, now = self._proven if proven else self._said, self._clock()
        known = cache.get(key, _Others((), now))
        new = list(self._new(key, others, proven=proven))
        if now - known.told_at >= self._renew:
            cache[key] = _Others((*known.keys, *new), now)
            return [*known.keys, *new]
        if new:
            cache[key] = _Others((*known.keys, *new), known.told_at)
        return new

    def of(self, key: str) -> frozenset[str]:
        """Return the keys that stand for the same person as this one."""
        said = self._said.get(key)
        return self.proven(key) | frozenset(said.keys if said else ())

    def proven(self, key: str) -> frozenset[str]:
        """Return those of them that are proven."""
        known = self._proven.get(key)
        return frozenset(known.keys if known else ())

    def forget(self, key: str) -> None:
        """Forget which keys stood for the same person."""
        self._proven.pop(key, None)
        self._said.pop(key, None)

    def _new(self, key: str, others: Iterable[str], *, proven: bool) -> Iterator[str]:
        """Yield what is not known of a key, while there is room; what was only said and is proven now has it."""
        everything = self.of(key)
        known, room = self.proven(key) if proven else everything, room_of(proven=proven) - len(everything)
        for other in dict.fromkeys(others):
            if other == key or other in known:
                continue
            room -= other not in everything
            if room >= 0 or other in everything:
                yield other


def _size(others: _Others) -> int:
    return 1 + len(others.keys)
