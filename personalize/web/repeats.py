"""Repeats: what was done a moment ago need not be done again yet."""

import hashlib
import time
from collections.abc import Callable, Iterable

from cachetools import TTLCache

REST_SECONDS = 60.0
MAX_REMEMBERED = 10_000
"""Calls, by their digests: 2 MB or so."""


class Repeats:
    """Remembers by their bytes which calls were worked off, for a while.

    Args:
        clock: a monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._done: TTLCache[bytes, None] = TTLCache(MAX_REMEMBERED, REST_SECONDS, timer=clock)

    def add(self, parts: Iterable[bytes]) -> None:
        """Remember a call that was worked off."""
        self._done[_digest(parts)] = None

    def has(self, parts: Iterable[bytes]) -> bool:
        """Whether the same call was worked off within the last minute."""
        return _digest(parts) in self._done


def _digest(parts: Iterable[bytes]) -> bytes:
    return hashlib.sha256(b"\0".join(parts)).digest()
