"""A whole service in memory: every layer is there but the sockets, and Segment is a recording Profile API."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette

from personalize import settings
from personalize.app.application import create_app
from personalize.registry import Registry
from personalize.settings import PREFIX
from personalize.testing.recording import RecordingProfileApi

API_KEY = "fake-key-of-a-test-server"
"""The key by which a test asks as one of our own servers: `headers={"Authorization": f"Bearer {API_KEY}"}`."""

REQUIRED = {"SPACE_ID": "space1", "ACCESS_TOKEN": "fake-token-never-shown"}


@asynccontextmanager
async def service(
    api: RecordingProfileApi, recipes: Registry | None = None, /, **named: str
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of a service that reads a recording Profile API.

    Args:
        api: whom it asks; its `calls` are what Segment would have counted.
        recipes: those of `recipes_beside(__file__)`; left out, those that the settings name.
        named: settings by their names in capitals, without the prefix; the environment's own do not count. Without
            `CLIENT_RATE_LIMIT` a test may ask for as many visitors at once as it likes.
    """
    values = {**REQUIRED, "API_KEYS": f"tests:{API_KEY}", "CLIENT_RATE_LIMIT": "0", **named}
    loaded = settings.load({PREFIX + name: value for name, value in values.items()})
    async with client_of(create_app(loaded, recipes=recipes, transport=api.transport)) as client:
        yield client


@asynccontextmanager
async def client_of(app: Starlette, headers: Mapping[str, str] | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of an application whose lifespan is open, as a server would have it."""
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://service.test",
            headers=headers,
        ) as client,
    ):
        yield client
