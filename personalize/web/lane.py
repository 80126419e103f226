"""The short lane: an answer that was given before, and still holds, is sent again as it was.

Behind it a request is taken apart, its visitor is looked up and its recipe asked. None of that can come out otherwise
while what the answer rests on is the same, and most visitors were here a moment ago. What the lane does not know for
certain it declines; then the request goes the whole way.
"""

import time
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personalize.trust.origins import Origins
from personalize.web import responses
from personalize.web.access_log import TRACEPARENT
from personalize.web.warm import Asked, Headers, Reply, WarmAnswers

_PREFIX = "/api/"
_DECLINED = frozenset({b"authorization"})
"""Headers by which somebody is told something of their own."""


class ShortLane:
    """Answers what it can; else lets the application answer, and remembers what it sends. Pure ASGI.

    Args:
        app: what answers the whole way.
        answers: those that it has given.
        origins: whose pages may read answers: they are told so, and all others the same.
        traced: whether a trace that a request comes with is gone on with, and so has to be shown the whole way.
    """

    def __init__(self, app: ASGIApp, answers: WarmAnswers, origins: Origins, *, traced: bool = False) -> None:
        self._app = app
        self._declined = _DECLINED | {TRACEPARENT} if traced else _DECLINED
        self._answers = answers
        self._origins = frozenset(one.encode("latin-1") for one in origins)

    def at_once(self, scope: Scope) -> Reply | None:
        """Return the answer to a request, if it is known for certain: without waiting for anything."""
        told = _told(scope, self._declined)
        return None if told is None else self._answered(self._asked(scope, told), told)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        told = _told(scope, self._declined) if scope["type"] == "http" else None
        if told is None:
            await self._app(scope, receive, send)
            return
        asked = self._asked(scope, told)
        reply = self._answered(asked, told)
        if reply is None:
            await self._app(scope, receive, self._noting(asked, scope, send))
            return
        await send(
            {"type": "http.response.start", "status": reply.head.status, "headers": [*reply.head.headers, *reply.own]}
        )
        await send({"type": "http.response.body", "body": reply.body})

    def _asked(self, scope: Scope, told: Mapping[bytes, bytes]) -> Asked:
        origin = told.get(b"origin")
        return scope["path"], scope["query_string"], origin if origin in self._origins else None

    def _answered(self, asked: Asked, told: Mapping[bytes, bytes]) -> Reply | None:
        now = time.monotonic()
        warm = self._answers.find(asked, now)
        return None if warm is None else self._answers.give(warm, told, now)

    def _noting(self, asked: Asked, scope: Scope, send: Send) -> Send:
        """Return a `send` that remembers a whole answer and what it rests on."""
        begun: Message = {}

        async def noting(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = message
            elif (whole := _whole(begun, message, state := scope.get("state", {}))) is not None:
                self._answers.keep(asked, state, *whole)
            await send(message)

        return noting


def _told(scope: Scope, declined: frozenset[bytes]) -> Mapping[bytes, bytes] | None:
    """Return a request's headers, if nothing but its path, query and a few of these can make a difference.

    One that stands there twice has to be understood as it is the whole way.
    """
    if scope["method"] != "GET" or not scope["path"].startswith(_PREFIX):
        return None
    told = dict(scope["headers"])
    if len(told) < len(scope["headers"]) or not declined.isdisjoint(told):
        return None
    return None if b"html" in told.get(b"accept", b"").lower() else told


def _whole(begun: Message, message: Message, state: Mapping[str, object]) -> tuple[Headers, bytes] | None:
    """Return the headers and the body of an answer; where its caller had it already, those that it would have had."""
    if begun["status"] == HTTPStatus.OK:
        return begun["headers"], message["body"]
    answer = state.get(responses.WHOLE)
    if begun["status"] != HTTPStatus.NOT_MODIFIED or not isinstance(answer, Response):
        return None
    of_its_body = [one for one in answer.raw_headers if one[0].decode("latin-1") in responses.OF_A_BODY]
    return [*of_its_body, *begun["headers"]], bytes(answer.body)
