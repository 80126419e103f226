"""The console: pick a recipe, name a visitor, and see the answer, where it came from, and what took how long.

The page itself knows nothing of anybody; what it shows it asks for, with an API key.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from personalize.engine import Call, Outcome, origins
from personalize.errors import RecipeFailed
from personalize.ports import ItemProvider
from personalize.registry import AnyRecipe
from personalize.telemetry import exchanges
from personalize.telemetry.exchanges import Exchange
from personalize.trust import access
from personalize.trust.access import Caller
from personalize.web import params, responses
from personalize.web.assets import Asset
from personalize.web.desk import Desk
from personalize.web.fragments import Fragments
from personalize.web.vitals import Vitals

STATIC = Path(__file__).parents[1] / "static"

FILES: Final[Mapping[str, str]] = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
}
"""What the page loads, below `static/`, and its media types."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src https: http: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load and do: what comes from here, nothing inline, and the pictures of answers."""

KEPT_SECONDS = 60

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""By which names a browser of this machine reaches it; a name of somebody else's may lead here too (DNS rebinding)."""

LOCAL = Caller(server="console")
"""Who asks where the console is open to everybody who reaches it."""


class Console:
    """`/console` and what it asks.

    Args:
        desk: knows the recipes and the callers.
        fragments: the templates of the recipes that have one.
        providers: what recipes read beside profiles.
        vitals: how the process does.
        open_to_all: whether no key is asked for: in development.
    """

    def __init__(
        self,
        desk: Desk,
        fragments: Fragments,
        providers: Mapping[str, ItemProvider],
        vitals: Vitals,
        *,
        open_to_all: bool,
    ) -> None:
        self._desk = desk
        self._fragments = fragments
        self._providers = providers
        self._vitals = vitals
        self._open_to_all = open_to_all

    def routes(self) -> Iterator[BaseRoute]:
        """Yield the page, its files, and what it asks."""
        markup = (STATIC / "console.html").read_bytes()
        headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
        page = Asset(markup, "text/html; charset=utf-8", max_age=KEPT_SECONDS, headers=headers)
        yield Route("/console", page.get, methods=["GET"])
        for name, media_type in FILES.items():
            file = Asset((STATIC / name).read_bytes(), media_type, max_age=KEPT_SECONDS)
            yield Route(f"/console/{name}", file.get, methods=["GET"])
        yield Route("/console/vitals", self.vitals, methods=["GET"])
        yield Route("/console/answers/{recipe}", self.answer, methods=["GET"])

    async def vitals(self, request: Request) -> Response:
        """Tell how the process does."""
        self._admitted(request)
        return responses.status(self._vitals.told())

    async def answer(self, request: Request) -> Response:
        """Answer a recipe as its own route would, and tell all about it."""
        caller = self._admitted(request)
        recipe = self._desk.find(request.path_params["recipe"])
        query = params.parse(request.scope["query_string"], recipe, self._desk.rules)
        begun = time.perf_counter()
        with exchanges.watched() as calls:
            asked = [Call(recipe, query.params)]
            patience = self._desk.deadline if query.seconds is None else query.seconds  # what a page would get is shown
            [outcome] = await self._desk.serve(request, asked, query.visitor, caller, patience)
        seconds = time.perf_counter() - begun
        items = {name: self._providers[name].items() for name in recipe.providers}
        told = origins.members(outcome, origins.of(recipe, outcome, query.params, items))
        told |= {"markup": self._markup(recipe, outcome), "error": _error(outcome.error)}
        told |= {"total": seconds, "calls": _calls(calls, begun), "request_id": request.state.request_id}
        return responses.status(told)

    def _admitted(self, request: Request) -> Caller:
        """Return who asks: one of our own servers, or whoever does where the console is open.

        Raises:
            BadCredentials: there is no API key, or none that is known.
            ProofRequired: a visitor's token does not do.
        """
        caller = self._desk.caller(request)
        if self._open_to_all and caller.server is None and request.url.hostname in LOOPBACK:
            return LOCAL
        access.require_server(caller)
        return caller

    def _markup(self, recipe: AnyRecipe, outcome: Outcome) -> str | None:
        """Return the answer as the recipe's template shows it, if it has one that fits."""
        fragment = self._fragments.of(recipe)
        if fragment is None or outcome.data is None:
            return None
        try:
            return fragment.render(outcome.data)
        except RecipeFailed:
            return None


def _error(error: RecipeFailed | None) -> str | None:
    """Return how a recipe failed: its engineer is the one who looks."""
    if error is None:
        return None
    cause = error.__cause__
    return f"{error.reason} ({type(cause).__name__}: {cause})" if cause else error.reason


def _calls(calls: Sequence[Exchange], begun: float) -> list[dict[str, Any]]:
    """Return calls to the Profile API, each with its beginning in seconds since the request's."""
    return [
        {
            "route": one.route,
            "outcome": one.outcome,
            "request_id": one.request_id,
            "at": one.begun - begun,
            "seconds": one.seconds,
        }
        for one in calls
    ]
