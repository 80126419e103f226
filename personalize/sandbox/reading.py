"""The Profile API: traits and events of a profile, read by any of its external ids.

Paths, parameters, shapes and errors are those of the Profile API documentation.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response

from personalize.sandbox import parameters
from personalize.sandbox.answers import Refused, invalid, json, no_such_route, unauthorized, wrong_method
from personalize.sandbox.credentials import require_username
from personalize.sandbox.cursors import cursor, opaque, position
from personalize.sandbox.moments import Clock, micros, written
from personalize.sandbox.rawpath import segments
from personalize.sandbox.store import (
    Collection,
    Event,
    EventFilter,
    ExternalId,
    Position,
    Store,
    Trait,
    TraitClass,
    TraitFilter,
)

DEFAULT_LIMIT = 10
TRAITS_LIMIT = 200
EVENTS_LIMIT = 100
EVENTS_REACH = timedelta(days=14)

COLLECTIONS = ("users", "accounts")
CLASSES = ("audience", "computed_trait")
ORDERS = ("asc", "desc")


class ProfileApi:
    """Answers `GET /v1/spaces/{space}/collections/{collection}/profiles/{id}/{route}`.

    Args:
        store: what is known.
        clock: what time it is; events are readable for 14 days.
        space: the id of the one space here.
        access_token: what a caller's Basic username must be.
    """

    def __init__(self, store: Store, clock: Clock, *, space: str, access_token: str) -> None:
        self._store = store
        self._clock = clock
        self._space = space
        self._access_token = access_token

    async def answer(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            Refused: it is not allowed, not valid, or about an unknown profile.
        """
        require_username(request, self._access_token)
        match segments(request.scope):
            case ["v1", "spaces", space, "collections", collection, "profiles", identifier, route] if route in ROUTES:
                self._check(request, space, collection)
                profile = self._find(cast("Collection", collection), identifier)
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
        shown = _verbose if query.get("verbose") == "true" else _plain
        following = found[limit].key if len(found) > limit else ""
        return {
            "traits": {trait.key: shown(trait) for trait in found[:limit]},
            "cursor": cursor(request, limit, following),
        }

    def events(self, request: Request, profile: int) -> dict[str, Any]:
        """Return a page of a profile's events of the last 14 days."""
        limit = parameters.limit(request.query_params, DEFAULT_LIMIT, EVENTS_LIMIT)
        found = self._store.events.page(profile, self._wanted_events(request), limit + 1)
        following = opaque(Position(found[limit].at, found[limit].message_id)) if len(found) > limit else ""
        segment_id = self._store.profiles.segment_id(profile)
        return {
            "data": [_event(event, segment_id) for event in found[:limit]],
            "cursor": cursor(request, limit, following),
        }

    def _wanted_events(self, request: Request) -> EventFilter:
        query = request.query_params
        reach = micros(self._clock() - EVENTS_REACH)
        return EventFilter(
            start=max(reach, parameters.moment(query, "start", reach)),
            end=parameters.moment(query, "end", 2**63 - 1),
            include=parameters.names(query, "include"),
            exclude=parameters.names(query, "exclude") or (),
            order="asc" if parameters.choice(query, "sort", ORDERS) == "asc" else "desc",
            first=position(query.get("next", "")),
        )

    def _check(self, request: Request, space: str, collection: str) -> None:
        if request.method != "GET":
            raise wrong_method("GET")
        if space != self._space:
            # Not a 404: a wrong space is a wrong setting, and should not look like a visitor that nobody knows.
            raise unauthorized("The access token does not belong to this space.")
        if collection not in COLLECTIONS:
            raise invalid("collection", f"has to be one of {', '.join(COLLECTIONS)}.")

    def _find(self, collection: Collection, identifier: str) -> int:
        id_type, _, value = identifier.partition(":")
        profile = self._store.profiles.find(collection, ExternalId(id_type, value))
        if profile is None:
            raise Refused(404, "not_found", "Profile was not found.")
        return profile


ROUTES: Mapping[str, Callable[[ProfileApi, Request, int], dict[str, Any]]] = {
    "traits": ProfileApi.traits,
    "events": ProfileApi.events,
}


def _plain(trait: Trait) -> Any:  # noqa: ANN401 - a trait's value is any JSON value
    return trait.value


def _verbose(trait: Trait) -> dict[str, Any]:
    return {"value": trait.value, "source_id": trait.source, "updated_at": written(trait.updated_at)}


def _event(event: Event, segment_id: str) -> dict[str, Any]:
    return {
        "external_ids": [
            {"collection": "users", "type": external_id.type, "id": external_id.value, "encoding": "none"}
            for external_id in event.external_ids
        ],
        "context": event.context,
        "type": "track",
        "message_id": event.message_id,
        "source_id": "sandbox",
        "timestamp": written(event.at),
        "properties": event.properties,
        "event": event.name,
        "related": {"users": segment_id},
    }
