"""Several sources as one collection of items: each keeps its last good batch while it fails."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from personalize.errors import ProviderFailed
from personalize.providers.batch import Batch
from personalize.providers.fetch import without_secrets
from personalize.providers.poll import Loaded, Sized_co

Item = TypeVar("Item")

SECONDS = 120.0
"""What one source may take, with all of its documents: 50 feeds of categories, 64 MiB of products."""


class Sources(Generic[Item, Sized_co]):
    """What loads several sources together.

    Args:
        read: what reads each, by its location; raises `ProviderFailed`.
        collect: makes the collection of all batches, in the sources' order; it runs in a thread.
        seconds: what one source may take.
    """

    def __init__(
        self,
        read: Mapping[str, Callable[[], Awaitable[Batch[Item]]]],
        collect: Callable[[Sequence[Batch[Item]]], Sized_co],
        *,
        seconds: float = SECONDS,
    ) -> None:
        self._read = read
        self._collect = collect
        self._seconds = seconds
        self._good: dict[str, Batch[Item]] = {}
        self._collected: tuple[Sequence[Batch[Item]], Sized_co] | None = None

    async def load(self) -> Loaded[Sized_co]:
        """Return the items of all sources: for the same batches as before the same collection.

        Raises:
            ProviderFailed: no source could be read yet.
        """
        attempts = await asyncio.gather(*map(self._attempt, self._read), return_exceptions=True)
        problems = []
        for location, attempt in zip(self._read, attempts, strict=True):
            if isinstance(attempt, Batch):
                self._good[location] = attempt
            else:
                problems.append(_reason(location, attempt))
        if not self._good:
            raise ProviderFailed("; ".join(problems))
        batches = [self._good[location] for location in self._read if location in self._good]
        self._collected = await asyncio.to_thread(self._collection, batches)
        return Loaded(self._collected[1], tuple(problems), sum(one.left_out for one in batches))

    async def _attempt(self, location: str) -> Batch[Item]:
        async with asyncio.timeout(self._seconds):
            return await self._read[location]()

    def _collection(self, batches: Sequence[Batch[Item]]) -> tuple[Sequence[Batch[Item]], Sized_co]:
        if self._collected is not None and batches == self._collected[0]:
            return self._collected
        return batches, self._collect(batches)


def _reason(location: str, error: BaseException) -> str:
    """Return why a source could not be read, and let pass what is no failure of it."""
    if isinstance(error, ProviderFailed):
        return str(error)
    if isinstance(error, TimeoutError):
        return f"{without_secrets(location)} took too long"
    if isinstance(error, Exception):  # whatever a parser trips over in a document, the other sources count
        return f"{without_secrets(location)}: unexpected {type(error).__name__}"  # a message could quote the document
    raise error
