"""The paths by which something is to be forgotten, or is said to have changed."""

from typing import Any

from personalize.errors import (
    BadCredentials,
    BadParameter,
    BadSignature,
    BodyTooLarge,
    Busy,
    NotErased,
    ProofRequired,
)
from personalize.trust.ids import IdRules
from personalize.web.openapi import headers, parameters, problems
from personalize.web.openapi.recipes import KEY

_ERASE = """\
What is cached of a person goes, in Redis and in every process, under these ids and those that were learnt together with
them; a read that is under way cannot bring it back. The next question about the person asks Segment anew. At least one
id has to be there.
"""
_PUSHED = """\
Segment sends one call, or several in an array. Those that are signed are believed; of the others, which stand in an
array behind the first, only that something has changed. What changed is in the answers a moment later; a person who is
to be deleted is erased before this is answered.
"""


def items(rules: IdRules, *, webhook: bool) -> dict[str, Any]:
    """Return the path items of what there is."""
    return {"/api/profiles": _profiles(rules), **({"/webhooks/segment": _webhook()} if webhook else {})}


def security(*, webhook: bool) -> dict[str, Any]:
    """Return the schemes that these paths have of their own."""
    told = "The hexadecimal HMAC-SHA1 of the body, or of the first call in it, under the shared secret."
    return (
        {"signature": {"type": "apiKey", "in": "header", "name": "X-Signature", "description": told}} if webhook else {}
    )


def _profiles(rules: IdRules) -> dict[str, Any]:
    ids = parameters.ids(("users", "accounts"), rules)
    return {
        "delete": {
            "operationId": "eraseProfiles",
            "tags": ["changes"],
            "summary": "Erase what is cached of a person",
            "description": _ERASE,
            "security": KEY,
            "parameters": [_repeatable(name, schema) for name, schema in ids.items()],
            "responses": {
                "204": {"description": "It is forgotten.", "headers": headers.OF_ALL},
                **problems.answers(BadParameter, BadCredentials, ProofRequired, NotErased),
            },
        }
    }


def _repeatable(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    told = parameters.query(name, schema)
    one = {**told["schema"], "minLength": 1}
    return {**told, "explode": True, "schema": {"type": "array", "items": one}} | (
        {"example": [told["example"]]} if "example" in told else {}
    )


def _webhook() -> dict[str, Any]:
    call = {"type": "object", "properties": {"type": {"type": "string"}}}
    accepted = {"type": "object", "properties": {"status": {"const": "accepted"}}, "required": ["status"]}
    body = {"oneOf": [call, {"type": "array", "items": call}]}
    return {
        "post": {
            "operationId": "pushChanges",
            "tags": ["changes"],
            "summary": "Take what Segment says to have changed",
            "description": _PUSHED,
            "security": [{"signature": []}],
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": {
                "202": {
                    "description": "It is taken.",
                    "headers": headers.OF_ALL,
                    "content": {"application/json": {"schema": accepted}},
                },
                **problems.answers(BadParameter, BadSignature, BodyTooLarge, Busy),
            },
        }
    }
