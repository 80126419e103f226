"""`personalize purge`: forget a person everywhere, now."""

import asyncio
from functools import partial

import typer
from prometheus_client import CollectorRegistry

from personalize import settings
from personalize.app.ids import id_rules
from personalize.app.profiles import Profiles, cached_profiles
from personalize.errors import BadParameter, ConfigurationError, ProfileApiError, ProfileNotFound
from personalize.model import Collection, ExternalId
from personalize.ports import Errand
from personalize.profile_api.client import turned
from personalize.telemetry.metrics import Metrics

MAX_PAGES = 20
"""Pages of ids that are asked for: 500 ids of one person."""

SECONDS = 5.0
"""What Segment may take to name a person's ids."""

NOT_TAKEN = 3


def purge(external_ids: list[str], collection: Collection) -> None:
    """Forget a person, and say whether that was taken."""
    loaded = settings.load()
    if loaded.redis_url is None:
        raise ConfigurationError(
            "PERSONALIZE_REDIS_URL is not set: each process remembers for itself, and only its restart makes it forget."
        )
    try:
        named = [id_rules(loaded).parsed("external_id", one) for one in external_ids]
    except BadParameter as error:
        raise typer.BadParameter(str(error)) from None
    profiles = cached_profiles(loaded, Metrics(CollectorRegistry()))
    taken = asyncio.run(_purged(profiles, collection, named))
    if not taken:
        typer.echo("Redis did not take it: they may still be served. Try again.", err=True)
        raise typer.Exit(NOT_TAKEN)
    typer.echo("Forgotten, in Redis and in every process.")


async def _purged(profiles: Profiles, collection: Collection, named: list[ExternalId]) -> bool:
    async with profiles.opened():
        others = [other for one in named for other in await _others(profiles, collection, one)]
        return await profiles.source.forget(collection, [*named, *others])


async def _others(profiles: Profiles, collection: Collection, one: ExternalId) -> list[ExternalId]:
    """Return the ids that Segment knows of the same person; none, and a word about it, if it cannot be asked."""
    found: list[ExternalId] = []
    try:
        async with asyncio.timeout(SECONDS):
            errand = Errand("server", asyncio.get_running_loop().time() + SECONDS)
            call = partial(profiles.client.external_ids, collection, one)
            pages = turned(lambda cursor: profiles.guard.run(partial(call, next_page=cursor), errand), most=MAX_PAGES)
            async for page in pages:
                found += [ExternalId(told.type, told.id) for told in page.data]
    except ProfileNotFound:
        return []
    except (ProfileApiError, TimeoutError) as error:
        reason = str(error) or "it did not answer in time."
        typer.echo(
            f"Segment could not name the person's other ids, only those known here are forgotten: {reason}", err=True
        )
    return found
