"""What the operator asks: is it alive, may it get traffic, what does it count?"""

from starlette.requests import Request
from starlette.responses import Response

from personalize.telemetry.exposition import Exposition
from personalize.web import responses


class Operations:
    """`/livez`, `/readyz` and `/metrics`; none of them ever asks Segment or Redis.

    Args:
        exposition: shows the metrics.
    """

    def __init__(self, exposition: Exposition) -> None:
        self._exposition = exposition

    async def livez(self, _: Request) -> Response:
        """Say that the process answers."""
        return responses.status({"status": "alive"})

    async def readyz(self, _: Request) -> Response:
        """Say that traffic may come: the server answers only once recipes and content are loaded."""
        return responses.status({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        """Show the metrics in the format that the scraper accepts."""
        shown, content_type = self._exposition(request.headers.get("Accept", ""))
        headers = {
            "Content-Type": content_type,
            "Cache-Control": responses.NO_STORE,
            **responses.PROTECTED,
        }
        return Response(shown, headers=headers)
