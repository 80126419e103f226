"""A Profile API that stands behind httpx's transport seam, answers what a test said, and records what it was asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import unquote

import httpx
import msgspec

from personalize.model import Event, ExternalId
from personalize.testing.profiles import Profile

LAST_PAGE = {"url": "", "has_more": False, "next": "", "limit": 100}

Told: TypeAlias = Mapping[str, Any]
"""JSON, as the Profile API tells it."""

Answer: TypeAlias = Callable[[Told, httpx.QueryParams], Told]
"""What one route says of a profile."""


@dataclass
class RecordingProfileApi:
    """A Profile API behind httpx's transport seam: it answers from `profiles` and remembers every request.

    `failure` is what it answers, or raises, in place of all that; a test may set it at any time.
    """

    profiles: dict[str, Profile | dict[str, Any]] = field(default_factory=dict)
    """By external id, like `user_id:ada`: a visitor, or `{"traits": {…}, "events": [{"event": …, "timestamp": …}]}`."""
    failure: httpx.Response | Exception | None = None
    requests: list[httpx.Request] = field(default_factory=list)

    @property
    def transport(self) -> httpx.MockTransport:
        """What a client sends its requests through to reach this API."""
        return httpx.MockTransport(self.handle)

    @property
    def calls(self) -> list[str]:
        """The route and external id of every request, like `traits user_id:u1`."""
        return [f"{route} {external_id}" for route, external_id in map(_asked, self.requests)]

    async def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer a request as Segment does, or as the failure says."""
        self.requests.append(request)
        if isinstance(self.failure, Exception):
            raise self.failure
        if self.failure is not None:
            return self.failure
        route, external_id = _asked(request)
        profile = self.profiles.get(external_id)
        if profile is None:
            return httpx.Response(404, json={"error": {"code": "not_found", "message": "Profile was not found."}})
        told = _told(profile) if isinstance(profile, Profile) else profile
        headers = {"Request-Id": f"request-{len(self.requests)}"}
        return httpx.Response(200, headers=headers, json=_ANSWERS[route](told, request.url.params))


def _traits(told: Told, params: httpx.QueryParams) -> Told:
    traits = told.get("traits", {})
    if "class" in params:  # the one that is asked for is `audience`, whose traits say who is in it
        traits = {name: value for name, value in traits.items() if isinstance(value, bool)}
    return {"traits": {name: value for name, value in traits.items() if _included(name, params)}, "cursor": LAST_PAGE}


def _events(told: Told, params: httpx.QueryParams) -> Told:
    events = [event for event in told.get("events", []) if _included(event["event"], params)]
    return {"data": events, "cursor": LAST_PAGE}


def _listed(name: str) -> Answer:
    """Return what answers the route of a list that is never filtered."""
    return lambda told, _: {"data": told.get(name, []), "cursor": LAST_PAGE}


def _metadata(told: Told, _: httpx.QueryParams) -> Told:
    return {"metadata": {}, **told.get("metadata", {})}


_ANSWERS: Mapping[str, Answer] = {
    "traits": _traits,
    "events": _events,
    "external_ids": _listed("external_ids"),
    "links": _listed("links"),
    "metadata": _metadata,
}


def _included(name: str, params: httpx.QueryParams) -> bool:
    return "include" not in params or name in params["include"].split(",")


def _asked(request: httpx.Request) -> tuple[str, str]:
    *_, external_id, route = request.url.raw_path.decode().partition("?")[0].split("/")
    return route, unquote(external_id)


def _told(profile: Profile) -> Told:
    """Return a visitor as the Profile API writes one."""
    times = msgspec.to_builtins(profile.metadata)
    return {
        "traits": profile.traits,
        "events": [_written(one) for one in profile.events],
        "external_ids": [_id(one) for one in profile.external_ids],
        "links": [
            {"to_collection": one.collection, "external_ids": [_id(of) for of in one.external_ids]}
            for one in profile.links
        ],
        "metadata": {"segment_id": times.pop("segment_id"), "metadata": times},
    }


def _id(one: ExternalId) -> Told:
    return {"type": one.type, "id": one.value}


def _written(event: Event) -> Told:
    return {
        "event": event.name,
        "type": "track",
        "timestamp": event.timestamp.isoformat(),
        "properties": event.properties,
        "message_id": event.message_id,
    }
