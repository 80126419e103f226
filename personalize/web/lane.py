"""The short lane: an answer that was given before, and still holds, is sent again as it was.

Behind it a request is taken apart, its visitor is looked up and its recipe asked. None of that can come out otherwise
while what the answer rests on is the same, and most visitors were here a moment ago. What the lane does not know for
certain it declines; then the request goes the whole way.
"""

import time
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personalize.web.access_log import TRACEPARENT
from personalize.web.warm import Asked, WarmAnswers

_PREFIX = "/api/"
_DECLINED = frozenset({b"authorization", b"if-none-match", b"x-request-id"})
"""Headers by which somebody is told something of their own."""


class ShortLane:
    """Answers what it can; else lets the application answer, and remembers what it sends. Pure ASGI.

    Args:
        app: what answers the whole way.
        answers: those that it has given.
        traced: whether a trace that a request comes with is gone on with, and so has to be shown the whole way.
    """

    def __init__(self, app: ASGIApp, answers: WarmAnswers, *, traced: bool = False) -> None:
        self._app = app
        self._declined = _DECLINED | {TRACEPARENT} if traced else _DECLINED
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        asked = _asked(scope, self._declined) if scope["type"] == "http" else None
        if asked is None:
            await self._app(scope, receive, send)
            return
        now = time.monotonic()
        warm = self._answers.find(asked, now)
        if warm is None:
            await self._app(scope, receive, self._noting(asked, scope, send))
        else:
            await self._answers.give(warm, send, now)

    def _noting(self, asked: Asked, scope: Scope, send: Send) -> Send:
        """Return a `send` that remembers a whole answer and what it rests on."""
        begun: Message = {}

        async def noting(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = message
            elif begun["status"] == HTTPStatus.OK:
                self._answers.keep(asked, scope.get("state", {}), begun["headers"], message["body"])
            await send(message)

        return noting


def _asked(scope: Scope, declined: frozenset[bytes]) -> Asked | None:
    """Return what a request asks, if nothing but its path, query and origin can make a difference."""
    path: str = scope["path"]
    if scope["method"] != "GET" or not path.startswith(_PREFIX):
        return None
    origin = None
    for name, value in scope["headers"]:
        if (
            name in declined
            or (name == b"origin" and origin is not None)
            or (name == b"accept" and b"html" in value.lower())
        ):
            return None
        if name == b"origin":
            origin = value
    return path, scope["query_string"], origin
