"""The last line: whatever goes wrong in the sandbox, a client gets JSON and a `Request-Id`, and the log one line."""

import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personalize.sandbox.answers import failure
from personalize.telemetry import logs


class Failsafe:
    """Middleware that answers 500 for an app that raised; an answer under way is left as it is.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:  # noqa: BLE001 - nothing is behind this line but the server's traceback
            request_id = str(uuid.uuid4())
            logs.answer_failed(request_id, error)
            if not started:
                await failure(request_id)(scope, receive, send)
