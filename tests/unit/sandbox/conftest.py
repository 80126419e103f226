"""The sandbox, driven in the process, at a time that stands still."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from starlette.applications import Starlette

from personalize.sandbox import ACCESS_TOKEN, SPACE, WRITE_KEY
from personalize.sandbox.app import create_sandbox

START = datetime(2025, 11, 20, 12, 0, tzinfo=UTC)


class StillClock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


class Segment:
    """What the tests say to the sandbox, as a client of Segment would."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def read(self, external_id: str, route: str, query: str = "", **options: Any) -> httpx.Response:
        """Ask the Profile API about a user."""
        collection = options.pop("collection", "users")
        path = f"/v1/spaces/{SPACE}/collections/{collection}/profiles/{quote(external_id, safe='')}/{route}"
        return await self.http.get(f"{path}?{query}" if query else path, auth=(ACCESS_TOKEN, ""), **options)

    async def traits(self, external_id: str, query: str = "limit=200") -> dict[str, Any]:
        """Return the traits of a profile that exists."""
        answer = await self.read(external_id, "traits", query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["traits"])

    async def pages(self, external_id: str, route: str, query: str = "", **options: Any) -> list[dict[str, Any]]:
        """Return all pages of a list of a profile that exists, following the cursors' URLs as they are."""
        answer = await self.read(external_id, route, query, **options)
        assert answer.status_code == 200, answer.text
        pages = [answer.json()]
        while url := pages[-1]["cursor"]["url"]:
            pages.append((await self.http.get(url, auth=(ACCESS_TOKEN, ""))).json())
        return pages

    async def external_ids(self, external_id: str, **options: Any) -> list[str]:
        """Return the external ids of a profile that exists, each as `type:id`."""
        pages = await self.pages(external_id, "external_ids", **options)
        return [f"{known['type']}:{known['id']}" for page in pages for known in page["data"]]

    async def events(self, external_id: str, query: str = "limit=100") -> list[dict[str, Any]]:
        """Return the events of a profile that exists."""
        answer = await self.read(external_id, "events", query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"])

    async def send(self, route: str, **call: Any) -> httpx.Response:
        """Send a call to the Tracking API, whatever it answers."""
        return await self.http.post(f"/v1/{route}", json=call, auth=(WRITE_KEY, ""))

    async def post(self, route: str, body: bytes, **headers: str) -> httpx.Response:
        """Send bytes to the Tracking API."""
        return await self.http.post(f"/v1/{route}", content=body, auth=(WRITE_KEY, ""), headers=headers)

    async def drops(self) -> list[dict[str, Any]]:
        """Return the calls that were dropped, oldest first."""
        return list((await self.http.get("/sandbox/dropped")).json()["dropped"])

    async def identify(self, **call: Any) -> None:
        """Send an identify call that has to succeed."""
        assert (await self.send("identify", **call)).json() == {"success": True}

    async def group(self, **call: Any) -> None:
        """Send a group call that has to succeed."""
        assert (await self.send("group", **call)).json() == {"success": True}

    async def alias(self, **call: Any) -> None:
        """Send an alias call that has to succeed."""
        assert (await self.send("alias", **call)).json() == {"success": True}

    async def track(self, event: str, properties: dict[str, Any] | None = None, **call: Any) -> None:
        """Send a track call that has to succeed."""
        sent = await self.send("track", event=event, properties=properties, **call)
        assert sent.json() == {"success": True}


@asynccontextmanager
async def talking_to(app: Starlette) -> AsyncIterator[Segment]:
    """Run a sandbox of a test's own."""
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://sandbox.test:8100") as client,
    ):
        yield Segment(client)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
async def sandbox(clock: StillClock) -> AsyncIterator[Starlette]:
    app = create_sandbox(clock=clock, rate_limit=0)  # whose budget a clock that stands still would never refill
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def http(sandbox: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=sandbox)
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox.test:8100") as client:
        yield client


@pytest.fixture
def segment(http: httpx.AsyncClient) -> Segment:
    return Segment(http)
