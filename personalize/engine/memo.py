"""The memo: answers that were made before, for as long as all that they rest on is the same."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

import msgspec
from cachetools import LRUCache
from msgspec import Raw

from personalize.declare import UNSAYABLE, Recipe, plain
from personalize.telemetry.metrics import Metrics

MAX_BYTES = 16 * 1024 * 1024
"""What all answers may take."""

ENTRY_BYTES = 350
"""What an answer takes beside its JSON, as measured: its key, its place in the table and in the order of use."""

FORGETTING_SECONDS = 5.0
"""For how long nothing is kept after people were forgotten: longer than a request that was answering of them."""

MAX_ANSWER = MAX_BYTES // 64
"""The largest answer that is kept, in bytes: few people's must not push out everybody's."""


class Memo:
    """Answers by what they rest on: the recipe, its arguments, and the versions of its providers.

    A recipe does no I/O and sees nothing else, so that an answer cannot become stale here; it can only be of no more
    use. Visitors about whom the same is known share one, which costs none of them more than looking it up.

    Args:
        metrics: counts look-ups, and shows how full the memo is.
        max_bytes: what all answers may take together; the least recently used go first.
        clock: a monotonic time in seconds.
    """

    def __init__(
        self, metrics: Metrics, *, max_bytes: int = MAX_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._answers: LRUCache[bytes, Raw] = LRUCache(max_bytes, getsizeof=_size)
        self._clock = clock
        self._closed_until = -math.inf
        self._hits = metrics.memo_reads.labels("hit")
        self._misses = metrics.memo_reads.labels("miss")
        metrics.watch(metrics.memo_bytes, lambda: self._answers.currsize)

    def read(self, key: bytes) -> Raw | None:
        """Return the answer that was kept under a key, if it is still here."""
        answer = self._answers.get(key)
        (self._misses if answer is None else self._hits).inc()
        return answer

    def write(self, key: bytes, answer: Raw) -> None:
        """Keep an answer, unless it is one of those that would push out many, or perhaps of somebody just forgotten."""
        if len(bytes(answer)) <= MAX_ANSWER and self._clock() >= self._closed_until:
            self._answers[key] = answer

    def forget(self) -> None:
        """Let go of all answers: they say what was known of people, and nobody knows any more of whom."""
        self._answers.clear()
        self._closed_until = self._clock() + FORGETTING_SECONDS


def key_of(recipe: Recipe[..., object], arguments: Mapping[str, object], versions: Sequence[int]) -> bytes | None:
    """Return what an answer rests on, in 16 bytes; `None` if it rests on the clock, or on what cannot be written."""
    if recipe.timed:
        return None
    try:
        told = msgspec.msgpack.encode((recipe.name, versions, _own(recipe, arguments)), enc_hook=plain)
    except UNSAYABLE:  # as whole numbers beyond 64 bits
        return None
    return blake2b(told, digest_size=16).digest()


def _own(recipe: Recipe[..., object], arguments: Mapping[str, object]) -> dict[str, object]:
    """Return the arguments without the items of providers, for which their versions stand."""
    return {name: value for name, value in arguments.items() if name not in recipe.given}


def _size(answer: Raw) -> int:
    return ENTRY_BYTES + len(bytes(answer))
