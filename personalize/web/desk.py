"""The desk that every question about a visitor comes to: who asks, until when, and what the engine says."""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace
from starlette.requests import Request

from personalize.engine import Call, Engine, Outcome
from personalize.errors import TooManyRequests
from personalize.fleet.patience import hurried
from personalize.model import Visitor
from personalize.registry import AnyRecipe, Registry
from personalize.telemetry.metrics import Metrics
from personalize.trust import access
from personalize.trust.access import Caller, Callers
from personalize.trust.ids import IdRules
from personalize.web.clients import Clients

SERVER_DEADLINE = 0.3
"""Seconds that a server-to-server request waits: a back end that assembles a page has less time than a browser."""


class Desk:
    """What one recipe and a whole page have in common.

    Args:
        registry: the recipes.
        engine: runs them.
        callers: tells who asks.
        clients: know whom a request counts for.
        rules: which ids may be asked about.
        deadline: seconds that a browser's request waits, where it does not say.
        metrics: counts answers by recipe and outcome.
    """

    def __init__(
        self,
        registry: Registry,
        engine: Engine,
        *,
        callers: Callers,
        clients: Clients,
        rules: IdRules,
        deadline: float,
        metrics: Metrics,
    ) -> None:
        self._registry = registry
        self._engine = engine
        self._callers = callers
        self._clients = clients
        self.deadline = deadline
        self.rules = rules
        self.metrics = metrics

    def find(self, name: str) -> AnyRecipe:
        """Return a recipe, or raise `UnknownRecipe`."""
        return self._registry.find(name)

    def caller(self, request: Request) -> Caller:
        """Return who asks; raise `BadCredentials` for a proof that is none."""
        return self._callers.identify(request.headers.getlist("Authorization"))

    async def serve(
        self, request: Request, calls: Sequence[Call], visitor: Visitor, caller: Caller, seconds: float | None
    ) -> list[Outcome]:
        """Answer calls about one visitor, within the seconds that the caller said, if it said any.

        Raises:
            TooManyRequests: one of our own servers has asked for too much, and so something is missing. A browser in
                its place gets the answers that there are: a page has no use for an error.
        """
        ours = caller.server is not None
        usual = min(self.deadline, SERVER_DEADLINE) if ours else self.deadline
        deadline = asyncio.get_running_loop().time() + (usual if seconds is None else seconds)
        allowance = self._clients.allowance(request, caller)
        with hurried():
            outcomes = await self._engine.serve(
                calls, proved(visitor, caller), deadline, "server" if ours else "page", allowance
            )
        if ours and allowance.wait and any(one.degraded for one in outcomes):
            raise TooManyRequests(allowance.wait)
        return outcomes


def proved(visitor: Visitor, caller: Caller) -> Visitor:
    """Return a visitor with whether the caller has shown that the ids are one person's."""
    return replace(visitor, proven=True) if access.shown(visitor, caller) else visitor
