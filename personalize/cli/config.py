"""`personalize check-config`."""

import asyncio
from collections.abc import Iterator

import typer
from prometheus_client import CollectorRegistry

from personalize import server, settings
from personalize.app import cached_profiles
from personalize.settings import Settings
from personalize.telemetry.metrics import Metrics
from personalize.web import snippet

SPACE_LIMIT = 100
"""Requests/s that Segment takes for a whole space (Profile API documentation: Rate limits)."""

SERVICE = "https://personalize.example.com"
"""Stands for where browsers find the service, which it does not know itself."""


def check_config() -> None:
    """Print the settings in effect, secrets masked; say all that is wrong with them, and warn of what may be.

    Redis is asked how it is set up, if there is one; Segment is not.
    """
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
    if loaded.redis_url is not None:
        yield from asyncio.run(_redis_warnings(loaded))


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
