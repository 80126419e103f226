"""Fakes, which stand at the transport only, and values that many tests need."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import httpx
from starlette.applications import Starlette

from personalize import settings
from personalize.app import create_app
from personalize.settings import Settings

SPACE = "space1"
TOKEN = "fake-token-never-shown"
API_KEY = "fake-key-of-a-test-server"
ORIGIN = "https://blog.example.com"
UUID = "5e0f0c5a-8d3c-4c57-9f0e-0d2f5b6a7c11"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass
class RecordingProfileApi:
    """A Profile API behind httpx's transport seam: it answers from `profiles` and remembers every request."""

    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By external id: `{"traits": {...}, "events": [{"event": …, "timestamp": …, "properties": {…}}]}`."""
    failure: httpx.Response | Exception | None = None
    requests: list[httpx.Request] = field(default_factory=list)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.handle)

    @property
    def calls(self) -> list[str]:
        """The route and external id of every request, like `traits user_id:u1`."""
        return [f"{route} {external_id}" for route, external_id in map(_asked, self.requests)]

    async def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self.failure, Exception):
            raise self.failure
        if self.failure is not None:
            return self.failure
        route, external_id = _asked(request)
        profile = self.profiles.get(external_id)
        if profile is None:
            return httpx.Response(404, json={"error": {"code": "not_found", "message": "Profile was not found."}})
        names = request.url.params["include"].split(",")
        if route == "traits":
            traits = {name: value for name, value in profile.get("traits", {}).items() if name in names}
            return httpx.Response(200, json={"traits": traits, "cursor": LAST_PAGE})
        events = [event for event in profile.get("events", []) if event["event"] in names]
        return httpx.Response(200, json={"data": events, "cursor": LAST_PAGE})


LAST_PAGE = {"url": "", "has_more": False, "next": "", "limit": 100}


def _asked(request: httpx.Request) -> tuple[str, str]:
    *_, external_id, route = request.url.raw_path.decode().partition("?")[0].split("/")
    return route, unquote(external_id)


def event(name: str, when: str = "2026-11-20T10:00:00.000Z", /, **properties: object) -> dict[str, Any]:
    """Return an event as the Profile API writes it."""
    return {"event": name, "type": "track", "timestamp": when, "properties": properties, "message_id": f"{name}-{when}"}


def environment(**named: str) -> dict[str, str]:
    """Return an environment that makes a service, with more settings by their names."""
    required = {"SPACE_ID": SPACE, "ACCESS_TOKEN": TOKEN}
    return {f"PERSONALIZE_{name}": value for name, value in {**required, **named}.items()}


def settings_of(**named: str) -> Settings:
    return settings.load(environment(**named))


@asynccontextmanager
async def client_of(app: Starlette, headers: Mapping[str, str] | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of an application whose lifespan is open, as a server would have it."""
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://service.test",
            headers=headers,
        ) as client,
    ):
        yield client


@asynccontextmanager
async def service(api: RecordingProfileApi, **named: str) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of a service that reads a recording Profile API."""
    async with client_of(create_app(settings_of(**named), transport=api.transport)) as client:
        yield client
