"""What the operator asks: is it alive, may it get traffic, what does it count?"""

import asyncio

from prometheus_client import exposition
from starlette.requests import Request
from starlette.responses import Response

from personalize.telemetry.metrics import Metrics
from personalize.web import responses


class Operations:
    """`/livez`, `/readyz` and `/metrics`; none of them ever asks Segment or Redis.

    Args:
        metrics: what is shown.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def livez(self, _: Request) -> Response:
        """Say that the process answers."""
        return responses.status({"status": "alive"})

    async def readyz(self, _: Request) -> Response:
        """Say that traffic may come: the server answers only once recipes and content are loaded."""
        return responses.status({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        """Show the metrics in the format that the scraper accepts."""
        self._metrics.tasks.set(len(asyncio.all_tasks()))
        encoder, content_type = exposition.choose_encoder(request.headers.get("Accept", ""))
        headers = {
            "Content-Type": content_type,
            "Cache-Control": responses.NO_STORE,
            **responses.PROTECTED,
        }
        return Response(encoder(self._metrics.registry), headers=headers)
