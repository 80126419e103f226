"""Answering recipes."""

import asyncio
import time

from starlette.requests import Request
from starlette.responses import Response

from personalize.engine import Call, Engine, Outcome
from personalize.errors import PersonalizeError, UnknownRecipe
from personalize.ports import Priority
from personalize.registry import AnyRecipe, Registry
from personalize.telemetry.metrics import Metrics
from personalize.trust import access
from personalize.trust.access import Caller
from personalize.trust.ids import IdRules
from personalize.trust.keys import ApiKeys
from personalize.web import params, responses

SERVER_DEADLINE = 0.3
"""Seconds that a server-to-server request waits: a back end that assembles a page has less time than a browser."""


class RecipeAnswers:
    """`GET /api/{recipe}`: one recipe about one visitor.

    Args:
        registry: the recipes.
        engine: runs them.
        keys: recognises our own servers.
        rules: which ids may be asked about.
        deadline: seconds that a browser's request waits.
        browser_ttl: seconds that a browser may keep an answer at most.
        metrics: counts answers by recipe and outcome.
    """

    def __init__(
        self,
        registry: Registry,
        engine: Engine,
        *,
        keys: ApiKeys,
        rules: IdRules,
        deadline: float,
        browser_ttl: float,
        metrics: Metrics,
    ) -> None:
        self._registry = registry
        self._engine = engine
        self._keys = keys
        self._rules = rules
        self._deadline = deadline
        self._browser_ttl = browser_ttl
        self._metrics = metrics

    async def get(self, request: Request) -> Response:
        """Answer one recipe, and count how it went."""
        started = time.perf_counter()
        name, label = request.path_params["recipe"], PersonalizeError.label
        try:
            recipe = self._registry.find(name)
            caller = access.identify(request.headers.get("Authorization"), self._keys)
            outcome = await self._outcome(recipe, request, caller)
            label = outcome.provenance
        except PersonalizeError as error:
            name = "unknown" if isinstance(error, UnknownRecipe) else name  # a label is never the caller's own word
            label = error.label
            raise
        finally:
            self._metrics.requests.labels(name, label).inc()
            self._metrics.request_seconds.labels(name).observe(time.perf_counter() - started)
        if outcome.error is not None:
            raise outcome.error
        explained = caller.server is not None
        return responses.answer(outcome, request, browser_ttl=self._browser_ttl, explained=explained)

    async def _outcome(self, recipe: AnyRecipe, request: Request, caller: Caller) -> Outcome:
        query = params.parse(request.scope["query_string"], recipe, self._rules)
        access.authorize(recipe, query.visitor, caller)
        ours = caller.server is not None
        deadline = asyncio.get_running_loop().time() + (
            min(self._deadline, SERVER_DEADLINE) if ours else self._deadline
        )
        priority: Priority = "server" if ours else "page"
        [outcome] = await self._engine.serve([Call(recipe, query.params)], query.visitor, deadline, priority)
        return outcome
