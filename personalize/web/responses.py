"""Answers and problems as HTTP responses."""

from hashlib import blake2b
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from personalize.engine import Outcome
from personalize.errors import PersonalizeError
from personalize.web import provenance

PROBLEM_JSON = "application/problem+json"
NO_STORE = "no-store"


def answer(outcome: Outcome, request: Request, *, browser_ttl: float, explained: bool = False) -> Response:
    """Return one recipe's answer; a browser may keep it no longer than what it rests on is fresh.

    A browser that has the same answer already is told so (304), by a weak validator: RFC 9110, 8.8.3 and 13.1.2.
    `explained` adds where it came from, which is for our own servers only: it tells whether a visitor was here before.
    """
    body = {
        "recipe": outcome.recipe,
        "personalized": outcome.personalized,
        "degraded": outcome.degraded,
        "data": outcome.data,
    }
    max_age = int(min(browser_ttl, outcome.fresh_for))
    headers = {"Cache-Control": f"private, max-age={max_age}", **(provenance.headers(outcome) if explained else {})}
    response = _json(body, headers=headers)
    etag = f'W/"{blake2b(response.body, digest_size=12).hexdigest()}"'
    response.headers["ETag"] = etag
    known = (one.strip() for one in request.headers.get("If-None-Match", "").split(","))
    if etag not in known:
        return response
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={**headers, "ETag": etag})


def status(body: dict[str, Any], code: int = HTTPStatus.OK) -> Response:
    """Return an answer for the operator, which nobody may keep."""
    return _json(body, status_code=code, headers={"Cache-Control": NO_STORE})


def problem(error: PersonalizeError, request: Request) -> Response:
    """Return an error as RFC 9457 problem details."""
    return problem_of(error.status, error.code, str(error), request)


def problem_of(code: int, word: str, detail: str, request: Request) -> Response:
    """Return problem details from their parts; `type` is `about:blank` since `code` says the kind (RFC 9457, 4.2.1)."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(code).phrase,
        "status": code,
        "detail": detail,
        "code": word,
        "request_id": request.state.request_id,
    }
    headers = {"Cache-Control": NO_STORE}
    if code == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return _json(body, status_code=code, headers=headers, media_type=PROBLEM_JSON)


def _json(
    body: dict[str, Any], *, headers: dict[str, str], status_code: int = 200, media_type: str = "application/json"
) -> Response:
    headers |= {"Cross-Origin-Resource-Policy": "same-origin", "X-Content-Type-Options": "nosniff"}
    return Response(msgspec.json.encode(body), status_code, headers, media_type)
