"""The Profile API: all that is known of a profile, read by any of its external ids.

Paths, parameters, shapes and errors are those of the Profile API documentation.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol, TypeVar, cast

from starlette.requests import Request
from starlette.responses import Response

from personalize.sandbox import parameters, shapes
from personalize.sandbox.answers import Refused, invalid, json, no_such_route, too_many, unauthorized, wrong_method
from personalize.sandbox.budget import Budget
from personalize.sandbox.credentials import require_username
from personalize.sandbox.cursors import cursor, opaque, position
from personalize.sandbox.moments import Clock, micros
from personalize.sandbox.rawpath import segments
from personalize.sandbox.store import (
    Collection,
    EventFilter,
    ExternalId,
    IdFilter,
    Link,
    Position,
    Store,
    TraitClass,
    TraitFilter,
)

DEFAULT_LIMIT = 10
TRAITS_LIMIT = 200
EXTERNAL_IDS_LIMIT = 25
EVENTS_LIMIT = 100
LINKS_LIMIT = 20
EVENTS_REACH = timedelta(days=14) // timedelta(microseconds=1)
"""In microseconds, of which there are any number before the year 1, where a clock may have been moved to."""

COLLECTIONS = ("users", "accounts")
CLASSES = ("audience", "computed_trait")
ORDERS = ("asc", "desc")


class ProfileApi:
    """Answers `GET /v1/spaces/{space}/collections/{collection}/profiles/{id}/{route}`.

    Args:
        store: what is known.
        clock: what time it is; events are readable for 14 days.
        budget: how many requests the space may make.
        space: the id of the one space here.
        access_token: what a caller's Basic username must be.
    """

    def __init__(self, store: Store, clock: Clock, budget: Budget, *, space: str, access_token: str) -> None:
        self._store = store
        self._clock = clock
        self._budget = budget
        self._space = space
        self._access_token = access_token

    async def answer(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            Refused: it is not allowed, too early, not valid, or about an unknown profile.
        """
        require_username(request, self._access_token)
        match segments(request.scope):
            case ["v1", "spaces", space, "collections", collection, "profiles", identifier, route] if route in ROUTES:
                self._check(request, space)
                profile = self._find(_collection(collection), identifier)
                return json(ROUTES[route](self, request, profile))
        raise no_such_route()

    def traits(self, request: Request, profile: int) -> dict[str, Any]:
        """Return a page of a profile's traits."""
        query = request.query_params
        limit = parameters.limit(query, DEFAULT_LIMIT, TRAITS_LIMIT)
        wanted = TraitFilter(
            include=parameters.names(query, "include"),
            class_=cast("TraitClass | None", parameters.choice(query, "class", CLASSES)),
            start=query.get("next", ""),
        )
        found = self._store.traits.page(profile, wanted, limit + 1)
        shown = shapes.verbose if parameters.flag(query, "verbose") else shapes.plain
        following = found[limit].key if len(found) > limit else ""
        return {
            "traits": {trait.key: shown(trait) for trait in found[:limit]},
            "cursor": cursor(request, limit, following),
        }

    def external_ids(self, request: Request, profile: int) -> dict[str, Any]:
        """Return a page of a profile's external ids. They have no more to tell when they are asked to be verbose."""
        query = request.query_params
        limit = parameters.limit(query, EXTERNAL_IDS_LIMIT, EXTERNAL_IDS_LIMIT)
        wanted = IdFilter(parameters.names(query, "include"), position(query.get("next", "")))
        found = self._store.external_ids.page(profile, wanted, limit + 1)
        return _listed(request, limit, found, shapes.known_id)

    def events(self, request: Request, profile: int) -> dict[str, Any]:
        """Return a page of a profile's events of the last 14 days."""
        limit = parameters.limit(request.query_params, DEFAULT_LIMIT, EVENTS_LIMIT)
        found = self._store.events.page(profile, self._wanted_events(request), limit + 1)
        whose = self._store.profiles.metadata(profile)
        return _listed(request, limit, found, lambda event: shapes.event(event, whose))

    def metadata(self, _request: Request, profile: int) -> dict[str, Any]:
        """Return when a profile came to be and was last touched."""
        return shapes.metadata(self._store.profiles.metadata(profile))

    def links(self, request: Request, profile: int) -> dict[str, Any]:
        """Return a page of a user's accounts, or of an account's users."""
        query = request.query_params
        limit = parameters.limit(query, DEFAULT_LIMIT, LINKS_LIMIT)
        found = self._store.links.page(profile, position(query.get("next", "")), limit + 1)
        return _listed(request, limit, found, self._linked)

    def _linked(self, link: Link) -> dict[str, Any]:
        """Return a link with as many ids of the linked profile as one page of them has."""
        return shapes.link(link, self._store.external_ids.page(link.profile, IdFilter(), EXTERNAL_IDS_LIMIT))

    def _wanted_events(self, request: Request) -> EventFilter:
        query = request.query_params
        reach = micros(self._clock()) - EVENTS_REACH
        return EventFilter(
            start=max(reach, parameters.moment(query, "start", reach)),
            end=parameters.moment(query, "end", 2**63 - 1),
            include=parameters.names(query, "include"),
            exclude=parameters.names(query, "exclude") or (),
            order="asc" if parameters.choice(query, "sort", ORDERS) == "asc" else "desc",
            first=position(query.get("next", "")),
        )

    def _check(self, request: Request, space: str) -> None:
        if request.method != "GET":
            raise wrong_method("GET")
        if space != self._space:
            # Not a 404: a wrong space is a wrong setting, and should not look like a visitor that nobody knows.
            raise unauthorized("The access token does not belong to this space.")
        if not self._budget.spend():
            raise too_many()

    def _find(self, collection: Collection, identifier: str) -> int:
        id_type, colon, value = identifier.partition(":")
        if not colon or id_type == "segment_id":
            profile = self._store.profiles.named(collection, value if colon else identifier)
        else:
            profile = self._store.profiles.find(collection, ExternalId(id_type, value))
        if profile is None:
            raise Refused(404, "not_found", "Profile was not found.")
        return profile


ROUTES: Mapping[str, Callable[[ProfileApi, Request, int], dict[str, Any]]] = {
    "traits": ProfileApi.traits,
    "external_ids": ProfileApi.external_ids,
    "events": ProfileApi.events,
    "metadata": ProfileApi.metadata,
    "links": ProfileApi.links,
}


def _collection(text: str) -> Collection:
    if odd := dict.fromkeys(re.sub("[a-z_]", "", text)):
        raise invalid("collection", f"has invalid character(s) `{''.join(odd)}`")
    if text not in COLLECTIONS:
        raise invalid("collection", f"has to be one of {', '.join(COLLECTIONS)}.")
    return cast("Collection", text)


class _Placed(Protocol):
    @property
    def position(self) -> Position: ...


PlacedT = TypeVar("PlacedT", bound=_Placed)


def _listed(
    request: Request, limit: int, found: Sequence[PlacedT], shape: Callable[[PlacedT], dict[str, Any]]
) -> dict[str, Any]:
    """Return a page of a list; one item more than the limit was looked for, and is where the next page starts."""
    following = opaque(found[limit].position) if len(found) > limit else ""
    return {"data": [shape(item) for item in found[:limit]], "cursor": cursor(request, limit, following)}
