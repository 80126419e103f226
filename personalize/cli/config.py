"""`personalize check-config`."""

import asyncio
import contextlib
from collections.abc import Iterator

import httpx
import typer
from prometheus_client import CollectorRegistry

from personalize import server, settings
from personalize.app.profiles import cached_profiles
from personalize.providers.fetch import is_web, without_secrets
from personalize.providers.transport import CheckedTransport, NotPublic
from personalize.settings import Settings
from personalize.telemetry.metrics import Metrics
from personalize.web import snippet

SPACE_LIMIT = 100
"""Requests/s that Segment takes for a whole space (Profile API documentation: Rate limits)."""

SERVICE = "https://personalize.example.com"
"""Stands for where browsers find the service, which it does not know itself."""


def check() -> None:
    """Print the settings in effect; warn of what may be wrong."""
    loaded = settings.load()
    service = server.Service(loaded)
    for name, value, purpose in loaded.effective():
        typer.echo(f"# {purpose}\n{name}={value}\n")
    typer.echo(f"# In pages: {snippet.tag(SERVICE)}\n")
    typer.echo(f"# Recipes: {', '.join(service.recipes)}")
    for warning in _warnings(loaded):
        typer.echo(f"Warning: {warning}", err=True)


def _warnings(loaded: Settings) -> Iterator[str]:
    if loaded.rate_limit > SPACE_LIMIT:
        yield f"PERSONALIZE_RATE_LIMIT is above the {SPACE_LIMIT} requests/s that Segment takes for a whole space."
    yield from asyncio.run(_content_warnings(loaded))
    if loaded.redis_url is not None:
        yield from asyncio.run(_redis_warnings(loaded))


async def _content_warnings(loaded: Settings) -> list[str]:
    """Return which sources of content would not be asked, for they are at private addresses."""
    locations = (*loaded.posts_url, *loaded.products_url, *filter(None, [loaded.variants_url]))
    async with CheckedTransport(private=loaded.private_feeds) as transport:
        private = [location for location in filter(is_web, locations) if await _is_refused(location, transport)]
    return [
        f"{without_secrets(location)} is at a private address: it is not asked without PERSONALIZE_PRIVATE_FEEDS=true."
        for location in private
    ]


async def _is_refused(location: str, transport: CheckedTransport) -> bool:
    with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL):  # what is wrong besides, the service will tell
        try:
            await transport.addresses(httpx.URL(location))
        except NotPublic:
            return True
    return False


async def _redis_warnings(loaded: Settings) -> list[str]:
    """Return what speaks against the Redis that the settings name, as a cache."""
    profiles = cached_profiles(loaded, Metrics(CollectorRegistry()))
    async with profiles.opened():
        connection = profiles.connection
        memory = await connection.memory() if connection is not None else None
    if memory is None:
        return ["Redis does not answer. The service starts all the same, and each process remembers for itself."]
    if memory.limit == 0:
        return ["Redis has no memory limit: set its maxmemory, with the policy allkeys-lfu."]
    if not memory.policy.startswith("allkeys-"):
        return [f"Redis' policy is {memory.policy}: once it is full it may keep nothing new. Set it to allkeys-lfu."]
    return []
