"""Every way into the service at which somebody could ask about a person, from its own route table."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from personalize.registry import AnyRecipe
from personalize.web import console, snippet
from personalize.web.docs import FILES

OPEN = {
    *("/livez", "/readyz", "/status", "/metrics"),
    *("/openapi.json", "/docs", *(f"/docs/{name}" for name in FILES)),
    *("/console", *(f"/console/{name}" for name in console.FILES)),
    *(snippet.ALIAS, snippet.PINNED),
}
"""Routes that tell nothing about anybody, and so may be asked by everybody."""

ERASING = {"/api/profiles"}
"""Routes that change what is known about people, for our own servers alone."""

LOOKING = {"/console/vitals": "/console/vitals", "/console/answers/{recipe}": "/console/answers/customer-context"}
"""Routes that tell our own servers more than visitors, and what one asks there."""

SIGNED = {"/webhooks/segment"}
"""Routes for those alone who share a secret of their own with the service."""

Ids = Mapping[str, str]
Proofs = Iterable[tuple[str, str]]
Asked = Callable[[str, AnyRecipe, Ids], httpx.Request]


@dataclass(frozen=True)
class Door:
    """One method of one route, and how a recipe is asked there about somebody."""

    method: str
    path: str
    asked: Asked

    async def ask(self, client: httpx.AsyncClient, recipe: AnyRecipe, ids: Ids, proofs: Proofs = ()) -> httpx.Response:
        request = self.asked(self.method, recipe, ids)
        request.headers = httpx.Headers([*request.headers.multi_items(), *proofs])
        return await client.send(request)

    def verdict(self, answer: httpx.Response, recipe: AnyRecipe) -> int | None:
        """Return the status that a recipe's answer has, if it can be told: a page's without a body cannot."""
        if self.asked is one_recipe or answer.status_code != httpx.codes.OK:
            return answer.status_code
        if self.method == "HEAD":
            return None
        result: Any = answer.json()["results"][recipe.name]
        status: int = httpx.codes.OK if result["status"] == "ok" else result["error"]["status"]
        return status

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def one_recipe(method: str, recipe: AnyRecipe, ids: Ids) -> httpx.Request:
    """Return a request of one recipe."""
    return httpx.Request(method, f"http://service.test/api/{recipe.name}", params=ids)


def page(method: str, recipe: AnyRecipe, ids: Ids) -> httpx.Request:
    """Return a request of a page with one recipe."""
    url = "http://service.test/api/personalize"
    if method == "POST":
        return httpx.Request(method, url, json={**ids, "recipes": [{"name": recipe.name}]})
    return httpx.Request(method, url, params={"recipes": recipe.name, **ids})


ASKED: Mapping[str, Asked] = {"/api/{recipe}": one_recipe, "/api/personalize": page}
"""How to ask at the routes that are about somebody."""


def doors(app: Starlette) -> Iterator[Door]:
    """Yield every method of every route that is about somebody."""
    for route in app.routes:
        if path_of(route) in ASKED:
            assert isinstance(route, Route)
            for method in sorted(route.methods or ()):
                yield Door(method, route.path, ASKED[route.path])


def path_of(route: BaseRoute) -> str:
    """Return a route's template."""
    return str(getattr(route, "path", route))
