"""What every request passes through, outermost first: a request id, CORS, and the last line. Pure ASGI."""

import re
import uuid
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from personalize.telemetry import logs
from personalize.trust.origins import Origins
from personalize.web import responses

PREFLIGHT_SECONDS = 7200
"""The most that Chromium keeps a preflight's answer."""

EXPOSED = "ETag, X-Request-Id, Retry-After"

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


def harmless(request_id: str) -> bool:
    """Return whether a caller's own id of a request may stand in logs and answers."""
    return _REQUEST_ID.fullmatch(request_id) is not None


class RequestIds:
    """Gives every request an id, the caller's own if it is harmless, and says it in the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with `state.request_id`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        theirs = Headers(scope=scope).get("X-Request-Id", "")
        request_id = theirs if harmless(theirs) else str(uuid.uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        await self._app(scope, receive, _adding(send, [("X-Request-Id", request_id)]))


class Cors:
    """Lets the pages of exact origins read answers, errors included; no cookies, no wildcard (Fetch standard)."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and mark its answer, or answer a preflight."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("Origin")
        marked = _adding(send, marks(self._origins, origin))
        if scope["method"] == "OPTIONS" and origin is not None and "Access-Control-Request-Method" in headers:
            await self._preflight(Request(scope), allowed=origin in self._origins)(scope, receive, marked)
        else:
            await self._app(scope, receive, marked)

    @staticmethod
    def _preflight(request: Request, *, allowed: bool) -> Response:
        if not allowed:
            detail = "This origin is not among PERSONALIZE_ALLOWED_ORIGINS."
            return responses.problem_of(403, "origin_not_allowed", detail, request)
        return Response(
            status_code=204,
            headers={
                **responses.PROTECTED,
                "Cache-Control": responses.NO_STORE,  # browsers keep a preflight by its Max-Age, and others not at all
                "Access-Control-Allow-Methods": "GET, POST",
                "Access-Control-Allow-Headers": "Authorization, Content-Type",
                "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
            },
        )


def marks(origins: Origins, origin: str | None) -> list[tuple[str, str]]:
    """Return the headers that let a page of an origin read an answer, if it may; others are told that answers vary."""
    varies = [("Vary", "Origin")]
    if origin is None or origin not in origins:
        return varies
    return [*varies, ("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", EXPOSED)]


class LastLine:
    """Answers a problem where everything else failed, and logs where that was, without any value.

    Catching everything is right here only: what arrives is a defect of ours, and its caller still deserves an answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; answer 500 if it raises before its answer has begun."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if scope["type"] != "http" or begun:
                raise
            logs.answer_failed(scope["state"]["request_id"], error)
            detail = "Something went wrong here; the request id finds it in the logs."
            await responses.problem_of(500, "internal_error", detail, Request(scope))(scope, receive, send)


def _adding(send: Send, headers: Iterable[tuple[str, str]]) -> Send:
    """Return a `send` that adds headers when an answer begins."""
    added = responses.raw(headers)

    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *added]
        await send(message)

    return adding
