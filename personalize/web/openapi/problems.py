"""The problems that there are, from the exception tree."""

from typing import Any

from personalize.errors import (
    BadCredentials,
    BadParameter,
    BadSignature,
    BodyTooLarge,
    Busy,
    NotErased,
    PersonalizeError,
    ProofRequired,
    RecipeFailed,
    TooManyRequests,
    UnsupportedMediaType,
)
from personalize.web.openapi import headers
from personalize.web.responses import PROBLEM_JSON

DESCRIBED = (
    *(BadParameter, BadCredentials, ProofRequired, BadSignature, BodyTooLarge, UnsupportedMediaType, RecipeFailed),
    *(TooManyRequests, NotErased, Busy),
)
OTHER = "Problem"


def components(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a response for each problem that a caller can do something about, and one for all others."""
    described = {error.__name__: _response(error, schema) for error in DESCRIBED}
    other = "Any other problem; `code` says which."
    return {**described, OTHER: _of(other, schema, headers.OF_ALL | headers.named("Retry-After"))}


def answers(*errors: type[PersonalizeError]) -> dict[str, Any]:
    """Return references to the responses of errors, by their statuses."""
    named = {str(error.status): _reference(error.__name__) for error in errors}
    return {**named, "default": _reference(OTHER)}


def _response(error: type[PersonalizeError], schema: dict[str, Any]) -> dict[str, Any]:
    extra = headers.named("WWW-Authenticate") if error is BadCredentials else {}
    extra |= headers.named("Retry-After") if error.retry_after is not None else {}
    summary = (error.__doc__ or "").partition("\n")[0]
    return _of(f"`{error.code}`: {summary}", schema, headers.OF_ALL | extra)


def _of(description: str, schema: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "headers": told, "content": {PROBLEM_JSON: {"schema": schema}}}


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/responses/{name}"}
