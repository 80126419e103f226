"""Answers and problems as HTTP responses."""

import math
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from personalize.engine import Outcome
from personalize.errors import PersonalizeError
from personalize.web import provenance

PROBLEM_JSON = "application/problem+json"
NO_STORE = "no-store"

PROTECTED = {"Cross-Origin-Resource-Policy": "same-origin", "X-Content-Type-Options": "nosniff"}
FOR_ONE = {"CDN-Cache-Control": NO_STORE}
"""Beside `private`: what a cache that many share is told, whatever it does with `Cache-Control` (RFC 9213)."""

OF_A_BODY = frozenset({"content-length", "content-type"})
"""Headers that a 304 has no use for."""

WHOLE = "whole"
"""Under which an answer is left in a request's state before it is known whether its caller has it already."""


class Kept(Struct, frozen=True):
    """How long a browser may keep an answer at most, in seconds, and whether its caller is told where it came from.

    That is for our own servers only: it tells whether a visitor was here before.
    """

    browser_ttl: float
    explained: bool = False


class Problem(msgspec.Struct, frozen=True):
    """Why a request was not answered (RFC 9457); `code` is for programs, `request_id` finds it in the logs."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str


def answer(outcome: Outcome, request: Request, kept: Kept, *, varies: str | None = None) -> Response:
    """Return one recipe's answer; a browser may keep it no longer than what it rests on is fresh.

    A browser that has the same answer already is told so (304), by a weak validator: RFC 9110, 8.8.3 and 13.1.2.
    """
    headers = _kept(outcome.fresh_for, [outcome], kept) | ({"Vary": varies} if varies else {})
    return _conditional(_json(_told(outcome), headers=headers), request)


def plain(outcome: Outcome, *, varies: str | None = None) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the same as headers and a body, but for how long it may be kept: of one that nobody else is told of."""
    body = msgspec.json.encode(_told(outcome))
    own = {"Content-Length": str(len(body)), "ETag": _validator(body), **({"Vary": varies} if varies else {})}
    return [*_PLAIN, *raw(own.items())], body


def fragment(outcome: Outcome, markup: str, request: Request, kept: Kept) -> Response:
    """Return one recipe's answer as markup, for those who asked for it (RFC 9110, 12.5.1)."""
    headers = {**_kept(outcome.fresh_for, [outcome], kept), **PROTECTED, "Vary": "Accept"}
    return _conditional(Response(markup, headers=headers, media_type="text/html"), request)


def page(results: Mapping[str, Any], outcomes: Sequence[Outcome], request: Request, kept: Kept) -> Response:
    """Return the answers of a page by their ids; it is as fresh as the oldest of them."""
    fresh_for = min((one.fresh_for for one in outcomes), default=0.0)
    headers = _kept(fresh_for, outcomes, kept)
    return _conditional(_json({"results": results}, headers=headers), request)


def unless_known(response: Response, request: Request) -> Response:
    """Return a response that has a validator, or that the one who asks has it already."""
    if request.method == "POST":  # its answer is not what its address stands for
        return response
    if not known_by(request.headers.get("If-None-Match", ""), response.headers["ETag"]):
        return response
    told = {name: value for name, value in response.headers.items() if name not in OF_A_BODY}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=told)


def known_by(validators: str, etag: str) -> bool:
    """Return whether an answer is among those that an `If-None-Match` names.

    Weak and strong ones are compared alike, for whatever compresses on the way makes them weak; `*` is any
    (RFC 9110, 13.1.2).
    """
    return not {_opaque(one) for one in validators.split(",")}.isdisjoint({_opaque(etag), "*"})


def prefers_html(request: Request) -> bool:
    """Whether a request names markup, and before JSON (RFC 9110, 12.5.1)."""
    wanted = dict(_quality(one) for one in request.headers.get("Accept", "").lower().split(","))
    return wanted.get("text/html", 0.0) > wanted.get("application/json", 0.0)


def status(body: dict[str, Any], code: int = HTTPStatus.OK) -> Response:
    """Return an answer for the operator, which nobody may keep."""
    return _json(body, status_code=code, headers={"Cache-Control": NO_STORE})


def done() -> Response:
    """Return that something was done of which there is nothing to say."""
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Cache-Control": NO_STORE, **PROTECTED})


def problem(error: PersonalizeError, request: Request) -> Response:
    """Return an error as RFC 9457 problem details, with when to try again if that is known."""
    answered = problem_of(error.status, error.code, str(error), request)
    if error.retry_after is not None:
        answered.headers["Retry-After"] = str(math.ceil(error.retry_after))  # whole seconds (RFC 9110, 10.2.3)
    return answered


def problem_of(code: int, word: str, detail: str, request: Request) -> Response:
    """Return problem details from their parts; `type` is `about:blank` since `code` says the kind (RFC 9457, 4.2.1)."""
    body = Problem("about:blank", HTTPStatus(code).phrase, code, detail, word, request.state.request_id)
    headers = {"Cache-Control": NO_STORE}
    if code == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return _json(body, status_code=code, headers=headers, media_type=PROBLEM_JSON)


def _kept(fresh_for: float, outcomes: Sequence[Outcome], kept: Kept) -> dict[str, str]:
    """Return for how long an answer may be kept, and, for our own servers, where it came from."""
    max_age = int(min(kept.browser_ttl, fresh_for))
    return {
        "Cache-Control": f"private, max-age={max_age}",
        **FOR_ONE,
        **(provenance.headers(*outcomes) if kept.explained else {}),
    }


def raw(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI has them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "recipe": outcome.recipe,
        "personalized": outcome.personalized,
        "degraded": outcome.degraded,
        "data": outcome.data,
    }


def _validator(body: bytes) -> str:
    return f'W/"{blake2b(body, digest_size=12).hexdigest()}"'


def _conditional(response: Response, request: Request) -> Response:
    """Return a response with its validator, or that the one who asks has it already."""
    response.headers["ETag"] = _validator(bytes(response.body))
    request.state.whole = response
    return unless_known(response, request)


def _opaque(validator: str) -> str:
    """Return an entity tag without its mark of weakness."""
    return validator.strip().removeprefix("W/")


def _quality(accepted: str) -> tuple[str, float]:
    """Return a media range and its weight; one that cannot be read weighs nothing."""
    media, *options = (part.strip() for part in accepted.split(";"))
    weights = [option.removeprefix("q=") for option in options if option.startswith("q=")]
    try:
        return media, float(weights[0]) if weights else 1.0
    except ValueError:
        return media, 0.0


def _json(
    body: Mapping[str, Any] | Problem,
    *,
    headers: dict[str, str],
    status_code: int = 200,
    media_type: str = "application/json",
) -> Response:
    return Response(msgspec.json.encode(body), status_code, headers | PROTECTED, media_type)


_PLAIN = raw({"Content-Type": "application/json", **FOR_ONE, **PROTECTED}.items())
