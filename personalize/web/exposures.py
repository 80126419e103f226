"""What visitors were given, told to whoever wants to know what became of it."""

from collections.abc import Callable, Sequence
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personalize.engine import Outcome
from personalize.model import Visitor
from personalize.web.access_log import ANSWERED, Answered

Tell = Callable[[Visitor, Sequence[Outcome]], None]
"""Takes whom an answer was about, and what was in it; it must neither wait nor fail."""


class Exposures:
    """Tells of every answer that was sent to somebody. Pure ASGI.

    Args:
        app: what answers.
        tell: is told.
    """

    def __init__(self, app: ASGIApp, tell: Tell) -> None:
        self._app = app
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and tell of its answer once it is sent."""
        status = 0

        async def watching(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._app(scope, receive, watching)
        answered: Answered | None = scope.get("state", {}).get(ANSWERED)
        if status == HTTPStatus.OK and answered is not None:
            self._tell(answered.visitor, answered.outcomes)
