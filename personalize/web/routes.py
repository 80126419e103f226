"""All routes."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from personalize.errors import PersonalizeError
from personalize.web import docs, responses, snippet
from personalize.web.console import Console
from personalize.web.erasure import ErasureAnswers
from personalize.web.operations import Numbers, Operations
from personalize.web.pages import PageAnswers
from personalize.web.recipes import RecipeAnswers
from personalize.web.webhook import Webhook


def routes(  # noqa: PLR0913 -- one parameter a kind of answer
    recipes: RecipeAnswers,
    pages: PageAnswers,
    erasure: ErasureAnswers,
    webhook: Webhook | None,
    console: Console | None,
    operations: Operations,
    numbers: Numbers | None,
    *,
    described: Mapping[str, Any],
) -> list[BaseRoute]:
    """Return the route table; a path that is not exactly one of these is a 404.

    `numbers` have a port of their own where they are missing; `described` is the OpenAPI document of all this.
    """
    pushed = [] if webhook is None else [Route("/webhooks/segment", webhook.post, methods=["POST"])]
    shown = [] if numbers is None else [Route("/metrics", numbers.metrics, methods=["GET"])]
    return [
        Route("/api/personalize", pages.answer, methods=["GET", "POST"]),
        Route("/api/profiles", erasure.delete, methods=["DELETE"]),
        Route("/api/profiles", only_deleted, methods=["GET"]),  # else it would pass for a recipe of that name
        Route("/api/{recipe}", recipes.get, methods=["GET"]),
        *pushed,
        *snippet.routes(),
        *docs.routes(described),
        *(console.routes() if console is not None else ()),
        Route("/livez", operations.livez, methods=["GET"]),
        Route("/readyz", operations.readyz, methods=["GET"]),
        Route("/status", operations.status, methods=["GET"]),
        *shown,
    ]


async def only_deleted(_: Request) -> Response:
    """Refuse to show profiles."""
    raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "DELETE"})


async def failed(request: Request, error: Exception) -> Response:
    """Answer one of our own errors as a problem."""
    assert isinstance(error, PersonalizeError)  # noqa: S101 -- registered for that class
    request.state.refused = error.label
    return responses.problem(error, request)


async def refused(request: Request, error: Exception) -> Response:
    """Answer Starlette's own refusals (no such route, wrong method) as problems."""
    assert isinstance(error, HTTPException)  # noqa: S101 -- registered for that class
    status = HTTPStatus(error.status_code)
    answer = responses.problem_of(status, status.name.lower(), f"{status.description or status.phrase}.", request)
    answer.headers.update(error.headers or {})
    return answer
