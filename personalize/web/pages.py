"""Answering a whole page: many recipes about one visitor, in one request."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from personalize.engine import Call, Outcome
from personalize.errors import BadParameter, PersonalizeError, UnknownRecipe, UnsupportedMediaType
from personalize.trust import access
from personalize.trust.access import Caller
from personalize.web import bodies, page, params, responses
from personalize.web.access_log import Answered
from personalize.web.desk import Desk, proved
from personalize.web.page import Entry, Page
from personalize.web.warm import Given

PAGE = "personalize"
"""What the whole is called in metrics: no recipe may have that name."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """An entry that may be answered."""

    entry: Entry
    call: Call


class PageAnswers:
    """`GET` and `POST /api/personalize`.

    One recipe that is slow, broken or not for this caller costs only itself; a bad parameter is the whole request's,
    for somebody has to mend it.

    Args:
        desk: knows the recipes and the callers.
        browser_ttl: seconds that a browser may keep an answer at most.
    """

    def __init__(self, desk: Desk, *, browser_ttl: float) -> None:
        self._desk = desk
        self._browser_ttl = browser_ttl

    async def answer(self, request: Request) -> Response:
        """Answer what a query string asks, or a body."""
        caller = self._desk.caller(request)
        query = request.scope["query_string"]
        if request.method != "POST":
            return await self._answer(request, caller, page.from_query(query, self._desk.rules))
        if query:
            raise BadParameter("query", "is not read here: everything is told in the body.")
        return await self._answer(request, caller, page.from_body(await _body(request), self._desk.rules))

    async def _answer(self, request: Request, caller: Caller, asked: Page) -> Response:
        started = time.perf_counter()
        refused: dict[str, PersonalizeError] = {}
        admitted: list[Admitted] = []
        for entry in asked.entries:
            try:
                admitted.append(Admitted(entry, self._call(entry, asked, caller)))
            except BadParameter:
                raise
            except PersonalizeError as error:
                refused[entry.id] = error
        calls = [one.call for one in admitted]
        outcomes = await self._desk.serve(request, calls, asked.visitor, caller, asked.seconds)
        answered = {one.entry.id: outcome for one, outcome in zip(admitted, outcomes, strict=True)}
        self._count(asked.entries, answered, refused)
        self._desk.metrics.request_seconds.labels(PAGE).observe(time.perf_counter() - started)
        refusal = next((one.label for one in refused.values()), None)
        request.state.answered = Answered(proved(asked.visitor, caller), outcomes, refusal)
        results = {one.id: _result(answered.get(one.id), refused.get(one.id)) for one in asked.entries}
        if not refused:
            request.state.given = Given(PAGE, "/api/personalize", outcomes)
        kept = responses.Kept(self._browser_ttl, explained=caller.server is not None)
        return responses.page(results, outcomes, request, kept)

    def _call(self, entry: Entry, asked: Page, caller: Caller) -> Call:
        """Return what to call for an entry; raise if it cannot be, or may not."""
        recipe = self._desk.find(entry.recipe)
        arguments = params.arguments(entry.given, recipe, prefix=entry.prefix, strict=entry.strict)
        params.require(asked.visitor, recipe.collection)
        access.authorize(recipe, asked.visitor, caller)
        return Call(recipe, arguments)

    def _count(
        self, entries: Sequence[Entry], answered: dict[str, Outcome], refused: dict[str, PersonalizeError]
    ) -> None:
        for entry in entries:
            error = refused.get(entry.id)
            name = "unknown" if isinstance(error, UnknownRecipe) else entry.recipe
            label = answered[entry.id].provenance if error is None else error.label
            self._desk.metrics.requests.labels(name, label).inc()


async def _body(request: Request) -> bytes:
    """Return a JSON body, refusing what is something else or too large before it is read whole."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMediaType("Send the body as `application/json`.")
    return await bodies.read(request, page.MAX_BODY)


def _result(outcome: Outcome | None, refusal: PersonalizeError | None) -> dict[str, Any]:
    """Return what a page is told of one recipe."""
    error = refusal or (outcome and outcome.error)
    if outcome is None or error is not None:
        told = error or PersonalizeError("The recipe could not be answered.")
        degraded = outcome.degraded if outcome else False
        problem = {"status": told.status, "code": told.code, "detail": str(told)}
        return {"status": "error", "personalized": False, "degraded": degraded, "data": None, "error": problem}
    return {
        "status": "ok",
        "personalized": outcome.personalized,
        "degraded": outcome.degraded,
        "data": outcome.data,
    }
