"""The composition root: settings become an application. Nothing is opened before its lifespan begins."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeAlias

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from personalize import registry, sandbox
from personalize.cache.entry import Ages
from personalize.cache.inbox import Inbox
from personalize.cache.memory import MemoryStore
from personalize.cache.source import CachedSource
from personalize.declare import NO_DEFAULT
from personalize.engine import Engine
from personalize.engine.memo import Memo
from personalize.errors import ConfigurationError, PersonalizeError, RecipeLoadError
from personalize.fleet.budget import Budget
from personalize.model import Posts, Products
from personalize.needs import Items, Plan
from personalize.overrides import overridden
from personalize.ports import ItemProvider
from personalize.profile_api.client import REGIONS, ProfileClient, Transport
from personalize.profile_api.guard import Guard
from personalize.profile_api.sections import SectionReader
from personalize.profile_api.token import AccessToken
from personalize.providers.fetch import new_client
from personalize.providers.fixed import Fixed
from personalize.providers.plugins import load_providers
from personalize.providers.poll import Polled
from personalize.providers.posts import posts_from
from personalize.providers.products import products_from
from personalize.providers.variants import EXAMPLE, variants_from
from personalize.registry import Registry
from personalize.settings import Settings
from personalize.telemetry import exposition, logs
from personalize.telemetry.exposition import Exposition
from personalize.telemetry.metrics import Metrics
from personalize.telemetry.pseudonym import Pseudonyms
from personalize.telemetry.pulse import Pulse
from personalize.trust.access import Callers
from personalize.trust.addresses import Proxies
from personalize.trust.identity import IdentityTokens
from personalize.trust.ids import IdRules
from personalize.trust.keys import ApiKeys
from personalize.trust.limits import Limits
from personalize.trust.origins import Origins
from personalize.trust.signature import Signatures
from personalize.web.access_log import AccessLog, Answers
from personalize.web.clients import Clients
from personalize.web.console import Console
from personalize.web.desk import Desk
from personalize.web.erasure import Erasure, ErasureAnswers
from personalize.web.fragments import Fragments
from personalize.web.lane import ShortLane
from personalize.web.middleware import Cors, LastLine, RequestIds
from personalize.web.openapi import document
from personalize.web.operations import Numbers, Operations
from personalize.web.pages import PageAnswers
from personalize.web.recipes import RecipeAnswers
from personalize.web.routes import failed, refused, routes
from personalize.web.tallies import Tallies
from personalize.web.vitals import Vitals
from personalize.web.warm import WarmAnswers
from personalize.web.webhook import Webhook

if TYPE_CHECKING:
    from personalize.cache.redis import RedisStore
    from personalize.fleet.connection import Connection

Application: TypeAlias = Starlette
"""What the service is to those who run it."""

Lifespan = Callable[[Application], AbstractAsyncContextManager[None]]


def create_app(
    settings: Settings,
    *,
    recipes: Registry | None = None,
    transport: Transport | None = None,
    clock: Callable[[], float] = time.monotonic,
    metrics: Metrics | None = None,
    shown: Exposition | None = None,
    leaving: Callable[[], bool] = lambda: False,
) -> Application:
    """Return the service as an ASGI application.

    Args:
        settings: what the deployment says about itself.
        recipes: those that the settings name, if they are loaded already.
        transport: carries requests to the Profile API in place of the pool, in a test.
        clock: the time in seconds by which clients' limits are reckoned.
        metrics: what counts; where an application follows another one, that one's, for a counter never falls.
        shown: shows the metrics at `/metrics`, in place of those of this process alone.
        leaving: whether the process was told to go.

    Raises:
        RecipeLoadError: a recipe cannot be loaded, or asks for a provider that there is not.
        ProviderLoadError: an installed provider cannot be made.
        SettingsError: a setting is of no installed provider, or an override of no recipe.
        ConfigurationError: several processes are pushed changes, and could not tell each other; or the console would be
            open to all.
    """
    metrics = metrics or Metrics(CollectorRegistry())
    recipes = recipes or load_recipes(settings)
    access_log = AccessLog(settings.logged_share, _pseudonyms(settings))
    warm = WarmAnswers(Tallies(metrics), access_log, browser_ttl=settings.browser_ttl)
    parts = assemble(settings, recipes, metrics, transport, forgotten=warm.forget)
    rules = id_rules(settings)
    tokens = IdentityTokens(settings.identity_keys, audience=settings.identity_audience, rules=rules)
    desk = Desk(
        recipes,
        parts.engine,
        callers=Callers(ApiKeys(settings.api_keys), tokens),
        clients=_clients(settings, metrics, clock),
        rules=rules,
        deadline=settings.deadline,
        metrics=metrics,
    )
    fragments = Fragments(recipes.values())
    one = RecipeAnswers(desk, fragments, browser_ttl=settings.browser_ttl)
    many = PageAnswers(desk, browser_ttl=settings.browser_ttl)
    erasure = Erasure(parts.profiles.source.forget, reaches_all=_reaches_all(settings))
    webhook = _webhook(settings, parts, erasure, desk)
    console = _console(settings, desk, fragments, parts)
    described = document(recipes, desk.rules, webhook=webhook is not None)
    operations = Operations(leaving, version("personalize"), parts.states)
    numbers = None if settings.metrics_port else Numbers(shown or exposition.of_process(metrics.registry))
    table = routes(one, many, ErasureAnswers(desk, erasure), webhook, console, operations, numbers, described=described)
    app = Starlette(
        routes=table,
        middleware=[
            Middleware(ShortLane, answers=warm, traced=settings.traces_url is not None),
            Middleware(Answers, access_log=access_log, metrics=metrics, routes=table),
            Middleware(RequestIds),
            Middleware(Cors, origins=Origins(settings.allowed_origins)),
            Middleware(LastLine),
        ],
        exception_handlers={PersonalizeError: failed, HTTPException: refused},
        lifespan=_lifespan(parts, recipes, warm, webhook, Pulse(metrics, version=version("personalize"))),
    )
    app.router.redirect_slashes = False  # a path is exact, for a cache in front as for us
    return app


def create_metrics_app(shown: Exposition) -> Application:
    """Return what shows the metrics alone, for a port of their own."""
    return Starlette(routes=[Route("/metrics", Numbers(shown).metrics, methods=["GET"])])


def load_recipes(settings: Settings) -> Registry:
    """Return the recipes that the settings name and those of installed distributions, as the deployment wants them.

    Raises:
        RecipeLoadError: a recipe cannot be loaded.
        SettingsError: an override fits no recipe.
    """
    return overridden(registry.load(settings.recipes), settings.overrides)


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


@dataclass(frozen=True, slots=True)
class Parts:
    """What is opened when the service starts and closed when it stops."""

    plan: Plan
    engine: Engine
    profiles: Profiles
    providers: Mapping[str, ItemProvider]
    contexts: tuple[AbstractAsyncContextManager[object], ...]

    def states(self) -> Mapping[str, str]:
        """Return how each dependency is, in words that tell nothing of where it is."""
        connection = self.profiles.connection
        return {
            "profile_api": self.profiles.guard.state,
            "redis": "not configured" if connection is None else connection.state,
            **{name: one.state for name, one in self.providers.items() if isinstance(one, Polled)},
        }

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Engine]:
        """Open the parts while the body runs, and close them again in reverse."""
        async with AsyncExitStack() as stack:
            stack.callback(self.engine.close)
            for context in self.contexts:
                await stack.enter_async_context(context)
            await stack.enter_async_context(self.profiles.opened())
            yield self.engine


def assemble(
    settings: Settings,
    recipes: Registry,
    metrics: Metrics,
    transport: Transport | None = None,
    *,
    forgotten: Callable[[], None] = lambda: None,
) -> Parts:
    """Return what answers recipes, without the web around it; arguments are those of `cached_profiles`."""
    memo = Memo(metrics)

    def forget() -> None:
        memo.forget()
        forgotten()

    profiles = cached_profiles(settings, metrics, transport, forgotten=forget)
    providers, contexts = _providers(settings, recipes, metrics)
    plan = Plan((recipe.wanted for recipe in recipes.values()), ttl_max=settings.cache_ttl)
    engine = Engine(plan, profiles.source, providers, metrics=metrics, memo=memo)
    return Parts(plan, engine, profiles, providers, contexts)


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
    token, pseudonyms = access_token(settings), _pseudonyms(settings)
    space = pseudonyms("spaces", settings.space_id)
    if settings.redis_url is not None and settings.hash_key is None:
        logs.hash_key_derived()
    client = profile_client(settings, token, metrics, transport)
    connection = _connection(settings, metrics)
    budget = Budget(
        connection, name=space, rate=settings.rate_limit, metrics=metrics, fleet_size=settings.fleet_size or 1
    )
    guard = Guard(budget, metrics=metrics, reread_token=token.reread)
    source = CachedSource(
        SectionReader(client, guard),
        MemoryStore(keep=settings.stale_ttl, metrics=metrics),
        None if connection is None else _shared(settings, connection, space, metrics),
        pseudonyms=pseudonyms,
        ages=Ages(revalidate=settings.revalidate_ttl, stale=settings.stale_ttl, negative=settings.negative_ttl),
        metrics=metrics,
        forgotten=forgotten,
    )
    return Profiles(source, client, guard, connection)


def _connection(settings: Settings, metrics: Metrics) -> "Connection | None":
    """Return the connection to Redis, where there is one. Only then is redis-py loaded: a tenth of a start."""
    if settings.redis_url is None:
        return None
    from personalize.fleet.connection import Connection  # noqa: PLC0415 -- see above

    return Connection(settings.redis_url.get_secret_value(), metrics=metrics)


def _shared(settings: Settings, connection: "Connection", space: str, metrics: Metrics) -> "RedisStore":
    """Return the tier that replicas of one space share."""
    from personalize.cache.redis import Expiry, RedisStore  # noqa: PLC0415 -- as with the connection
    from personalize.fleet.invalidations import Invalidations  # noqa: PLC0415 -- the same
    from personalize.fleet.lock import Locks  # noqa: PLC0415 -- the same

    invalidations = Invalidations(connection, channel=f"personalize:forgotten:{space}", metrics=metrics)
    expires = Expiry(known=settings.stale_ttl, unknown=2 * settings.negative_ttl + 1)
    return RedisStore(connection, Locks(connection), invalidations, expires)


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


def id_rules(settings: Settings) -> IdRules:
    """Return which external ids the settings accept."""
    return IdRules(frozenset(settings.id_types), pii=settings.pii_ids, lowercase=settings.lowercase_external_ids)


def _clients(settings: Settings, metrics: Metrics, clock: Callable[[], float]) -> Clients:
    """Return who knows a request's client, and how often each may let the Profile API be read."""
    limits = Limits(settings.client_rate_limit, fleet_size=settings.fleet_size or 1, metrics=metrics, clock=clock)
    return Clients(limits, Proxies(settings.trusted_proxies))


def _pseudonyms(settings: Settings) -> Pseudonyms:
    if settings.hash_key is not None:
        # With the space, for staging and production may share both a key and a Redis.
        return Pseudonyms(f"{settings.hash_key.get_secret_value()}\0{settings.space_id}".encode())
    return Pseudonyms.of_space(settings.space_id)


def _providers(
    settings: Settings, recipes: Registry, metrics: Metrics
) -> tuple[Mapping[str, ItemProvider], tuple[AbstractAsyncContextManager[object], ...]]:
    """Return the providers by name, and what has to be entered, in order, for them to have items.

    Where a setting says what posts or products are, it counts before an installed provider of that name.
    """
    web = new_client(private=settings.private_feeds)
    polled: dict[str, ItemProvider] = {}
    if settings.posts_url:
        polled["posts"] = posts_from(settings.posts_url, web, metrics)
    if settings.products_url:
        polled["products"] = products_from(settings.products_url, web, metrics)
    if settings.variants_url:
        polled["variants"] = variants_from(settings.variants_url, web, metrics)
    wanted = {name for recipe in recipes.values() for name in recipe.providers}
    told = {key: value.get_secret_value() for key, value in settings.provider.items()}
    configured = {**load_providers(wanted - polled.keys(), told), **polled}
    fixed = (Fixed("posts", Posts()), Fixed("products", Products()), Fixed("variants", EXAMPLE))
    providers = {**{one.name: one for one in fixed}, **configured}
    _check_providers(recipes, providers)
    for name in _missing(recipes, configured):
        logs.provider_missing(name, f"PERSONALIZE_{name.upper()}_URL")
    managed = (one for one in configured.values() if isinstance(one, AbstractAsyncContextManager))
    return providers, (web, *managed)


def _check_providers(recipes: Registry, providers: Mapping[str, ItemProvider]) -> None:
    for recipe in recipes.values():
        for name in recipe.providers - providers.keys():
            there = ", ".join(sorted(providers))
            reason = f"no provider is named {name!r}; there is {there}. Name one of them, or install what brings it"
            raise RecipeLoadError(recipe.where, reason)


def _missing(recipes: Registry, configured: Mapping[str, ItemProvider]) -> list[str]:
    """Return the providers without which a recipe has nothing to show: it declares no default for their items."""
    needs = (one for recipe in recipes.values() for one in recipe.parameters if one.default is NO_DEFAULT)
    needed = {one.need.provider for one in needs if isinstance(one.need, Items)} - {"variants"}  # there is an example
    return sorted(needed - configured.keys())


def _reaches_all(settings: Settings) -> bool:
    """Whether what one process is told reaches all of the deployment."""
    return settings.redis_url is not None or (settings.fleet_size or 1) == 1


def _webhook(settings: Settings, parts: Parts, erasure: Erasure, desk: Desk) -> Webhook | None:
    """Return what Segment pushes to, where there is a secret for it."""
    if settings.webhook_secret is None:
        return None
    if not _reaches_all(settings):
        raise ConfigurationError(
            "PERSONALIZE_WEBHOOK_SECRET: a pushed change reaches one of several processes, and they cannot tell each "
            "other: set PERSONALIZE_REDIS_URL, or serve with one worker (and FLEET_SIZE 1)."
        )
    return Webhook(
        Signatures(settings.webhook_secret.get_secret_value().encode()),
        erasure,
        Inbox(parts.profiles.source.amend, metrics=desk.metrics),
        rules=desk.rules,
        reads=parts.plan.reads,
        window=settings.stale_ttl,
        metrics=desk.metrics,
    )


def _console(settings: Settings, desk: Desk, fragments: Fragments, parts: Parts) -> Console | None:
    """Return the console, where anybody may use it; without a key only where nobody is who they seem to be."""
    if settings.console == "open" and settings.space_id != sandbox.SPACE:
        raise ConfigurationError(
            "PERSONALIZE_CONSOLE: `open` would tell everybody about anybody of this space: it is for the sandbox "
            "(`serve --sandbox`). Use `keys`, and an API key."
        )
    if settings.console == "off" or (settings.console == "keys" and not settings.api_keys):
        return None
    vitals = Vitals(desk.metrics, budget=settings.rate_limit)
    return Console(desk, fragments, parts.providers, vitals, open_to_all=settings.console == "open")


def _lifespan(parts: Parts, recipes: Registry, warm: WarmAnswers, webhook: Webhook | None, pulse: Pulse) -> Lifespan:
    """Return what opens the parts and closes them again, and tells of both."""

    @asynccontextmanager
    async def lifespan(_: Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(logs.service_stopped)
            await stack.enter_async_context(parts.opened())
            if webhook is not None:
                await stack.enter_async_context(webhook.inbox.opened())
            await stack.enter_async_context(warm.tallies.flushing())
            await stack.enter_async_context(pulse.beating())
            logs.service_started(len(recipes))
            yield

    return lifespan
