"""The control API: what was called, forgetting it, and starting over."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from personalize.sandbox.answers import json
from personalize.sandbox.calls import Calls


class ControlApi:
    """The routes under `/sandbox/`. They need no credentials: the sandbox is for one person's own machine.

    Args:
        calls: what the emulated APIs answered.
        reseed: brings the store back to the seeded visitors.
    """

    def __init__(self, calls: Calls, reseed: Callable[[], None]) -> None:
        self._calls = calls
        self._reseed = reseed

    def routes(self) -> list[Route]:
        """Return the routes, relative to `/sandbox`."""
        return [
            Route("/calls", self.recorded, methods=["GET"]),
            Route("/calls", self.forget, methods=["DELETE"]),
            Route("/reset", self.reset, methods=["POST"]),
            Route("/health", self.health, methods=["GET"]),
        ]

    async def recorded(self, request: Request) -> Response:
        """Return the calls so far, oldest first; `?route=traits` returns those of one route."""
        route = request.query_params.get("route")
        return json({"total": self._calls.total(route), "calls": self._calls.last(route)})

    async def forget(self, _request: Request) -> Response:
        """Forget the calls so far."""
        self._calls.forget()
        return Response(status_code=204)

    async def reset(self, _request: Request) -> Response:
        """Bring back the seeded visitors, as on the first start, and forget all calls."""
        self._reseed()
        self._calls.forget()
        return Response(status_code=204)

    async def health(self, _request: Request) -> Response:
        """Return that the sandbox is up."""
        return json({"status": "ok"})
