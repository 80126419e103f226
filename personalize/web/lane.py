"""The short lane: an answer that was given before, and still holds, is sent again as it was.

Behind it a request is taken apart, its visitor is looked up and its recipe asked. None of that can come out otherwise
while what the answer rests on is the same, and most visitors were here a moment ago. Whoever was not, and asks one
recipe as anybody may, is answered by the desk without the stack that all others need. What the lane does not know for
certain it declines; then the request goes the whole way.
"""

import time
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personalize.telemetry import logs
from personalize.trust.origins import Origins
from personalize.web import responses
from personalize.web.access_log import ANSWERED, TRACEPARENT
from personalize.web.middleware import marks
from personalize.web.recipes import PREFIX, RecipeAnswers
from personalize.web.warm import GIVEN, Asked, Headers, Reply, WarmAnswers

_DECLINED = frozenset({b"authorization"})
"""Headers by which somebody is told something of their own."""


GIVE = "personalize.give"
"""Under which a server leaves, in a request's state, what takes a `Reply` whole; that returns whether it did."""


class ShortLane:
    """Answers what it can; else lets the application answer, and remembers what it sends. Pure ASGI.

    Args:
        app: what answers the whole way.
        answers: those that it has given.
        origins: whose pages may read answers: they are told so, and all others the same.
        recipes: answers one recipe.
        traced: whether there are traces: then what was not given before goes the whole way, which is in them, and so
            does whoever comes with one.
    """

    def __init__(
        self,
        app: ASGIApp,
        answers: WarmAnswers,
        origins: Origins,
        recipes: RecipeAnswers | None = None,
        *,
        traced: bool = False,
    ) -> None:
        self._app = app
        self._declined = _DECLINED | {TRACEPARENT} if traced else _DECLINED
        self._answers = answers
        self._recipes = None if traced else recipes
        self._marks: dict[bytes | None, Headers] = {
            None if one is None else one.encode("latin-1"): responses.raw(marks(origins, one))
            for one in (None, *origins)
        }
        """What the pages of an origin are told beside an answer."""

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
        reply = self._answered(asked, told) or await self._from_the_desk(asked, scope, told)
        if reply is None:
            await self._app(scope, receive, self._noting(asked, scope, send))
        elif not scope.get("state", {}).get(GIVE, _refused)(reply):
            headers = [*reply.head.headers, *reply.own]
            await send({"type": "http.response.start", "status": reply.head.status, "headers": headers})
            await send({"type": "http.response.body", "body": reply.body})

    def _asked(self, scope: Scope, told: Mapping[bytes, bytes]) -> Asked:
        origin = told.get(b"origin")
        return scope["path"], scope["query_string"], origin if origin in self._marks else None

    def _answered(self, asked: Asked, told: Mapping[bytes, bytes]) -> Reply | None:
        now = time.monotonic()
        warm = self._answers.find(asked, now)
        return None if warm is None else self._answers.give(warm, told, now)

    async def _from_the_desk(self, asked: Asked, scope: Scope, told: Mapping[bytes, bytes]) -> Reply | None:
        """Return what one recipe answers to anybody, without all that others need."""
        if self._recipes is None:
            return None
        now = time.monotonic()
        try:
            plain = await self._recipes.plainly(scope)
        except Exception as error:  # noqa: BLE001 -- a defect of ours; the whole way may get past it, or has a last line
            logs.lane_failed(error)
            return None
        if plain is None:
            return None
        headers = [*plain.headers, *self._marks[asked[2]]]
        warm = self._answers.first(asked, plain.given, plain.answered, headers, plain.body)
        return self._answers.give(warm, told, now)

    def _noting(self, asked: Asked, scope: Scope, send: Send) -> Send:
        """Return a `send` that remembers a whole answer and what it rests on."""
        begun: Message = {}

        async def noting(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = message
            elif (whole := _whole(begun, message, state := scope.get("state", {}))) is not None and GIVEN in state:
                self._answers.keep(asked, state[GIVEN], state.get(ANSWERED), *whole)
            await send(message)

        return noting


def _told(scope: Scope, declined: frozenset[bytes]) -> Mapping[bytes, bytes] | None:
    """Return a request's headers, if nothing but its path, query and a few of these can make a difference.

    One that stands there twice has to be understood as it is the whole way.
    """
    if scope["method"] != "GET" or not scope["path"].startswith(PREFIX):
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


def _refused(_: Reply) -> bool:
    """Answer for a server that knows of no such extension."""
    return False
