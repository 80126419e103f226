"""What answers recipes, without the web around it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from personalize.app.profiles import Profiles, cached_profiles
from personalize.app.providers import providers_of
from personalize.engine import Engine
from personalize.engine.memo import Memo
from personalize.needs import Plan
from personalize.ports import ItemProvider
from personalize.profile_api.client import Transport
from personalize.providers.poll import Polled
from personalize.registry import Registry
from personalize.settings import Settings
from personalize.telemetry.metrics import Metrics


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
                if not isinstance(context, Polled):
                    await stack.enter_async_context(context)
            await self._first_items(stack)
            await stack.enter_async_context(self.profiles.opened())
            yield self.engine

    async def _first_items(self, stack: AsyncExitStack) -> None:
        """Let all polled providers load at once, so that those that hang cost a start no more than one does."""
        polled = [one for one in self.contexts if isinstance(one, Polled)]
        for one in polled:
            stack.push_async_exit(one)
            one.begin()
        await asyncio.gather(*(one.attempted() for one in polled))


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
    providers, contexts = providers_of(settings, recipes, metrics)
    plan = Plan((recipe.wanted for recipe in recipes.values()), ttl_max=settings.cache_ttl)
    engine = Engine(plan, profiles.source, providers, metrics=metrics, memo=memo)
    return Parts(plan, engine, profiles, providers, contexts)
