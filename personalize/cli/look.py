"""A look at one profile: what the Profile API's routes answer, one after the other."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from personalize.errors import TimedOut
from personalize.model import Collection, Event, ExternalId
from personalize.profile_api.client import ProfileClient, turned
from personalize.profile_api.wire import ExternalIdTold, LinkTold, MetadataTold, Page, TraitTold

MAX_PAGES = 10
"""Pages of traits, ids or links that are read: 2,000 traits are more than anybody reads."""

SECONDS = 10.0
"""What the whole look may take."""

PageT = TypeVar("PageT", bound=Page)


@dataclass(frozen=True, slots=True)
class Known:
    """All that was asked for; what was not is `None`. `cut` names the lists of which more were not read."""

    metadata: MetadataTold
    segment_id: str | None
    external_ids: list[ExternalIdTold]
    traits: Mapping[str, TraitTold]
    events: list[Event] | None
    links: list[LinkTold] | None
    cut: frozenset[str]


class Look:
    """Reads a profile once; the client is closed then.

    Args:
        client: the routes.
        collection: a user's or an account's.
        who: the profile.
    """

    def __init__(self, client: ProfileClient, collection: Collection, who: ExternalId) -> None:
        self._client = client
        self._about = (collection, who)
        self._cut: set[str] = set()

    async def known(self, *, events: bool, links: bool) -> Known:
        """Return what the routes answer.

        Raises:
            ProfileApiError: the first that failed says why for all.
        """
        try:
            async with asyncio.timeout(SECONDS):
                return await self._known(events=events, links=links)
        except TimeoutError:
            raise TimedOut(f"The Profile API did not answer within {SECONDS:g} s.") from None
        finally:
            await self._client.aclose()

    async def _known(self, *, events: bool, links: bool) -> Known:
        metadata = await self._client.metadata(*self._about)
        return Known(
            metadata=metadata.metadata,
            segment_id=metadata.segment_id,
            external_ids=await self._external_ids(),
            traits=await self._traits(),
            events=await self._events() if events else None,
            links=await self._links() if links else None,
            cut=frozenset(self._cut),  # last, for the others fill it
        )

    async def _external_ids(self) -> list[ExternalIdTold]:
        pages = self._pages("external_ids", lambda next_: self._client.external_ids(*self._about, next_page=next_))
        return [one for page in await pages for one in page.data]

    async def _traits(self) -> dict[str, TraitTold]:
        pages = self._pages("traits", lambda next_: self._client.verbose_traits(*self._about, next_page=next_))
        return {name: told for page in await pages for name, told in page.traits.items()}

    async def _events(self) -> list[Event]:
        pages = self._pages("events", lambda _: self._client.events(*self._about), most=1)
        return [one for page in await pages for one in page.events()]

    async def _links(self) -> list[LinkTold]:
        pages = self._pages("links", lambda next_: self._client.links(*self._about, next_page=next_))
        return [one for page in await pages for one in page.data]

    async def _pages(self, name: str, page: Callable[[str], Awaitable[PageT]], most: int = MAX_PAGES) -> list[PageT]:
        """Return the pages of a list, and note whether it was cut."""
        pages = [one async for one in turned(page, most=most)]
        if pages[-1].next:
            self._cut.add(name)
        return pages
