"""How Segment answers: JSON, a `Request-Id` on everything, and errors in one shape."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send


class Refused(Exception):
    """A request that gets an error for an answer: `{"error": {"code", "message"}}`.

    Args:
        status: the HTTP status.
        code: the error's machine-readable word, from the Profile API documentation's table of errors.
        message: a sentence for the person who reads it.
        headers: what the answer carries besides.
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
        super().__init__(message)

    def response(self) -> Response:
        """Return the error as an answer."""
        return json({"error": {"code": self.code, "message": self.message}}, self.status, self.headers)


class Invalid(Refused):
    """A request that can be read, but says something that it may not.

    Args:
        message: a sentence for the person who reads it, without what the request said.
    """

    def __init__(self, message: str) -> None:
        super().__init__(400, "validation_error", message)


def invalid(name: str, reason: str) -> Invalid:
    """Return the refusal of a parameter or field; the reason ends a sentence that starts with its name."""
    return Invalid(f"The parameter `{name}` {reason}")


def unauthorized(message: str) -> Refused:
    """Return the refusal of credentials."""
    challenge = {"WWW-Authenticate": 'Basic realm="sandbox"'}
    return Refused(401, "authentication_error", message, challenge)


def too_many() -> Refused:
    """Return the refusal of a request above the rate limit. Segment does not say when to try again."""
    return Refused(429, "rate_limit_error", "Too many requests hit the API too quickly.")


def no_such_route() -> Refused:
    """Return the refusal of a path. Its code is not `not_found`, which would say that a profile is unknown."""
    return Refused(404, "invalid_request_error", "No such route.")


def wrong_method(allowed: str) -> Refused:
    """Return the refusal of a method."""
    return Refused(405, "invalid_request_error", f"This route only takes {allowed}.", {"Allow": allowed})


def failure(request_id: str) -> Response:
    """Return the answer for a defect of the sandbox's own."""
    answer = Refused(500, "server_error", "The sandbox failed: its log says where.").response()
    answer.headers["Request-Id"] = request_id
    return answer


def json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:  # noqa: ANN401 - any JSON value
    """Return a JSON answer."""
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")


def answering(answer: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    """Return an ASGI app around a function: a refusal becomes an answer, and every answer has a `Request-Id`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await answer(Request(scope, receive))
        except Refused as refused:
            response = refused.response()
        response.headers["Request-Id"] = str(uuid.uuid4())
        await response(scope, receive, send)

    return app


async def refused(_request: Request, error: Exception) -> Response:
    """Return a refusal as an answer, as Starlette asks a handler of `Refused` for one."""
    return cast("Refused", error).response()
