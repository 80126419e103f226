"""Documents of the web and of files, read anew only when they have changed."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeVar

import httpx
from cachetools import LRUCache

from personalize.providers.fetch import MAX_BYTES, TOTAL_SECONDS, Document, fetch

T = TypeVar("T")

TELLING = ("link", "x-wp-total", "x-wp-totalpages")
"""Headers that say something beside a body: a document is the same only if they are."""

MAX_HELD = 256
"""Documents that are remembered: the feeds of a blog's categories, or the pages of its API, several times over."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What a document was read as, and how to tell that it is still the same; its bytes are not kept."""

    validators: Mapping[str, str]
    digest: bytes
    value: Any


class Documents:
    """Reads documents, each in a thread, since a large one takes long enough to hold up answers.

    Args:
        client: what URLs are fetched with; it must outlive this.
        most: bytes that a document may have, decoded.
        seconds: how long it may take to arrive.
    """

    def __init__(self, client: httpx.AsyncClient, *, most: int = MAX_BYTES, seconds: float = TOTAL_SECONDS) -> None:
        self._client = client
        self._most = most
        self._seconds = seconds
        self._held: LRUCache[tuple[str, Callable[[Document], Any]], _Held] = LRUCache(MAX_HELD)

    async def read(self, location: str, parse: Callable[[Document], T]) -> T:
        """Return what a location's document is parsed as: the same value as before for the same document.

        Args:
            location: as `fetch` takes it.
            parse: makes the value; it runs in a thread.

        Raises:
            ProviderFailed: it could not be fetched, or `parse` refused it; what is known of it stays known.
        """
        held = self._held.get((location, parse))
        document = await fetch(
            location,
            self._client,
            validators=held.validators if held else {},
            most=self._most,
            seconds=self._seconds,
        )
        if document is not None:
            held = self._held[location, parse] = await asyncio.to_thread(_read, document, held, parse)
        assert held is not None  # noqa: S101 -- nothing is unchanged that was not known
        value: T = held.value
        return value

    def known(self, location: str, parse: Callable[[Document], T]) -> T | None:
        """Return what a location's document was parsed as the last time; `None` if it was not, or long ago."""
        held = self._held.get((location, parse))
        value: T | None = held.value if held else None
        return value


def _read(document: Document, held: _Held | None, parse: Callable[[Document], object]) -> _Held:
    digest = _digest(document)
    value = held.value if held and held.digest == digest else parse(document)
    return _Held(document.validators, digest, value)


def _digest(document: Document) -> bytes:
    digest = blake2b(document.body)
    for name in TELLING:
        digest.update(f"\n{name}: {document.headers.get(name)}".encode())
    return digest.digest()
