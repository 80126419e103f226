"""The service as an ASGI application, of its parts."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from personalize import sandbox
from personalize.app.ids import id_rules
from personalize.app.parts import Parts, assemble
from personalize.app.profiles import pseudonyms_of
from personalize.app.recipes import load_recipes
from personalize.cache.inbox import Inbox
from personalize.errors import ConfigurationError, PersonalizeError
from personalize.installed import version
from personalize.profile_api.client import Transport
from personalize.registry import Registry
from personalize.settings import Settings
from personalize.telemetry import exposition, logs
from personalize.telemetry.exposition import Exposition
from personalize.telemetry.metrics import Metrics
from personalize.telemetry.pulse import Pulse
from personalize.trust.access import Callers
from personalize.trust.addresses import Proxies
from personalize.trust.identity import IdentityTokens
from personalize.trust.keys import ApiKeys
from personalize.trust.limits import Limits
from personalize.trust.origins import Origins
from personalize.trust.signature import Signatures
from personalize.web.access_log import AccessLog, Answers
from personalize.web.clients import Clients
from personalize.web.console import Console
from personalize.web.desk import Desk
from personalize.web.erasure import Erasure, ErasureAnswers
from personalize.web.exposures import Exposures as Exposed
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
from personalize.web.warm import Reply, WarmAnswers
from personalize.web.webhook import Webhook

if TYPE_CHECKING:
    from personalize.destination.exposures import Exposures


class Application(Starlette):
    """What the service is to those who run it: Starlette, but that a short lane comes before it, where there is one."""

    lane: ShortLane | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or open and close the service."""
        await (self.lane or super().__call__)(scope, receive, send)

    def at_once(self, scope: Scope) -> Reply | None:
        """Return the answer to a request that can be given without waiting for anything."""
        return None if self.lane is None else self.lane.at_once(scope)


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
    metrics = (metrics or Metrics(CollectorRegistry())).of_application()
    recipes = recipes or load_recipes(settings)
    metrics.begin(recipes)
    access_log = AccessLog(settings.logged_share, pseudonyms_of(settings))
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
    operations = Operations(leaving, version(), parts.states)
    exposures = _exposures(settings, metrics)
    show = shown or exposition.of_process(metrics.registry)
    numbers = None if settings.metrics_port else Numbers(show, warm.tallies.flush)
    described = document(recipes, desk.rules, webhook=webhook is not None, metrics=numbers is not None)
    table = routes(one, many, ErasureAnswers(desk, erasure), webhook, console, operations, numbers, described=described)
    origins = Origins(settings.allowed_origins)
    app = Application(
        routes=table,
        middleware=[
            Middleware(Answers, access_log=access_log, metrics=metrics, routes=table),
            *([Middleware(Exposed, tell=exposures.tell)] if exposures else []),
            Middleware(RequestIds),
            Middleware(Cors, origins=origins),
            Middleware(LastLine),
        ],
        exception_handlers={PersonalizeError: failed, HTTPException: refused},
        lifespan=_lifespan(parts, recipes, warm, webhook, exposures, Pulse(metrics, version=version())),
    )
    if exposures is None:
        whole_way = partial(Starlette.__call__, app)
        app.lane = ShortLane(whole_way, warm, origins, one, traced=settings.traces_url is not None)
    app.router.redirect_slashes = False  # a path is exact, for a cache in front as for us
    return app


def create_metrics_app(shown: Exposition) -> Starlette:
    """Return what shows the metrics alone, for a port of their own."""
    return Starlette(routes=[Route("/metrics", Numbers(shown).metrics, methods=["GET"])])


def _clients(settings: Settings, metrics: Metrics, clock: Callable[[], float]) -> Clients:
    """Return who knows a request's client, and how often each may let the Profile API be read."""
    limits = Limits(settings.client_rate_limit, fleet_size=settings.fleet_size or 1, metrics=metrics, clock=clock)
    return Clients(limits, Proxies(settings.trusted_proxies))


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


def _exposures(settings: Settings, metrics: Metrics) -> "Exposures | None":
    """Return what tells Segment of recommendations, where that is wished for."""
    if not settings.exposures:
        return None
    from personalize.app import exposing  # noqa: PLC0415 -- the destination's modules, for those alone who write back

    return exposing.exposures(settings, metrics)


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


def _lifespan(
    parts: Parts,
    recipes: Registry,
    warm: WarmAnswers,
    webhook: Webhook | None,
    exposures: "Exposures | None",
    pulse: Pulse,
) -> Lifespan:
    """Return what opens the parts and closes them again, and tells of both."""

    @asynccontextmanager
    async def lifespan(_: Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(logs.service_stopped)
            await stack.enter_async_context(parts.opened())
            if webhook is not None:
                await stack.enter_async_context(webhook.inbox.opened())
            if exposures is not None:
                await stack.enter_async_context(exposures.opened())
            await stack.enter_async_context(warm.tallies.flushing())
            await stack.enter_async_context(pulse.beating())
            logs.service_started(len(recipes))
            yield

    return lifespan
