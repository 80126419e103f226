"""Answering one recipe."""

import time

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from personalize.engine import Call, Outcome
from personalize.errors import PersonalizeError, RecipeFailed, UnknownRecipe
from personalize.registry import AnyRecipe
from personalize.telemetry import logs
from personalize.trust import access
from personalize.trust.access import ANYBODY, Caller
from personalize.web import params, responses
from personalize.web.access_log import BEGAN, Answered
from personalize.web.desk import Desk, proved
from personalize.web.fragments import Fragment, Fragments
from personalize.web.params import Query
from personalize.web.warm import Given, Headers

ASKED = "asked"
"""Under which stands in a request's state what the desk has answered already."""

PREFIX, ROUTE = "/api/", "/api/{recipe}"


class Plain(Struct, frozen=True):
    """An answer to anybody: what it was given, to whom, its headers but for those of each answer, and its body."""

    given: Given
    answered: Answered
    headers: Headers
    body: bytes


class RecipeAnswers:
    """`GET /api/{recipe}`: one recipe about one visitor.

    Args:
        desk: knows the recipes and the callers.
        fragments: the templates of the recipes that have one.
        browser_ttl: seconds that a browser may keep an answer at most.
    """

    def __init__(self, desk: Desk, fragments: Fragments, *, browser_ttl: float) -> None:
        self._desk = desk
        self._fragments = fragments
        self._browser_ttl = browser_ttl

    async def get(self, request: Request) -> Response:
        """Answer one recipe, and count how it went."""
        started = request.scope["state"].get(BEGAN) or time.perf_counter()
        name, label = request.path_params["recipe"], PersonalizeError.label
        try:
            recipe = self._desk.find(name)
            caller = self._desk.caller(request)
            outcome = await self._outcome(recipe, request, caller)
            label = outcome.provenance
            if outcome.error is not None:
                raise outcome.error
            request.state.given = Given(name, ROUTE, [outcome])
            return self._response(outcome, recipe, request, caller)
        except PersonalizeError as error:
            name = "unknown" if isinstance(error, UnknownRecipe) else name  # a label is never the caller's own word
            label = error.label
            raise
        finally:
            self._desk.metrics.requests.labels(name, label).inc()
            self._desk.metrics.request_seconds.labels(name).observe(time.perf_counter() - started)

    async def plainly(self, scope: Scope) -> Plain | None:
        """Answer a request that says nothing of who asks, without what only others need.

        It has to go the whole way where there is none of a recipe: what is refused or has failed is told there, and
        what the desk has said by then is left in the request's state.
        """
        name, began = scope["path"].removeprefix(PREFIX), time.perf_counter()
        try:
            recipe = self._desk.find(name)
            query = self._query(recipe, scope, ANYBODY)
        except PersonalizeError:
            return None
        outcome = await self._asked(recipe, query, Request(scope), ANYBODY)
        if outcome.error is not None:
            scope.setdefault("state", {}).update({ASKED: outcome, BEGAN: began})
            return None
        varies = None if self._fragments.of(recipe) is None else "Accept"
        given, answered = Given(name, ROUTE, [outcome]), Answered(query.visitor, [outcome])
        return Plain(given, answered, *responses.plain(outcome, varies=varies))

    async def _outcome(self, recipe: AnyRecipe, request: Request, caller: Caller) -> Outcome:
        query = self._query(recipe, request.scope, caller)
        asked: Outcome | None = request.scope["state"].get(ASKED)
        outcome = asked or await self._asked(recipe, query, request, caller)
        request.state.answered = Answered(proved(query.visitor, caller), [outcome])
        return outcome

    def _query(self, recipe: AnyRecipe, scope: Scope, caller: Caller) -> Query:
        """Return what a request asks, if its caller may ask it."""
        query = params.parse(scope["query_string"], recipe, self._desk.rules)
        access.authorize(recipe, query.visitor, caller)
        return query

    async def _asked(self, recipe: AnyRecipe, query: Query, request: Request, caller: Caller) -> Outcome:
        [outcome] = await self._desk.serve(request, [Call(recipe, query.params)], query.visitor, caller, query.seconds)
        return outcome

    def _response(self, outcome: Outcome, recipe: AnyRecipe, request: Request, caller: Caller) -> Response:
        kept = responses.Kept(browser_ttl=self._browser_ttl, explained=caller.server is not None)
        fragment = self._fragments.of(recipe)
        if fragment is None:
            return responses.answer(outcome, request, kept)
        if responses.prefers_html(request):
            return responses.fragment(outcome, self._markup(fragment, outcome, recipe), request, kept)
        return responses.answer(outcome, request, kept, varies="Accept")

    def _markup(self, fragment: Fragment, outcome: Outcome, recipe: AnyRecipe) -> str:
        """Return an answer as markup; a template that fails is told as the recipe's function is."""
        try:
            return fragment.render(outcome.data)
        except RecipeFailed as error:
            self._desk.metrics.recipe_failures.labels(recipe.name, error.reason).inc()
            logs.recipe_failed(recipe.name, str(recipe.template), error.reason, error.__cause__)
            raise
