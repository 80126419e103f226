"""What the operator asks: is it alive, may it get traffic, how are its dependencies, what does it count?"""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from personalize.telemetry.exposition import Exposition
from personalize.web import responses


class Operations:
    """`/livez`, `/readyz` and `/status`; none of them ever asks Segment or Redis.

    Args:
        leaving: whether the process was told to go.
        version: of the service.
        states: how the dependencies were when they were last needed, by their names.
    """

    def __init__(self, leaving: Callable[[], bool], version: str, states: Callable[[], Mapping[str, str]]) -> None:
        self._leaving = leaving
        self._version = version
        self._states = states

    async def livez(self, _: Request) -> Response:
        """Say that the process answers."""
        return responses.status({"status": "alive"})

    async def readyz(self, _: Request) -> Response:
        """Say whether traffic may come: the server answers only once recipes and content are loaded."""
        if self._leaving():
            return responses.status({"status": "draining"}, 503)
        return responses.status({"status": "ready"})

    async def status(self, _: Request) -> Response:
        """Say how the dependencies are, in words that everybody may read: neither where they are nor what they hold."""
        word = "draining" if self._leaving() else "ready"
        return responses.status({"status": word, "version": self._version, "dependencies": dict(self._states())})


class Numbers:
    """`/metrics`.

    Args:
        exposition: shows them.
        flush: lets what has been counted elsewhere be among them.
    """

    def __init__(self, exposition: Exposition, flush: Callable[[], None] = lambda: None) -> None:
        self._exposition = exposition
        self._flush = flush

    async def metrics(self, request: Request) -> Response:
        """Show the metrics in the format that the scraper accepts."""
        self._flush()
        shown, content_type = self._exposition(request.headers.get("Accept", ""))
        headers = {
            "Content-Type": content_type,
            "Cache-Control": responses.NO_STORE,
            **responses.PROTECTED,
        }
        return Response(shown, headers=headers)
