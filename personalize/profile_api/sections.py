"""Sections of profiles, read over the client's routes: as many calls as the plan needs, and no more."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from personalize.errors import Shed
from personalize.model import Collection, Content, Event, ExternalId, Link, ProfileMetadata, SectionName
from personalize.needs import MAX_EVENTS, Events, EventsSpec, SectionSpec, TraitsSpec
from personalize.ports import Errand
from personalize.profile_api.client import MAX_TRAITS, ProfileClient, turned
from personalize.profile_api.guard import Guard

READ_SECONDS = 2.5
"""A whole read of a section: all its pages, however slowly they drip, and its waiting to be admitted."""

MAX_PAGES = 5
"""Pages that one read may turn: a visitor's frequent event may crowd out a rare one, but not for ever. Of what is
read whole, nobody sees more than that: 1,000 traits, 125 external ids, 100 links. All events are one page, for no need
may want more of them."""


class SectionReader:
    """Reads what a plan says of a section.

    Args:
        client: the routes.
        guard: lets each page's call out, or not.
    """

    def __init__(self, client: ProfileClient, guard: Guard) -> None:
        self._client = client
        self._guard = guard
        self._wholes: dict[SectionName, Callable[[Collection, ExternalId, Errand], Awaitable[Content]]] = {
            "all_traits": self._all_traits,
            "audiences": self._audiences,
            "all_events": self._all_events,
            "external_ids": self._external_ids,
            "links": self._links,
            "metadata": self._metadata,
        }

    def refuses(self, errand: Errand) -> Shed | None:
        """Return why nothing would be read, if that is known without asking anybody."""
        return self._guard.refuses(errand)

    async def read(self, collection: Collection, external_id: ExternalId, spec: SectionSpec, errand: Errand) -> Content:
        """Return the content of one section of a profile.

        Raises:
            ProfileApiError: one of its kinds; `ProfileNotFound` is the normal answer for an unknown visitor, and `Shed`
                is what was not sent.
        """
        limited = replace(errand, limit=asyncio.get_running_loop().time() + READ_SECONDS)
        if isinstance(spec, TraitsSpec):
            return await self._traits(collection, external_id, spec.names, limited)
        if isinstance(spec, EventsSpec):
            return await self._events(collection, external_id, spec, limited)
        return await self._wholes[spec.section](collection, external_id, limited)

    async def _traits(
        self, collection: Collection, external_id: ExternalId, names: Sequence[str], errand: Errand
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for start in range(0, len(names), MAX_TRAITS):
            asked = names[start : start + MAX_TRAITS]
            call = partial(self._client.traits, collection, external_id, include=asked, limit=len(asked))
            found |= (await self._guard.run(call, errand)).traits
        return {name: value for name, value in found.items() if name in names}

    async def _events(
        self, collection: Collection, external_id: ExternalId, spec: EventsSpec, errand: Errand
    ) -> tuple[Event, ...]:
        events: list[Event] = []
        call = partial(self._client.events, collection, external_id, include=spec.names, limit=MAX_EVENTS, sort="desc")
        pages = turned(lambda cursor: self._guard.run(partial(call, next_page=cursor), errand), most=MAX_PAGES)
        async for page in pages:
            events.extend(page.events())
            if _filled(spec.needs, events):
                break
        return _wanted(spec.needs, events)

    async def _all_traits(self, collection: Collection, external_id: ExternalId, errand: Errand) -> dict[str, Any]:
        call = partial(self._client.traits, collection, external_id)
        pages = turned(lambda cursor: self._guard.run(partial(call, next_page=cursor), errand), most=MAX_PAGES)
        found: dict[str, Any] = {}
        async for page in pages:
            found |= page.traits
        return found

    async def _audiences(self, collection: Collection, external_id: ExternalId, errand: Errand) -> tuple[str, ...]:
        call = partial(self._client.traits, collection, external_id, class_="audience")
        pages = turned(lambda cursor: self._guard.run(partial(call, next_page=cursor), errand), most=MAX_PAGES)
        return tuple([name async for page in pages for name, is_in in page.traits.items() if is_in is True])

    async def _all_events(self, collection: Collection, external_id: ExternalId, errand: Errand) -> tuple[Event, ...]:
        call = partial(self._client.events, collection, external_id, limit=MAX_EVENTS, sort="desc")
        return tuple((await self._guard.run(call, errand)).events())

    async def _external_ids(
        self, collection: Collection, external_id: ExternalId, errand: Errand
    ) -> tuple[ExternalId, ...]:
        call = partial(self._client.external_ids, collection, external_id)
        pages = turned(lambda cursor: self._guard.run(partial(call, next_page=cursor), errand), most=MAX_PAGES)
        return tuple([one.value async for page in pages for one in page.data])

    async def _links(self, collection: Collection, external_id: ExternalId, errand: Errand) -> tuple[Link, ...]:
        call = partial(self._client.links, collection, external_id)
        pages = turned(lambda cursor: self._guard.run(partial(call, next_page=cursor), errand), most=MAX_PAGES)
        return tuple([link async for page in pages for link in page.links()])

    async def _metadata(self, collection: Collection, external_id: ExternalId, errand: Errand) -> ProfileMetadata:
        return (await self._guard.run(partial(self._client.metadata, collection, external_id), errand)).value


def _filled(needs: Iterable[Events], events: Iterable[Event]) -> bool:
    """Whether every need has as many events as it wants."""
    count = Counter(event.name for event in events)
    return all(sum(count[name] for name in need.names) >= need.limit for need in needs)


def _wanted(needs: Sequence[Events], events: Iterable[Event]) -> tuple[Event, ...]:
    """Return the events that at least one need would take: what none takes need not be kept."""
    taken: Counter[Events] = Counter()
    kept = []
    for event in events:
        takers = [need for need in needs if event.name in need.names and taken[need] < need.limit]
        taken.update(takers)
        if takers:
            kept.append(event)
    return tuple(kept)
