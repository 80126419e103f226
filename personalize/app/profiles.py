"""Profiles, as the settings have them: the Profile API behind its guard and the tiers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from personalize.cache.entry import Ages
from personalize.cache.memory import MemoryStore
from personalize.cache.source import CachedSource
from personalize.fleet.budget import Budget
from personalize.profile_api.client import REGIONS, ProfileClient, Transport
from personalize.profile_api.guard import Guard
from personalize.profile_api.sections import SectionReader
from personalize.profile_api.token import AccessToken
from personalize.settings import Settings
from personalize.telemetry import logs
from personalize.telemetry.metrics import Metrics
from personalize.telemetry.pseudonym import Pseudonyms

if TYPE_CHECKING:
    from personalize.cache.redis import RedisStore
    from personalize.fleet.connection import Connection


@dataclass(frozen=True, slots=True)
class Profiles:
    """Where profiles come from: the source, and what is opened and closed with it."""

    source: CachedSource
    client: ProfileClient
    guard: Guard
    connection: "Connection | None"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Profiles"]:
        """Hear from the other replicas while the body runs; then end all that is under way, and close everything."""
        listening = asyncio.create_task(self.source.listen(), name="invalidations")
        try:
            yield self
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await self.source.aclose()
            await self.client.aclose()
            if self.connection is not None:
                await self.connection.aclose()


def cached_profiles(
    settings: Settings,
    metrics: Metrics,
    transport: Transport | None = None,
    *,
    forgotten: Callable[[], None] = lambda: None,
) -> Profiles:
    """Return the Profile API behind its guard and the tiers.

    Args:
        settings: what the deployment says about itself.
        metrics: counts.
        transport: carries requests to the Profile API in place of the pool.
        forgotten: called whenever people are forgotten, for what else there is of them.
    """
    token, pseudonyms = access_token(settings), pseudonyms_of(settings)
    space = pseudonyms("spaces", settings.space_id)
    if settings.redis_url is not None and settings.hash_key is None:
        logs.hash_key_derived()
    client = profile_client(settings, token, metrics, transport)
    connection, budget, shared = _fleet(settings, space, metrics)
    guard = Guard(budget, metrics=metrics, reread_token=token.reread)
    source = CachedSource(
        SectionReader(client, guard),
        MemoryStore(keep=settings.stale_ttl, metrics=metrics),
        shared,
        pseudonyms=pseudonyms,
        ages=Ages(revalidate=settings.revalidate_ttl, stale=settings.stale_ttl, negative=settings.negative_ttl),
        metrics=metrics,
        forgotten=forgotten,
    )
    return Profiles(source, client, guard, connection)


def access_token(settings: Settings) -> AccessToken:
    """Return the access token, and where to look for the one that will replace it."""
    return AccessToken(settings.access_token.get_secret_value(), settings.access_token_file)


def profile_client(
    settings: Settings, token: AccessToken, metrics: Metrics, transport: Transport | None = None
) -> ProfileClient:
    """Return a client of the space that the settings name."""
    return ProfileClient(
        space_id=settings.space_id,
        access_token=token,
        base_url=settings.profile_api_url or REGIONS[settings.region],
        transport=transport,
        metrics=metrics,
    )


def pseudonyms_of(settings: Settings) -> Pseudonyms:
    """Return what turns ids into the names that stand for them outside of memory."""
    if settings.hash_key is not None:
        # With the space, for staging and production may share both a key and a Redis.
        return Pseudonyms(f"{settings.hash_key.get_secret_value()}\0{settings.space_id}".encode())
    return Pseudonyms.of_space(settings.space_id)


def _fleet(settings: Settings, space: str, metrics: Metrics) -> "tuple[Connection | None, Budget, RedisStore | None]":
    """Return the connection to Redis, the budget, and the tier that replicas share, as far as there is a Redis."""
    budget = partial(Budget, name=space, rate=settings.rate_limit, metrics=metrics, fleet_size=settings.fleet_size or 1)
    if settings.redis_url is None:
        return None, budget(None), None
    from personalize.app import redis_tier  # noqa: PLC0415 -- redis-py, a tenth of a start, for those alone who have one

    return redis_tier.connected(settings, settings.redis_url.get_secret_value(), space, budget, metrics)
